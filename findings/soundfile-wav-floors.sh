#!/bin/sh
# soundfile 0.14.0 (with libsndfile of its wheel): writing a float array as 16-bit WAV and as 16-bit FLAC.
# Expected: both round to the nearest integer, and the two lossless files hold the same samples.
# Seen: WAV rounds down (0.9 of a step becomes 0, -0.1 becomes -1), so it adds an offset of half a step; FLAC rounds
# to the nearest (ties to even). Of 10,000 random samples about half differ.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --disable-pip-version-check soundfile==0.14.0 numpy==2.4.6
"$dir/venv/bin/python" - "$dir" <<'EOF'
import io
import numpy as np
import soundfile as sf

def through(x, format):
    file = io.BytesIO()
    sf.write(file, x, 24000, format=format, subtype="PCM_16")
    file.seek(0)
    return sf.read(file, dtype="int16")[0]

steps = np.array([0.9, 0.5, 1.5, 2.5, -0.1, -0.5, -1.5, -2.5]) 
wav, flac = through(steps / 32768, "WAV"), through(steps / 32768, "FLAC")
print(sf.__libsndfile_version__)
print("steps", steps.tolist())
print("WAV  ", wav.tolist())
print("FLAC ", flac.tolist())
assert wav.tolist() == np.floor(steps).tolist(), "WAV no longer rounds down"
assert flac.tolist() == np.rint(steps).tolist(), "FLAC no longer rounds to the nearest"
x = np.random.default_rng(0).uniform(-0.9, 0.9, 10000)
wav, flac = through(x, "WAV"), through(x, "FLAC")
offset = np.mean(wav / 32768 - x) * 32768
print("samples that differ:", int((wav != flac).sum()), "of 10000; WAV's mean error", round(offset, 2), "steps")
assert 4500 < (wav != flac).sum() < 5500 and -0.55 < offset < -0.45
EOF
