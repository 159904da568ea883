#!/bin/sh
# Makes the recordings of tests/audio.rs from examples/reference.wav: `sh tests/golden/formats.sh`, with ffmpeg 5 or later.
# Lossless ones hold its seconds 2.6 to 2.8, lossy ones 2.5 to 3.7.
set -eu
cd "$(dirname "$0")"
mkdir -p formats
make() { ffmpeg -hide_banner -loglevel error -y -fflags +bitexact "$@"; }
short="-ss 2.6 -t 0.2 -i ../../examples/reference.wav -flags +bitexact -map_metadata -1"
long="-ss 2.5 -t 1.2 -i ../../examples/reference.wav -flags +bitexact -map_metadata -1"
# shellcheck disable=SC2086
{
make $short formats/lossless.flac
make $short -c:a alac formats/lossless.m4a
make $short formats/lossless.aiff
make $short formats/lossless.caf
make $long -b:a 32k formats/lossy.mp3
make $long -c:a libvorbis -q:a 0 formats/lossy.ogg
make $long -c:a libopus -b:a 16k formats/lossy.opus
make $long -c:a libopus -b:a 32k formats/lossy.webm
make $long -c:a aac -b:a 32k formats/lossy.m4a
make $long -c:a aac -b:a 32k formats/lossy.aac
make -f lavfi -i "color=s=16x16:r=1:d=2" $long -c:v mpeg4 -c:a aac -b:a 32k formats/lossy.mp4
make $long -c:a pcm_mulaw -ar 8000 formats/lossy.wav
make -f lavfi -t 1.2 -i anullsrc=r=16000:cl=mono $long -map 0 -map 1 -c:a libopus -b:a 16k formats/tracks.mkv
make $long -c:a ac3 -ar 32000 -b:a 32k formats/dolby.mkv
make -f lavfi -i "color=s=16x16:r=1:d=2" -flags +bitexact -c:v mpeg4 formats/soundless.mp4
}
