#!/bin/sh
# samplerate 0.2.4 (libsamplerate): the linear and zero_order_hold converters, which are to be quick and exact at
# ratio 1.
# Expected: at ratio 1.0 the input, and at ratio 2 linear puts each input sample at twice its index.
# Seen: both are one input sample late: 1, 2, 3, 4 becomes 1, 1, 2, 3 at ratio 1.0, and at ratio 2 the ramp stands
# still for two samples; the last input sample is never reached. The sinc converters are not late.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --disable-pip-version-check samplerate==0.2.4 numpy==2.4.6
"$dir/venv/bin/python" - "$dir" <<'EOF'
import numpy as np
import samplerate

ramp = np.arange(1, 101, dtype=np.float32)
for name in ("linear", "zero_order_hold"):
    same, double = samplerate.resample(ramp, 1.0, name), samplerate.resample(ramp, 2.0, name)
    print(name, "ratio 1:", same[:4].tolist(), "..", same[-1], "; ratio 2:", double[:6].tolist())
    assert same[:4].tolist() == [1, 1, 2, 3] and same[-1] == 99 and double[2] == 1, "it is no longer late"
click = np.zeros(4800, np.float32)
click[2400] = 1
names = ("linear", "sinc_best", "sinc_fastest")
peaks = {name: int(np.argmax(samplerate.resample(click, 2.0, name))) for name in names}
print("a click at 2400, ratio 2, comes at", peaks)
assert peaks == {"linear": 4802, "sinc_best": 4800, "sinc_fastest": 4800}
EOF
