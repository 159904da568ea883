#!/bin/sh
# ffmpeg 7.0.2 (static, of imageio-ffmpeg 0.6.0): Opus in MP4 whose track counts in 24000 ticks a second.
# Expected: of a file that ffmpeg wrote itself, the encoder's delay (312 samples at 48 kHz) is cut off, as in WebM.
# Seen: the edit list says 156 ticks, and 156 samples are cut off instead of 312: the sound begins 3.25 ms late. A
# track of 48000 ticks, which the same input at 48 kHz gives, begins where it should.
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

def late(rate, name):
    path = f"{sys.argv[1]}/{rate}{name}"
    source = ["-f", "lavfi", "-i", f"anoisesrc=r={rate}:d=1:a=0.3:seed=7,lowpass=3000", "-ac", "1"]
    subprocess.run(FFMPEG + source + ["-c:a", "libopus", "-b:a", "128k", "-application", "audio", path], check=True)
    decoded = subprocess.run(FFMPEG + ["-c:a", "libopus", "-i", path, "-ar", "48000", "-f", "f32le", "-"], capture_output=True)
    original = subprocess.run(FFMPEG + source + ["-ar", "48000", "-f", "f32le", "-"], capture_output=True)
    decoded, original = (np.frombuffer(run.stdout, "<f4") for run in (decoded, original))
    return int(np.argmax(np.correlate(decoded[:20000], original[4000:16000], "valid"))) - 4000

seen = {(rate, name): late(rate, name) for rate in (24000, 48000) for name in (".webm", ".mp4")}
for (rate, name), samples in seen.items():
    print(f"{rate} Hz{name}: {samples} samples late")
assert abs(seen[24000, ".mp4"] - seen[24000, ".webm"] - 156) <= 2, "it begins elsewhere"
assert abs(seen[48000, ".mp4"] - seen[48000, ".webm"]) <= 2, "48 kHz begins elsewhere"
EOP
