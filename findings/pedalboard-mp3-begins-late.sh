#!/bin/sh
# pedalboard 0.9.26: reading an MP3 that holds LAME's tag, of one second with a click at sample 10000.
# Expected: 44100 samples, the click in its place, as libsndfile (soundfile 0.14.0) gives them from the same file.
# Seen: 46080 samples, and the click comes 1105 samples (25 ms) late: the encoder's and the decoder's delay and the
# padding stay.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --disable-pip-version-check pedalboard==0.9.26 soundfile==0.14.0 numpy==2.4.6
"$dir/venv/bin/python" - "$dir" <<'EOF'
import sys
import numpy as np
import soundfile as sf
from pedalboard.io import AudioFile

path = sys.argv[1] + "/a.mp3"
x = np.zeros(44100, np.float32)
x[10000:10200] = 0.8 * np.sin(np.arange(200) * 0.3)
sf.write(path, x, 44100, format="MP3")
with AudioFile(path) as file:
    heard = file.read(file.frames)[0]
right = sf.read(path, dtype="float32")[0]
late = int(np.argmax(np.correlate(heard[9000:13000], x[10000:10200], "valid"))) + 9000 - 10000
place = int(np.argmax(np.correlate(right[9000:13000], x[10000:10200], "valid"))) + 9000 - 10000
print("pedalboard", len(heard), "samples,", late, "late; soundfile", len(right), "samples,", place, "late")
assert len(right) == 44100 and place == 0
assert len(heard) == 46080 and late == 1105, "the delay is handled in another way now"
EOF
