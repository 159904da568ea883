#!/bin/sh
# pedalboard 0.9.26: seeking in an MP3 of two seconds at 48 kHz.
# Expected: after seek(n) the samples that a full read has from n on; or something near, as MP3 has no index.
# Seen: near the beginning (5000) they are exact; from 20000 on they are those of n + 2304, two frames (48 ms) later,
# while tell() says n. Ogg Vorbis and FLAC are exact everywhere, and so is libsndfile on the same MP3.
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

noise = np.random.default_rng(0).standard_normal(96000)
x = 0.2 * np.convolve(noise, np.hanning(32) / 16, "same")
for extension, format, beyond in (("mp3", "MP3", 2304), ("ogg", "OGG", 0), ("flac", "FLAC", 0)):
    path = f"{sys.argv[1]}/a.{extension}"
    sf.write(path, x, 48000, format=format)
    right = sf.read(path)[0]
    with AudioFile(path) as file:
        whole = file.read(file.frames)[0]
        for start in (5000, 20000, 60000):
            file.seek(start)
            told, part = file.tell(), file.read(6000)[0]
            found = int(np.argmax(np.correlate(whole, part[2000:4000], "valid"))) - 2000
            print(f"{extension}: seek({start}), tell() {told}, samples of {found}")
            assert found - start == (beyond if start > 5000 else 0), "seeking lands elsewhere now"
            assert told == start
            assert np.allclose(sf.read(path, start=start, frames=6000)[0], right[start : start + 6000], atol=1e-6)
EOF
