#!/bin/sh
# gguf 0.19.0, block type Q8_0: blocks of small weights.
# Expected: eight bits relative to the block's largest weight, so an error under half a percent of it at any scale.
# Seen: the scale is a half-precision float whose rounding is not taken into account: a block with the largest weight
# 5e-6 comes back 51 % too large, one with 3e-6 is all zeros, and from about 8.3e6 on all is infinite.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --disable-pip-version-check gguf==0.19.0 numpy==2.4.6
"$dir/venv/bin/python" - "$dir" <<'EOF'
import warnings
import numpy as np
from gguf import GGMLQuantizationType as Type, quants

warnings.simplefilter("ignore")
x = np.linspace(-1, 1, 32, dtype=np.float32).reshape(1, 32)
def largest(scale):
    return float(quants.dequantize(quants.quantize(x * np.float32(scale), Type.Q8_0), Type.Q8_0).max() / scale)

for scale, low, high in ((1, 0.999, 1.001), (5e-6, 1.5, 1.53), (3e-6, 0, 0), (8e6, 0.99, 1.01), (9e6, np.inf, np.inf)):
    ratio = largest(scale)
    print(f"largest weight {scale:g} comes back times {ratio:.4f}")
    assert low <= ratio <= high, "the scale is stored in another way now"
EOF
