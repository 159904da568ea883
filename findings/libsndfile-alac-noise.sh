#!/bin/sh
# soundfile 0.14.0 (libsndfile 1.2.2): loud white noise in two channels as ALAC, Apple's lossless codec, in CAF.
# Expected: lossless; where noise does not compress, the file grows.
# Seen: at 16 bits every sample comes back, at 20 bits none does, with errors as large as the sound, and no error is
# raised; ffmpeg (PyAV 18.1.0) refuses that file. A sine and quieter noise are exact at 20 bits too. FLAC with 24 bits
# is exact.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --disable-pip-version-check soundfile==0.14.0 av==18.1.0 numpy==2.4.6
"$dir/venv/bin/python" - "$dir" <<'EOF'
import io
import av
import numpy as np
import soundfile as sf

def kept(x, bits, subtype, format="CAF"):
    whole = np.round(x * 2.0 ** (bits - 1)).clip(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1).astype(np.int64)
    samples = (whole << (32 - bits)).astype(np.int32)
    file = io.BytesIO()
    sf.write(file, samples, 24000, format=format, subtype=subtype)
    back = sf.read(io.BytesIO(file.getvalue()), dtype="int32")[0]
    return float((back == samples).mean()), file

noise = np.random.default_rng(0).standard_normal((24000, 2))
loud, file = kept(0.2 * noise, 20, "ALAC_20")
seen = {"16 bits": kept(0.2 * noise, 16, "ALAC_16")[0], "20 bits": loud,
        "20 bits, quiet": kept(0.01 * noise, 20, "ALAC_20")[0], "FLAC, 24 bits": kept(0.2 * noise, 24, "PCM_24", "FLAC")[0]}
print("part of the samples that comes back:", seen)
assert seen == {"16 bits": 1, "20 bits": loud, "20 bits, quiet": 1, "FLAC, 24 bits": 1}
assert loud < 0.01, "loud noise is lossless now"
try:
    list(av.open(io.BytesIO(file.getvalue())).decode(audio=0))
    raise SystemExit("ffmpeg reads the file now")
except av.error.InvalidDataError as error:
    print("ffmpeg:", error)
EOF
