#!/bin/sh
# pydub 0.25.1: reading a 24-bit WAV, which pydub widens to 32 bits.
# Expected: each sample times 256.
# Seen: the new low byte repeats the sign: positive samples are times 256, negative ones times 256 plus 255. Digital
# -1 becomes -1 (of 32 bits), and a 24-bit sound and its inverse no longer cancel.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --disable-pip-version-check pydub==0.25.1 soundfile==0.14.0 numpy==2.4.6
"$dir/venv/bin/python" - "$dir" <<'EOF'
import io
import numpy as np
import soundfile as sf
from pydub import AudioSegment

steps = np.array([1, -1, 2, -2, 4194304, -4194304], np.int64)
file = io.BytesIO()
sf.write(file, (steps * 256).astype(np.int32), 24000, format="WAV", subtype="PCM_24")
file.seek(0)
segment = AudioSegment.from_wav(file)
heard = np.array(segment.get_array_of_samples(), np.int64)
print("24-bit samples     ", steps.tolist())
print("pydub's 32-bit ones", heard.tolist())
assert segment.sample_width == 4
assert heard.tolist() == np.where(steps < 0, steps * 256 + 255, steps * 256).tolist(), "the widening changed"
EOF
