#!/bin/sh
# soundfile 0.14.0 (libsndfile 1.2.2) and ffmpeg (PyAV 18.1.0): one second of ALAC in a CAF file, written by the
# first.
# Expected: both read the 24000 samples that went in.
# Seen: libsndfile reads 24000, ffmpeg 23424: the last block is 576 samples short of full, and ffmpeg takes that many
# off the end once more. The samples that it gives are right. 16-bit PCM in CAF has its full length in both.
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

x = (16000 * np.sin(2 * np.pi * 200 * np.arange(24000) / 24000)).astype(np.int16)
for subtype, expected in (("ALAC_16", 23424), ("PCM_16", 24000)):
    file = io.BytesIO()
    sf.write(file, x, 24000, format="CAF", subtype=subtype)
    own = sf.read(io.BytesIO(file.getvalue()), dtype="int16")[0]
    frames = av.open(io.BytesIO(file.getvalue())).decode(audio=0)
    other = np.concatenate([f.to_ndarray() for f in frames], 1)[0]
    print(f"{subtype}: libsndfile {len(own)} samples, ffmpeg {len(other)}")
    assert np.array_equal(own, x) and np.array_equal(other, x[: len(other)])
    assert len(other) == expected, "the end is cut in another way now"
EOF
