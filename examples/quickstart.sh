#!/bin/sh
# Builds barkclone, clones a recorded voice and speaks a sentence with it.
#
#   sh examples/quickstart.sh               offline, in seconds, with the small built-in models (--demo): robotic voices, for
#                                           trying and testing
#   sh examples/quickstart.sh --published   with the published models (downloads about 5.3 GB on the first run)
#
# Further flags go to both commands (--registry FILE, --quiet...). BARKCLONE=PROGRAM takes that one and builds nothing;
# OUT=FOLDER keeps what is made there instead of in target/quickstart. Prints the path of the WAV it wrote.
set -eu
cd "$(dirname "$0")/.."

text="Olá! Esta é a minha voz, clonada a partir de alguns segundos de fala."
case "${1-}" in
  "") reference=examples/demo/reference.wav
      set -- --demo ;;
  --published) reference=examples/reference.wav
      shift ;;
  *) echo "usage: sh examples/quickstart.sh [--published [FLAG...]]" >&2; exit 2 ;;
esac

if [ -z "${BARKCLONE-}" ]; then
  cargo build --release --bin barkclone >&2
  BARKCLONE=target/release/barkclone
fi
out=${OUT-target/quickstart}
mkdir -p "$out"
"$BARKCLONE" clone "$reference" -o "$out/voice.npz" --force "$@" >/dev/null
"$BARKCLONE" speak --voice "$out/voice.npz" "$text" -o "$out/ola.wav" --seed 1 --force "$@"
