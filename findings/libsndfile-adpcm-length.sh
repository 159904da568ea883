#!/bin/sh
# soundfile 0.14.0 (libsndfile 1.2.2): the length of old telephone formats, written and read back.
# Expected: the number of samples that was written; WAV has a fact chunk for just that.
# Seen: 24077 samples at 24 kHz come back as 24492 (IMA ADPCM), 24432 (MS ADPCM), 24320 (GSM 6.10) and 24120 (G.721)
# in WAV, up to 17 ms more. For the last three libsndfile writes 24077 into the fact chunk, but does not heed it when
# it reads; for IMA it writes 24492. GSM in AIFF keeps its length, IMA in AIFF does not (24128).
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

x = 0.5 * np.sin(2 * np.pi * 200 * np.arange(24077) / 24000)
cases = (("WAV", "IMA_ADPCM", 24492, 24492), ("WAV", "MS_ADPCM", 24432, 24077),
         ("WAV", "GSM610", 24320, 24077), ("WAV", "G721_32", 24120, 24077),
         ("AIFF", "IMA_ADPCM", 24128, None), ("AIFF", "GSM610", 24077, None))
for format, subtype, expected, stored in cases:
    file = io.BytesIO()
    sf.write(file, x, 24000, format=format, subtype=subtype)
    data = file.getvalue()
    length = len(sf.read(io.BytesIO(data))[0])
    at = data.find(b"fact")
    fact = int.from_bytes(data[at + 8 : at + 12], "little") if at >= 0 else None
    print(format, subtype, len(x), "->", length, "; fact chunk says", fact)
    assert length == expected and fact == stored, "the length is another now"
EOF
