#!/bin/sh
# soundfile 0.14.0 (libsndfile 1.2.2): writing the HTK format of speech recognition and reading its sample rate back.
# Expected: the rate that was written.
# Seen: HTK stores the time between samples in whole units of 100 ns, and libsndfile rounds it down: 24000 Hz comes
# back as 24038, 48000 as 48076, 44100 as 44247 and 22050 as 22075. 8000 and 16000 Hz, whose times are whole, stay.
# The samples are right.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --disable-pip-version-check soundfile==0.14.0 numpy==2.4.6
"$dir/venv/bin/python" - "$dir" <<'EOF'
import io
import numpy as np
import soundfile as sf

x = np.arange(1000, dtype=np.int16)
for rate, expected in ((8000, 8000), (16000, 16000), (22050, 22075), (24000, 24038), (44100, 44247), (48000, 48076)):
    file = io.BytesIO()
    sf.write(file, x, rate, format="HTK", subtype="PCM_16")
    file.seek(0)
    y, back = sf.read(file, dtype="int16")
    print(rate, "Hz ->", back, "Hz")
    assert np.array_equal(x, y) and back == expected, "the rate is stored in another way now"
EOF
