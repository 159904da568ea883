#!/bin/sh
# pedalboard 0.9.26: reading a 16-bit WAV and writing it again, unchanged, as 16-bit WAV.
# Expected: the same samples; or at most one small change that later copies keep.
# Seen: reading divides by 32767 (-32768 becomes -1.00003), writing multiplies by 32768 and rounds down, so every
# negative sample loses one step with every copy, for ever: -1 becomes -2, -3, -4. Positive samples stay.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --disable-pip-version-check pedalboard==0.9.26 numpy==2.4.6
"$dir/venv/bin/python" - "$dir" <<'EOF'
import sys
import wave
import numpy as np
from pedalboard.io import AudioFile

path = sys.argv[1] + "/a.wav"
first = np.array([-1000, -3, -2, -1, 0, 1, 2, 3, 1000, 32767, -32768], np.int16)
with wave.open(path, "wb") as file:
    file.setnchannels(1), file.setsampwidth(2), file.setframerate(24000)
    file.writeframes(first.tobytes())
print("copy 0", first.tolist())
for copy in (1, 2, 3):
    with AudioFile(path) as file:
        sound = file.read(file.frames)
    with AudioFile(path, "w", 24000, 1, bit_depth=16) as file:
        file.write(sound)
    with wave.open(path) as file:
        samples = np.frombuffer(file.readframes(100), np.int16)
    print("copy", copy, samples.tolist())
    expected = np.where(first < 0, np.maximum(first.astype(int) - copy, -32768), first)
    assert samples.tolist() == expected.tolist(), "the copies changed in another way"
EOF
