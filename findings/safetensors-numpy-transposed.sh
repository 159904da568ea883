#!/bin/sh
# safetensors 0.8.0 (safetensors.numpy): saving a transposed or Fortran-ordered array.
# Expected: the values are kept (0.7.0 keeps them) or the array is refused.
# Seen: 0.8.0 writes the memory as it lies under the new shape: x.T and np.asfortranarray(x) come back scrambled,
# without an error. np.ascontiguousarray before saving avoids it.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --disable-pip-version-check safetensors==0.8.0 numpy==2.4.6
"$dir/venv/bin/python" - "$dir" <<'EOF'
import subprocess, sys
import numpy as np
from safetensors.numpy import load, save

x = np.arange(6, dtype=np.float32).reshape(2, 3)
back = load(save({"x": x.T}))["x"]
print("0.8.0: saved", x.T.tolist(), "loaded", back.tolist())
assert back.tolist() == x.reshape(3, 2).tolist(), "a transposed array is saved in another way now"
fortran = load(save({"x": np.asfortranarray(x)}))["x"]
print("0.8.0: Fortran order", x.tolist(), "loaded", fortran.tolist())
assert fortran.tolist() == [[0, 3, 1], [4, 2, 5]]
assert np.array_equal(load(save({"x": np.ascontiguousarray(x.T)}))["x"], x.T)
pip = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
subprocess.check_call(pip + ["safetensors==0.7.0"])
old = """import numpy as np
from safetensors.numpy import load, save
x = np.arange(6, dtype=np.float32).reshape(2, 3)
back = load(save({"x": x.T}))["x"]
print("0.7.0: loaded", back.tolist())
assert np.array_equal(back, x.T), "0.7.0 scrambles too"
"""
subprocess.check_call([sys.executable, "-c", old])
EOF
