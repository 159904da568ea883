#!/bin/sh
# Builds barkclone, clones the voice of examples/reference.wav and speaks a sentence with it.
#
#   sh examples/quickstart.sh               offline, with the built-in `demo` models: the whole pipeline runs, but their
#                                           weights are made by rule, not trained, so what they "say" is noise
#   sh examples/quickstart.sh --published   with the published models (downloads about 5.3 GB on the first run)
#
# Prints the path of the WAV it wrote.
set -eu
cd "$(dirname "$0")/.."

text="Olá! Esta é a minha voz, clonada a partir de alguns segundos de fala."
case "${1-}" in
  "") clone="--hubert demo --quantizer demo --codec demo"
      speak="--bark demo --tokenizer demo --codec demo --max-seconds 4" ;;
  --published) clone="" speak="" ;;
  *) echo "usage: sh examples/quickstart.sh [--published]" >&2; exit 2 ;;
esac

cargo build --release --bin barkclone >&2
mkdir -p target/quickstart
# Word splitting is wanted: each variable holds several flags.
# shellcheck disable=SC2086
target/release/barkclone clone examples/reference.wav -o target/quickstart/voice.npz --force $clone >/dev/null
# shellcheck disable=SC2086
target/release/barkclone speak --voice target/quickstart/voice.npz "$text" -o target/quickstart/ola.wav --force $speak

[ -n "${1-}" ] || echo "The demo models' weights are made by rule: the sound is noise. Try --published for speech." >&2
