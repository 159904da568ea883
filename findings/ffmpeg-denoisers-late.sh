#!/bin/sh
# ffmpeg's afftdn, anlmdn and alimiter filters (as in PyAV 18.1.0), on noise-like sound at 24 kHz.
# Expected: the sound stays in its place, or the time stamps say that it moved.
# Seen: it comes 25 ms late from afftdn, 8 ms from anlmdn and 5 ms from alimiter, with the length unchanged, so that
# the end is cut off; the time stamps begin at 0 as if nothing had moved. afwtdn, a denoiser too, keeps its place. A
# clip that was trimmed close loses the end of its last word.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --disable-pip-version-check av==18.1.0 numpy==2.4.6
"$dir/venv/bin/python" - "$dir" <<'EOF'
import av
import numpy as np

rate = 24000

def filtered(x, name, options):
    graph = av.filter.Graph()
    source = graph.add_abuffer(sample_rate=rate, format="flt", layout="mono", time_base=f"1/{rate}")
    middle, sink = graph.add(name, options), graph.add("abuffersink")
    source.link_to(middle), middle.link_to(sink), graph.configure()
    for start in range(0, len(x), 1024):
        frame = av.AudioFrame.from_ndarray(x[None, start : start + 1024], format="flt", layout="mono")
        frame.sample_rate, frame.pts = rate, start
        source.push(frame)
    source.push(None)
    frames = []
    while True:
        try:
            frames.append(sink.pull())
        except av.error.EOFError:
            return np.concatenate([f.to_ndarray() for f in frames], 1)[0], frames[0].pts

noise = np.random.default_rng(0).standard_normal(2 * rate)
x = (0.2 * np.convolve(noise, np.hanning(32) / 16, "same")).astype(np.float32)
print("libavfilter", av.library_versions["libavfilter"])
for name, options, late in (("afftdn", "", 600), ("anlmdn", "", 192), ("alimiter", "level=0", 119), ("afwtdn", "", 0)):
    y, first = filtered(x, name, options)
    spectrum = np.fft.rfft(y, 2 * len(x)) * np.conj(np.fft.rfft(x, 2 * len(x)))
    lag = int(np.argmax(np.fft.irfft(spectrum)))
    print(f"{name}: {len(y)} samples of {len(x)}, first time stamp {first}, late by {lag} = {1000 * lag / rate:.1f} ms")
    assert len(y) == len(x) and first == 0 and lag == late, "the delay is another now"
EOF
