#!/bin/sh
# librosa 0.11.0: mu_compress to 256 steps and mu_expand back, of full-scale samples.
# Expected: 1.0 and -1.0 come back, or at least alike.
# Seen: -1.0 comes back exactly, 1.0 as 0.957: the codes are -128..127 and are divided by 128 on the way back. 0 and
# 0.5 have no such trouble (-0.5 and 0.5 become -0.498 and 0.498).
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --disable-pip-version-check librosa==0.11.0 numba==0.68.1 numpy==2.4.6
"$dir/venv/bin/python" - "$dir" <<'EOF'
import librosa
import numpy as np

x = np.array([-1.0, 0.0, 1.0])
codes = librosa.mu_compress(x, mu=255)
back = librosa.mu_expand(codes, mu=255)
print(x.tolist(), "-> codes", codes.tolist(), "->", back.round(4).tolist())
assert codes.tolist() == [-128, 0, 127] and back[:2].tolist() == [-1, 0] and abs(back[2] - 0.957) < 0.001, "changed"
half = librosa.mu_expand(librosa.mu_compress(np.array([-0.5, 0.5]), mu=255), mu=255)
print("-0.5, 0.5 ->", half.round(4).tolist())
assert abs(half[0] + half[1]) < 1e-9
EOF
