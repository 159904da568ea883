#!/bin/sh
# librosa 0.11.0, yin: the pitch of silence.
# Expected: no pitch: NaN, 0, or fmin.
# Seen: fmax, in every frame, of digital silence and of a constant, as if a voice sang its highest note there; pyin
# answers NaN.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --disable-pip-version-check librosa==0.11.0 numba==0.68.1 numpy==2.4.6
"$dir/venv/bin/python" - "$dir" <<'EOF'
import librosa
import numpy as np

for name, x in (("silence", np.zeros(8000)), ("a constant", np.full(8000, 0.1))):
    pitch = librosa.yin(x, fmin=60, fmax=400, sr=16000)
    print("yin of", name, np.unique(pitch).tolist())
    assert np.unique(pitch).tolist() == [400.0], "silence has another pitch now"
pitch = librosa.pyin(np.zeros(8000), fmin=60, fmax=400, sr=16000)[0]
print("pyin of silence", np.unique(pitch).tolist())
assert np.isnan(pitch).all()
EOF
