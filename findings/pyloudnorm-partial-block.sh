#!/bin/sh
# pyloudnorm 0.2.0: the integrated loudness of a steady sine whose length is no multiple of 0.1 s.
# Expected: the same figure for every length from 0.4 s on: BS.1770 leaves an incomplete last block out.
# Seen: an incomplete last block is counted as a whole one, so the rest of it counts as silence: 0.45 s give -3.05
# LUFS, 0.46 s give -3.27, 0.50 s give -3.05. In long recordings the effect is small (10.06 s: -3.06).
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --disable-pip-version-check pyloudnorm==0.2.0 scipy==1.17.1 numpy==2.4.6
"$dir/venv/bin/python" - "$dir" <<'EOF'
import numpy as np
import pyloudnorm

rate = 48000
x = np.sin(2 * np.pi * 997 * np.arange(rate * 11) / rate)
meter = pyloudnorm.Meter(rate)
seen = {}
for seconds in (0.40, 0.45, 0.46, 0.48, 0.50, 0.55, 10.06):
    seen[seconds] = float(meter.integrated_loudness(x[: round(rate * seconds)]))
    print(f"{seconds:5.2f} s: {seen[seconds]:.3f} LUFS")
for seconds in (0.40, 0.45, 0.50):
    assert abs(seen[seconds] + 3.05) < 0.01
assert abs(seen[0.46] + 3.274) < 0.01 and abs(seen[0.55] + 3.236) < 0.01, "the last block is handled in another way now"
EOF
