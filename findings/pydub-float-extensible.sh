#!/bin/sh
# pydub 0.25.1: reading a 32-bit float WAV whose header is WAVE_FORMAT_EXTENSIBLE.
# Expected: the same sound as from the plain float header, or an error.
# Seen: pydub takes every extensible WAV for integers: the bits of the floats are read as 32-bit integers. A sample of
# 0.25 comes out at 0.488, 0.0625 at 0.480 and 0.5 at 0.492.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --disable-pip-version-check pydub==0.25.1 soundfile==0.14.0 numpy==2.4.6
"$dir/venv/bin/python" - "$dir" <<'EOF'
import io
import numpy as np
import soundfile as sf
from pydub import AudioSegment

x = np.array([0.5, 0.25, 0.0625, -0.5])
file = io.BytesIO()
sf.write(file, x, 24000, format="WAVEX", subtype="FLOAT")
assert np.array_equal(sf.read(io.BytesIO(file.getvalue()))[0], x)
file.seek(0)
segment = AudioSegment.from_wav(file)
heard = np.array(segment.get_array_of_samples()) / 2**31
print("written", x.tolist())
print("pydub  ", heard.round(4).tolist())
bits = x.astype("<f4").view("<i4") / 2**31
assert np.array_equal(heard, bits), "extensible float is read in another way now"
EOF
