#!/bin/sh
# soxr 1.1.0, samplerate 0.2.4 (libsamplerate, sinc_best), scipy 1.17.1 (resample_poly): how many samples come out.
# Expected: n * to / from, rounded in one way.
# Seen: three ways. soxr rounds, samplerate rounds down, resample_poly rounds up; of 1000 samples at 44.1 kHz there
# are 363, 362 and 363 at 16 kHz, and 333, 333 and 334 of 48 kHz. One sample at 48 kHz becomes 0, 0 and 1, so soxr may
# return nothing.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --disable-pip-version-check soxr==1.1.0 samplerate==0.2.4 scipy==1.17.1 numpy==2.4.6
"$dir/venv/bin/python" - "$dir" <<'EOF'
from math import ceil, floor, gcd
import numpy as np
import samplerate, soxr
from scipy.signal import resample_poly

for source, target in ((44100, 16000), (48000, 16000), (44100, 24000), (24000, 16000)):
    for n in (1, 2, 3, 1000, 44101):
        x = np.ones(n, np.float32)
        by = gcd(source, target)
        seen = (len(soxr.resample(x, source, target)), len(samplerate.resample(x, target / source, "sinc_best")),
                len(resample_poly(x, target // by, source // by)))
        exact = n * target / source
        print(f"{n:6} samples {source} -> {target}: exactly {exact:.2f}; soxr, samplerate, scipy {seen}")
        assert seen == (floor(exact + 0.5), floor(exact), ceil(exact)), "a length is another now"
EOF
