#!/bin/sh
# librosa 0.11.0 (soxr 1.1.0): resampling one second, 44100 samples, to 24 kHz.
# Expected: 24000 samples.
# Seen: 24001, and the last is a zero that librosa put there: its length is ceil(n * (24000 / 44100)), which the
# rounding of the quotient lifts over the whole number, while soxr gives 24000. So for 40 of the lengths of 1 to 60
# whole seconds; 3 s are right.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --disable-pip-version-check librosa==0.11.0 soxr==1.1.0 numpy==2.4.6 numba==0.68.1
"$dir/venv/bin/python" - "$dir" <<'EOF'
import librosa
import numpy as np
import soxr

for seconds, extra in ((1, 1), (2, 1), (3, 0), (5, 1)):
    x = np.ones(44100 * seconds, np.float32)
    y = librosa.resample(x, orig_sr=44100, target_sr=24000)
    plain = soxr.resample(x, 44100, 24000)
    print(seconds, "s: librosa", len(y), "samples, the last", y[-1], "; soxr", len(plain))
    assert len(plain) == 24000 * seconds and len(y) == len(plain) + extra, "the length is another now"
    assert not extra or y[-1] == 0
EOF
