#!/bin/sh
# soxr 1.1.0 (python-soxr): resampling 16-bit integers.
# Expected: the result of the same sound as floats, rounded; silence stays silence.
# Seen: integers are dithered: digital silence comes out as a noise of -1, 0 and 1 (a quarter of the samples are not
# 0), a constant 100 as 99 to 101. The noise is the same at every call. Floats have none of it, and 32-bit integers
# neither.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --disable-pip-version-check soxr==1.1.0 numpy==2.4.6
"$dir/venv/bin/python" - "$dir" <<'EOF'
import numpy as np
import soxr

silence = np.zeros(48000, np.int16)
y = soxr.resample(silence, 48000, 16000)
values, counts = np.unique(y, return_counts=True)
print("int16 silence ->", dict(zip(values.tolist(), counts.tolist())))
assert values.tolist() == [-1, 0, 1] and 0.2 < np.mean(y != 0) < 0.3, "integers are no longer dithered"
assert np.array_equal(y, soxr.resample(silence, 48000, 16000)), "the noise differs between calls"
constant = soxr.resample(np.full(48000, 100, np.int16), 48000, 16000)[1000:-1000]
print("a constant 100 ->", np.unique(constant).tolist())
assert np.unique(constant).tolist() == [99, 100, 101]
for kind in (np.float32, np.int32):
    assert not soxr.resample(silence.astype(kind), 48000, 16000).any(), f"{kind} is dithered too"
print("float32 and int32 silence -> 0")
EOF
