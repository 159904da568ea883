#!/bin/sh
# miniaudio 1.71 (miniaudio.h 0.11.25): decoding a float WAV to 16 bits, as its decode() does by itself.
# Expected: zeros stay zeros, and x becomes round(32768 x) or round(32767 x).
# Seen: floor((x + 1) * 32767.5) - 32768: silence becomes -1 all along, 0.5 becomes 16383 and -0.5 becomes -16385.
# 24-bit and 8-bit silence stay 0.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --disable-pip-version-check miniaudio==1.71 soundfile==0.14.0 numpy==2.4.6
"$dir/venv/bin/python" - "$dir" <<'EOF'
import io
import numpy as np
import miniaudio
import soundfile as sf

def decoded(x, subtype):
    file = io.BytesIO()
    sf.write(file, np.array(x), 24000, format="WAV", subtype=subtype)
    return list(miniaudio.decode(file.getvalue(), nchannels=1, sample_rate=24000).samples)

print("miniaudio.h", miniaudio.lib_version())
for subtype, silence in (("FLOAT", -1), ("PCM_24", 0), ("PCM_U8", 0)):
    samples = decoded([0.0] * 4, subtype)
    print("silence of", subtype, "->", samples)
    assert samples == [silence] * 4, "silence is decoded in another way now"
samples = decoded([0.5, -0.5, 0.25, 1, -1], "FLOAT")
print("0.5, -0.5, 0.25, 1, -1 ->", samples)
assert samples == [16383, -16385, 8191, 32767, -32768]
EOF
