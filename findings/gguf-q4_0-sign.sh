#!/bin/sh
# gguf 0.19.0, block type Q4_0 (and Q5_0): weights of one block that are 1 and -1.
# Expected: a symmetric grid; both come back with the same error.
# Seen: the weight of the largest magnitude sits on -8 of -8..7, so its opposite (+8) does not exist and comes back an
# eighth smaller: 1, -1 gives 1, -0.875, and -1, 1 gives -1, 0.875. Which of the two suffers depends on which comes
# first. Q8_0 is symmetric.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --disable-pip-version-check gguf==0.19.0 numpy==2.4.6
"$dir/venv/bin/python" - "$dir" <<'EOF'
import numpy as np
from gguf import GGMLQuantizationType as Type, quants

def through(first, second, kind):
    x = np.zeros((1, 32), np.float32)
    x[0, :2] = first, second
    return quants.dequantize(quants.quantize(x, kind), kind)[0, :2].astype(float).round(4).tolist()

for kind, smaller in ((Type.Q4_0, 0.875), (Type.Q5_0, 0.9375), (Type.Q8_0, 0.9999)):
    plus, minus = through(1, -1, kind), through(-1, 1, kind)
    largest = 0.9999 if kind == Type.Q8_0 else 1
    print(kind.name, "1, -1 ->", plus, " -1, 1 ->", minus)
    assert plus == [largest, -smaller] and minus == [-largest, smaller], "the grid changed"
EOF
