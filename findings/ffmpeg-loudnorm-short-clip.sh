#!/bin/sh
# ffmpeg's loudnorm and ebur128 filters (as in PyAV 18.1.0) on a clip of 0.39 s, shorter than one block of the
# measure.
# Expected: an error, or a gain like that of a longer clip of the same tone.
# Seen: ebur128 says -70 LUFS of a full-scale tone, and loudnorm raises a quiet 0.39 s tone by 24.5 dB, to its peak
# limit (0.84), while the same tone of 0.5 s is raised by 13 dB to the -16 LUFS asked for. pyloudnorm raises an error
# in this case.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --disable-pip-version-check av==18.1.0 numpy==2.4.6
"$dir/venv/bin/python" - "$dir" <<'EOF'
import av
import numpy as np

def filtered(x, name, options, rate=48000):
    graph = av.filter.Graph()
    source = graph.add_abuffer(sample_rate=rate, format="flt", layout="mono", time_base=f"1/{rate}")
    middle, sink = graph.add(name, options), graph.add("abuffersink")
    source.link_to(middle), middle.link_to(sink), graph.configure()
    frame = av.AudioFrame.from_ndarray(x.astype(np.float32)[None], format="flt", layout="mono")
    frame.sample_rate, frame.pts = rate, 0
    source.push(frame), source.push(None)
    out, loudness = [], None
    while True:
        try:
            frame = sink.pull()
        except av.error.EOFError:
            return np.concatenate(out, 1)[0], loudness
        out.append(frame.to_ndarray())
        loudness = frame.metadata.get("lavfi.r128.I", loudness)

print("libavfilter", av.library_versions["libavfilter"])
tone = np.sin(2 * np.pi * 997 * np.arange(48000) / 48000)
loudness = float(filtered(tone[: int(0.39 * 48000)], "ebur128", "metadata=1")[1])
print("ebur128 of 0.39 s at full scale:", loudness, "LUFS")
assert loudness == -70.0
for seconds, low, high in ((0.39, 24, 25), (0.5, 12.5, 13.5)):
    out = filtered(0.05 * tone[: int(seconds * 48000)], "loudnorm", "I=-16:TP=-1.5:LRA=11")[0]
    gain = 20 * np.log10(np.abs(out).max() / 0.05)
    print(f"loudnorm of {seconds} s with peak 0.05: peak {np.abs(out).max():.3f}, gain {gain:.1f} dB")
    assert low < gain < high, "short clips are raised in another way now"
EOF
