#!/bin/sh
# lameenc 1.9.0 (LAME): encoding about a second of 24 kHz to MP3, decoded by libsndfile, ffmpeg (PyAV) and miniaudio.
# Expected: LAME's own tag in the first frame, from which players know the encoder's delay and the true length.
# Seen: there is no such tag, so every decoder gives 25344 instead of 24077 samples, and the sound begins about 1100
# samples (46 ms) late. The same LAME through soundfile writes the tag, and 24077 samples come back.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --disable-pip-version-check \
    lameenc==1.9.0 soundfile==0.14.0 av==18.1.0 miniaudio==1.71 numpy==2.4.6
"$dir/venv/bin/python" - "$dir" <<'EOF'
import io
import av
import lameenc
import miniaudio
import numpy as np
import soundfile as sf

x = 0.5 * np.sin(2 * np.pi * 200 * np.arange(24077) / 24000)
encoder = lameenc.Encoder()
encoder.set_bit_rate(64), encoder.set_in_sample_rate(24000), encoder.set_channels(1)
mp3 = bytes(encoder.encode((x * 32767).astype(np.int16).tobytes())) + bytes(encoder.flush())
tagged = io.BytesIO()
sf.write(tagged, x, 24000, format="MP3")

def lengths(data):
    return (len(sf.read(io.BytesIO(data))[0]), sum(f.samples for f in av.open(io.BytesIO(data)).decode(audio=0)),
            len(miniaudio.decode(data, nchannels=1, sample_rate=24000).samples))

begins = int(np.argmax(np.abs(sf.read(io.BytesIO(mp3))[0]) > 0.1))
print("lameenc:", lengths(mp3), "begins at", begins, "; tag:", b"Xing" in mp3 or b"Info" in mp3)
print("soundfile:", lengths(tagged.getvalue()))
assert lengths(mp3) == (25344,) * 3 and 1050 < begins < 1150, "lameenc writes the length now"
assert lengths(tagged.getvalue()) == (24077,) * 3
EOF
