#!/bin/sh
# Makes a quantizer from nothing but the small built-in models: the demo Bark speaks, a quantizer is trained on that, and
# both it and the built-in one are judged on sentences and voices that it was not trained on. Then it clones and speaks.
#
#   sh examples/quantizer.sh [HOURS]      half an hour of speech unless told otherwise
#
# BARKCLONE=PROGRAM takes that one and builds nothing; OUT=FOLDER keeps what is made there instead of in target/quantizer.
# Run again, it goes on where it stopped. Prints times, the figures of both, and the path of the WAV it spoke last.
#
# Both are judged on espeak-ng's held-out voices too, from which the built-in one learned (not these voices), where
#   python examples/demo/training/pairs.py target/quantizer/held      (numpy, scipy, espeak-ng)
# wrote them before. The tests of sound on it:
#   QUANTIZER=target/quantizer/mine.pth cargo test --release of_ones_own_clones_and_converts -- --ignored
set -eu
cd "$(dirname "$0")/.."
hours=${1-0.5}
if [ -z "${BARKCLONE-}" ]; then
  cargo build --release --bin barkclone >&2
  BARKCLONE=target/release/barkclone
fi
out=${OUT-target/quantizer}
mkdir -p "$out"

# Sentences of words that the demo Bark knows; the seed decides which.
sentences() {
  awk -v seed="$1" -v count="$2" 'BEGIN {
    srand(seed)
    a = split("a casa|o gato|a menina|o menino|a porta|o carro|a cidade|o livro|a mesa|o rio|a rua|o mar|a noite|o dia", who, "|")
    b = split("tem|quer|pinta|leva|conhece|procura|encontra|guarda", does, "|")
    c = split("uma porta azul|um carro novo|a rua antiga|o livro velho|uma casa branca|o rio grande|a cidade bonita|um gato preto", what, "|")
    d = split("hoje|agora|de manhã|à noite|todos os dias|na cidade|em casa|perto do rio", when, "|")
    for (i = 0; i < count; i++) {
      s = who[int(rand() * a) + 1] " " does[int(rand() * b) + 1] " " what[int(rand() * c) + 1]
      if (rand() < 0.7) s = s " " when[int(rand() * d) + 1]
      if (rand() < 0.4) s = s ", e " who[int(rand() * a) + 1] " " does[int(rand() * b) + 1] " " what[int(rand() * c) + 1]
      print toupper(substr(s, 1, 1)) substr(s, 2) "."
    }
  }'
}

# So many seconds passed since the last time, for what.
last=$(date +%s)
lap() {
  now=$(date +%s)
  echo "$1: $((now - last)) s" >&2
  last=$now
}

sentences 1 4000 > "$out/learn.txt"
sentences 2 200 > "$out/judge.txt"
"$BARKCLONE" quantizer data --demo --lines "$out/learn.txt" -d "$out/learn" --hours "$hours" --seed 1 -q > /dev/null
"$BARKCLONE" quantizer data --demo --lines "$out/judge.txt" -d "$out/judge" --hours 0.05 --seed 2 -q > /dev/null
lap "speech"
"$BARKCLONE" quantizer train "$out/learn" -o "$out/mine.pth" --demo --version 0 --hidden 96 --vocab 249 --epochs 12 \
  --lr 0.003 --language pt --report "$out/train.html" --force > /dev/null
lap "training"
for pairs in "$out/judge" "$out/held"; do
  [ -d "$pairs" ] || continue
  for quantizer in demo "$out/mine.pth"; do
    echo "$quantizer, on speech that it does not know ($pairs):"
    "$BARKCLONE" quantizer eval "$quantizer" "$pairs" --demo -q
  done
done
"$BARKCLONE" clone examples/demo/reference.wav --demo --quantizer "$out/mine.pth" -o "$out/voice.npz" --force -q > /dev/null
"$BARKCLONE" speak --demo --voice "$out/voice.npz" "Olá! Esta é a minha voz, clonada a partir de alguns segundos de fala." \
  -o "$out/ola.wav" --seed 1 --force -q
