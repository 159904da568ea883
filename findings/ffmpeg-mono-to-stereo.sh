#!/bin/sh
# ffmpeg's libswresample (as in PyAV 18.1.0): one channel to two.
# Expected: both channels are copies of the one.
# Seen: both are 0.707 of it, 3 dB quieter, in float and in 16 bits. Back to one channel in float it has its level
# again, in 16 bits it stays 3 dB down, so every round trip of 16-bit samples loses 3 dB.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --disable-pip-version-check av==18.1.0 numpy==2.4.6
"$dir/venv/bin/python" - "$dir" <<'EOF'
import av
import numpy as np

def convert(x, format, layouts):
    frame = av.AudioFrame.from_ndarray(x, format=format, layout=layouts[0])
    frame.sample_rate = 24000
    resampler = av.AudioResampler(format=format, layout=layouts[1], rate=24000)
    frames = resampler.resample(frame) + resampler.resample(None)
    return np.concatenate([f.to_ndarray() for f in frames], 1)

print("libswresample", av.library_versions["libswresample"])
there, back = ("mono", "stereo"), ("stereo", "mono")
for format, one, two, again in (("flt", np.float32(1), 0.7071, 1.0), ("s16", np.int16(10000), 7071, 7071)):
    stereo = convert(np.full((1, 8), one), format, there)
    mono = convert(stereo, format, back)
    print(format, one, "-> stereo", stereo[0, :2], "-> mono", mono[0, 0])
    assert np.allclose(stereo, two, rtol=1e-3) and np.allclose(mono, again, rtol=1e-3), "the gain changed"
EOF
