#!/bin/sh
# Builds barkclone, clones a recorded voice and speaks a sentence with it.
#
#   sh examples/quickstart.sh               offline, in seconds, with the small built-in models (--demo): robotic voices, for
#                                           trying and testing
#   sh examples/quickstart.sh --published   with the published models (downloads about 5.3 GB on the first run)
#
# Prints the path of the WAV it wrote.
set -eu
cd "$(dirname "$0")/.."

text="Olá! Esta é a minha voz, clonada a partir de alguns segundos de fala."
case "${1-}" in
  "") reference=examples/demo/reference.wav
      models=--demo ;;
  --published) reference=examples/reference.wav models="" ;;
  *) echo "usage: sh examples/quickstart.sh [--published]" >&2; exit 2 ;;
esac

cargo build --release --bin barkclone >&2
mkdir -p target/quickstart
# Word splitting is wanted: there may be no flag.
# shellcheck disable=SC2086
target/release/barkclone clone $reference -o target/quickstart/voice.npz --force $models >/dev/null
# shellcheck disable=SC2086
target/release/barkclone speak --voice target/quickstart/voice.npz "$text" -o target/quickstart/ola.wav --seed 1 --force $models
