#!/bin/sh
# Runs a script beside this one, with its flags, where Resemblyzer 0.1.4 is at hand: ge2e.py compares the voice ear with
# it on the real weights that this package holds, measure.py tells what speak --best-of gains.
# Needs python3 and espeak-ng; some 3 GB of packages go into a folder that is removed.
set -e
script=$1
shift
cd "$(dirname "$0")/../.."
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT
python3 -m venv "$temp/venv"
"$temp/venv/bin/pip" install -q --no-deps resemblyzer==0.1.4
"$temp/venv/bin/pip" install -q torch==2.8.0 librosa==0.10.2.post1 scipy==1.14.1 numpy==2.0.2 webrtcvad-wheels==2.0.14
cargo build --release --bins --example ears
"$temp/venv/bin/python" "examples/ears/$script" "$@"
