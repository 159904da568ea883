#!/bin/sh
# soundfile 0.14.0 (libsndfile 1.2.2 of its wheel): writing one second of a 200 Hz sine as Ogg Opus at 48 kHz.
# Expected: a coded sine to the end, as libopus makes it elsewhere (PyAV 18.1.0 below, both files read by the same
# reader).
# Seen: the length is right, but the last two or three milliseconds are wrong by up to twice the amplitude of the sine,
# as if the encoder's look-ahead were not fed to the end. With PyAV the error stays near 0.01 all along.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --disable-pip-version-check soundfile==0.14.0 av==18.1.0 numpy==2.4.6
"$dir/venv/bin/python" - "$dir" <<'EOF'
import io
import av
import numpy as np
import soundfile as sf

n = 48000
x = (0.5 * np.sin(2 * np.pi * 200 * np.arange(n) / n)).astype(np.float32)
ours = io.BytesIO()
sf.write(ours, x, n, format="OGG", subtype="OPUS")
other = io.BytesIO()
container = av.open(other, "w", format="ogg")
stream = container.add_stream("libopus", rate=n, layout="mono")
frame = av.AudioFrame.from_ndarray(x[None], format="flt", layout="mono")
frame.sample_rate, frame.pts = n, 0
for packet in stream.encode(frame) + stream.encode(None):
    container.mux(packet)
container.close()

def errors(file):
    y = sf.read(io.BytesIO(file.getvalue()))[0]
    assert len(y) == n
    wrong = np.abs(y - x)
    return wrong[2400:-480].max(), wrong[-480:].max()

for name, file, tail in (("soundfile", ours, (0.9, 1.2)), ("PyAV", other, (0, 0.05))):
    middle, end = errors(file)
    print(f"{name}: largest error {middle:.3f}, in the last 10 ms {end:.3f}")
    assert middle < 0.05 and tail[0] <= end <= tail[1], "the tail is coded in another way now"
EOF
