#!/bin/sh
# Makes tests/golden/recordings, but for the HE-AAC files (recordings.js): small files of many kinds, and beside each, as NAME.flac,
# the mean of the channels that ffmpeg (libopus for Opus) decodes. `sh tests/golden/recordings.sh` with ffmpeg 5.1 and sox.
set -eu
cd "$(dirname "$0")/recordings"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
ffmpeg() { command ffmpeg -nostdin -hide_banner -loglevel error -y -fflags +bitexact "$@"; }
ffmpeg -ss 2.6 -t 0.25 -i ../../../examples/reference.wav -ar 16000 "$work/s.wav"
make() { name=$1; shift; ffmpeg -i "$work/s.wav" -flags +bitexact "$@" "$name"; }
make rf64.wav -c:a pcm_s24le -rf64 always
make float.w64 -c:a pcm_f32le
make alaw.wav -c:a pcm_alaw -ar 8000
make wide.mov -c:a pcm_s24be -ar 8000
make float.mov -c:a pcm_f32be -ar 8000
make double.wav -c:a pcm_f64le -ac 2
make ms.wav -c:a adpcm_ms
make ima.wav -c:a adpcm_ima_wav -ac 2
make gsm.wav -c:a libgsm_ms -ar 8000
make mp3.wav -c:a libmp3lame -b:a 32k
make mp2.wav -c:a mp2 -b:a 64k
make alaw.caf -c:a pcm_alaw -ar 8000
make opus.caf -c:a libopus -b:a 24k -ar 48000
make opus.mkv -c:a libopus -b:a 24k -ar 48000 -ac 2
make mp3.mkv -c:a libmp3lame -b:a 32k
make end.mkv -t 0.07 -c:a libmp3lame -b:a 32k -ar 22050
make mp3.mp4 -c:a libmp3lame -b:a 32k
make surround.m4a -c:a aac -ac 6 -b:a 96k
make surround.aac -c:a aac -ac 6 -b:a 96k
make surround.opus -c:a libopus -ac 6 -b:a 96k -ar 48000
make plain.m4a -c:a aac -b:a 32k
make plain.mp3 -c:a libmp3lame -b:a 32k -write_xing 0 -id3v2_version 0
make fragments.mp4 -c:a aac -b:a 32k -movflags frag_keyframe+empty_moov
make "$work/long.m4a" -c:a aac -b:a 32k
ffmpeg -ss 0.1 -i "$work/long.m4a" -t 0.1 -c copy -flags +bitexact cut.m4a
make "$work/stereo.mp3" -c:a libmp3lame -b:a 32k -ac 2
cat plain.mp3 "$work/stereo.mp3" > joined.mp3
dd if="$work/stereo.mp3" of=cut-start.mp3 bs=1 skip=400 status=none
sox -D "$work/s.wav" "$work/plain.wav"
{ head -c 40 "$work/plain.wav"; printf '\0\0\0\0'; tail -c +45 "$work/plain.wav"; } > size-0.wav
sox -D "$work/s.wav" -e ms-adpcm sox-ms.wav
sox -D "$work/s.wav" -e gsm -r 8000 sox-gsm.wav
sox -D "$work/s.wav" -b 24 sox.w64
for file in *; do
    case $file in
    *.flac) continue ;;
    opus.* | *.opus) ffmpeg -c:a libopus -i "$file" -f f32le -c:a pcm_f32le "$work/raw" ;;
    he*.m4a)
        # Its packets as ADTS, for ffmpeg 5.1 misplaces them in MP4; what the edit list hides is cut off afterwards.
        case $file in he.m4a) hidden=5058 ;; *) hidden=7106 ;; esac
        ffmpeg -ignore_editlist 1 -i "$file" -c copy -f adts "$work/he.aac"
        ffmpeg -i "$work/he.aac" -f f32le -c:a pcm_f32le -af "atrim=start_sample=$hidden" "$work/raw"
        ;;
    *) ffmpeg -i "$file" -f f32le -c:a pcm_f32le "$work/raw" ;;
    esac
    channels=$(ffprobe -v error -select_streams a:0 -show_entries stream=channels -of csv=p=0 "$file" | tr -d ,)
    rate=$(ffprobe -v error -select_streams a:0 -show_entries stream=sample_rate -of csv=p=0 "$file" | tr -d ,)
    case $file in *opus*) rate=48000 ;; esac
    # sox averages the channels.
    sox -D -t raw -e floating-point -b 32 -r "$rate" -c "$channels" "$work/raw" -b 24 "$file.flac" channels 1
done
