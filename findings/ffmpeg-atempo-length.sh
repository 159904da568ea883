#!/bin/sh
# ffmpeg's atempo filter (as in PyAV 18.1.0): the length of what comes out.
# Expected: the input's length divided by the tempo, and at tempo 1.0 the input.
# Seen: a clip of 1000 samples at 48 kHz (21 ms, less than one window) gives nothing at all, at tempo 1.0 too; a
# second of a 997 Hz sine at 1.0 loses 48 samples, at 0.5 it is 20 ms too short and at 2.0 9 ms too long.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --disable-pip-version-check av==18.1.0 numpy==2.4.6
"$dir/venv/bin/python" - "$dir" <<'EOF'
import av
import numpy as np

def atempo(x, tempo, rate=48000):
    graph = av.filter.Graph()
    source = graph.add_abuffer(sample_rate=rate, format="flt", layout="mono", time_base=f"1/{rate}")
    middle, sink = graph.add("atempo", str(tempo)), graph.add("abuffersink")
    source.link_to(middle), middle.link_to(sink), graph.configure()
    frame = av.AudioFrame.from_ndarray(x.astype(np.float32)[None], format="flt", layout="mono")
    frame.sample_rate, frame.pts = rate, 0
    source.push(frame), source.push(None)
    length = 0
    while True:
        try:
            length += sink.pull().samples
        except av.error.EOFError:
            return length

print("libavfilter", av.library_versions["libavfilter"])
tone = 0.05 * np.sin(2 * np.pi * 997 * np.arange(48000) / 48000)
seen = {(n, tempo): atempo(tone[:n], tempo) for n in (1000, 48000) for tempo in (0.5, 1.0, 2.0)}
for (n, tempo), length in seen.items():
    print(f"{n} samples at tempo {tempo}: {length} samples, expected {round(n / tempo)}")
assert seen[1000, 1.0] == 0, "short clips are kept now"
assert seen[48000, 1.0] != 48000 and seen[48000, 0.5] < 95500 and seen[48000, 2.0] > 24300, "the length is another now"
EOF
