#!/bin/sh
# pystoi 0.4.1: scoring a clip against itself, and against its own shifted copy.
# Expected: identical clips score 1, whatever their length, and the order of the two arguments hardly matters.
# Seen: identical clips under about 0.4 s (30 frames of the intermediate rate) score 1e-05 with a warning; and the
# score is not symmetric: clean against noisy 0.95, noisy against clean 0.67, since frames are dropped where the first
# argument is quiet.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --disable-pip-version-check pystoi==0.4.1 scipy==1.17.1 numpy==2.4.6
"$dir/venv/bin/python" - "$dir" <<'EOF'
import warnings
import numpy as np
from pystoi import stoi

warnings.simplefilter("ignore")
rate = 16000
t = np.arange(rate * 4) / rate
voice = sum(np.sin(2 * np.pi * 150 * k * t) / k for k in range(1, 20)) * (0.5 + 0.5 * np.sin(2 * np.pi * 3 * t)) * 0.1
voice = voice * (np.sin(2 * np.pi * 0.5 * t) > -0.3)
noisy = voice + 0.01 * np.random.default_rng(0).standard_normal(len(t))
scores = {n: float(stoi(voice[:n], voice[:n], rate)) for n in (3000, 5000, 8000)}
print("identical clips:", {f"{n / rate:.2f} s": round(s, 5) for n, s in scores.items()})
assert scores[3000] == scores[5000] == 1e-5 and scores[8000] > 0.999, "short clips are scored in another way now"
there, back = float(stoi(voice, noisy, rate)), float(stoi(noisy, voice, rate))
print("clean, noisy:", round(there, 3), "; noisy, clean:", round(back, 3))
assert 0.93 < there < 0.96 and 0.64 < back < 0.69, "the order of arguments matters in another way now"
EOF
