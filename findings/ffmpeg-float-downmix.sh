#!/bin/sh
# ffmpeg's libswresample (as in PyAV 18.1.0): two channels to one, and 5.1 to one.
# Expected: the mean of the channels, whatever the sample format.
# Seen: 16-bit samples are averaged (0.5 + 0.5), float samples are not: 0.707 + 0.707, 3 dB louder, and a centred
# voice of full scale comes out at 1.414; 5.1 of ones gives 3.414. Only integer formats are scaled down so that they
# cannot clip.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --disable-pip-version-check av==18.1.0 numpy==2.4.6
"$dir/venv/bin/python" - "$dir" <<'EOF'
import av
import numpy as np

def mixed(x, format, layout):
    frame = av.AudioFrame.from_ndarray(x, format=format, layout=layout)
    frame.sample_rate = 24000
    resampler = av.AudioResampler(format=format, layout="mono", rate=24000)
    frames = resampler.resample(frame) + resampler.resample(None)
    return np.concatenate([f.to_ndarray() for f in frames], 1)[0]

print("libswresample", av.library_versions["libswresample"])
for layout, channels, whole in (("stereo", 2, 1.4142), ("5.1", 6, 3.4142)):
    ones = np.ones((1, channels * 8))
    floats = mixed(ones.astype(np.float32), "flt", layout)
    shorts = mixed((ones * 10000).astype(np.int16), "s16", layout)
    print(layout, "of ones as float ->", floats[0], "; of 10000 as 16-bit ->", shorts[0])
    assert np.allclose(floats, whole, atol=1e-3) and (shorts == 10000).all(), "the downmix changed"
EOF
