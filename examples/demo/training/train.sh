#!/bin/sh
# Makes the demo models from nothing: speech of espeak-ng, the nets, the files of examples/demo/model, and the figures.
#
#   pip install -r examples/demo/training/requirements.txt    (and espeak-ng: the program's library, libespeak-ng.so)
#   sh examples/demo/training/train.sh [WORK_FOLDER]
#
# Every net keeps a checkpoint in the work folder every two minutes and goes on from it, so that a stopped run is
# continued by running this again. A dozen hours of a core in all; a GPU that PyTorch finds is used. Set MINUTES=n to give
# each net that long at most.
set -eu
cd "$(dirname "$0")/../../.."
work=${1:-target/demo-training}
here=examples/demo/training
minutes=${MINUTES:+--minutes $MINUTES}

python $here/data.py "$work"
[ -f "$work/speech.latents.npy" ] || python $here/analysis.py "$work"
[ -f "$work/codebooks.pt" ] || python $here/codec.py "$work"
# shellcheck disable=SC2086
for net in encoder decoder hubert; do
  python $here/$net.py "$work" $minutes
done
python $here/encode.py "$work"
# shellcheck disable=SC2086
for net in semantic coarse fine recogniser; do
  python $here/$net.py "$work" $minutes
done
# Once more, now with what the fine GPT guesses.
# shellcheck disable=SC2086
python $here/decoder.py "$work" --steps 44000 $minutes
python $here/export.py "$work" examples/demo/model
cargo build --release --bin barkclone
python $here/check.py examples/demo/model
python examples/demo/evaluate.py --languages pt-br pt en-us
