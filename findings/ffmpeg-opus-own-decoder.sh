#!/bin/sh
# ffmpeg 7.0.2 (static, of imageio-ffmpeg 0.6.0): its own Opus decoder, which is the default, against libopus.
# Expected: two decoders of one standard agree to rounding, as RFC 6716 tests them.
# Seen: at speech rates (12 to 24 kbit/s) they differ by 10 to 45 dB under the sound.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --disable-pip-version-check imageio-ffmpeg==0.6.0 numpy==2.3.5
"$dir/venv/bin/python" - "$dir" <<'EOP'
import subprocess
import sys
import imageio_ffmpeg
import numpy as np

FFMPEG = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-v", "error", "-y"]
print("ffmpeg", imageio_ffmpeg.get_ffmpeg_version())
# A buzz whose pitch and loudness move as those of speech do.
SPEECH = "aevalsrc='0.3*(0.6+0.4*sin(11*t))*(mod(t*(140+40*sin(5*t)),1)-0.5)':s=24000:d=3"

def decoded(path, decoder):
    run = subprocess.run(FFMPEG + ["-c:a", decoder, "-i", path, "-f", "f32le", "-"], capture_output=True, check=True)
    return np.frombuffer(run.stdout, "<f4")

worst = 1000
for rate in ("12k", "16k", "24k"):
    path = f"{sys.argv[1]}/{rate}.opus"
    encode = ["-f", "lavfi", "-i", SPEECH, "-c:a", "libopus", "-b:a", rate, "-application", "voip", path]
    subprocess.run(FFMPEG + encode, check=True)
    own, reference = decoded(path, "opus"), decoded(path, "libopus")
    length = min(len(own), len(reference))
    error = own[:length] - reference[:length]
    near = 10 * np.log10((reference[:length] ** 2).sum() / (error ** 2).sum())
    print(f"{rate}: {len(own)} and {len(reference)} samples, {near:.1f} dB")
    worst = min(worst, near)
assert worst < 50, "they agree now"
EOP
