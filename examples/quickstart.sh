#!/bin/sh
# Builds barkclone, clones a recorded voice and speaks a sentence with it.
#
#   sh examples/quickstart.sh               offline, in seconds, with the small models of examples/demo: robotic voices,
#                                           for trying and testing
#   sh examples/quickstart.sh --published   with the published models (downloads about 5.3 GB on the first run)
#
# Prints the path of the WAV it wrote.
set -eu
cd "$(dirname "$0")/.."

text="Olá! Esta é a minha voz, clonada a partir de alguns segundos de fala."
demo=examples/demo/model
case "${1-}" in
  "") reference=examples/demo/reference.wav
      clone="--hubert $demo/hubert --quantizer $demo/quantizer.pth --codec $demo/bark"
      speak="--bark $demo/bark" ;;
  --published) reference=examples/reference.wav clone="" speak="" ;;
  *) echo "usage: sh examples/quickstart.sh [--published]" >&2; exit 2 ;;
esac

cargo build --release --bin barkclone >&2
mkdir -p target/quickstart
# Word splitting is wanted: each variable holds several flags.
# shellcheck disable=SC2086
target/release/barkclone clone $reference -o target/quickstart/voice.npz --force $clone >/dev/null
# shellcheck disable=SC2086
target/release/barkclone speak --voice target/quickstart/voice.npz "$text" -o target/quickstart/ola.wav --seed 1 --force $speak
