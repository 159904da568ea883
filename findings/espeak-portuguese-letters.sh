#!/bin/sh
# espeak-ng as phonemizer 3.4.0 and espeakng-loader 0.2.4 bring it, Brazilian Portuguese: a few everyday writings.
# Expected: "10 reais", "senhor", "senhora", and the word "é" alone as one vowel.
# Seen: "R$ 10" is "real dólar dez", "Sr." is spelled "esse erre", "Sra." is read as "zra", and "é" alone is read by
# its name, "é agudo" (within a sentence it is right). "Dr." is "doutor". A dash between digits is "menos". Write
# these out first.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --disable-pip-version-check phonemizer==3.4.0 espeakng-loader==0.2.4
"$dir/venv/bin/python" - "$dir" <<'EOF'
import logging
import espeakng_loader
from phonemizer import phonemize
from phonemizer.backend.espeak.wrapper import EspeakWrapper

logging.disable()
EspeakWrapper.set_library(espeakng_loader.get_library_path())
EspeakWrapper.set_data_path(espeakng_loader.get_data_path())

def said(text):
    return phonemize(text, language="pt-br", backend="espeak", strip=True)

cases = (("custa R$ 10", "kustæ xeaʊ dolar dɛs"), ("o Sr. Silva", "ʊ ɛsyɛxe siʊvæ"), ("a Sra. Ana", "a zxa ɐ̃næ"),
         ("é", "ɛaɡudʊ"), ("Dr. Silva", "dowtor siʊvæ"), ("9-9", "nɔvy menʊs nɔvy"))
print("espeak-ng", EspeakWrapper().version)
for text, expected in cases:
    print(f"{text!r} -> {said(text)!r}")
    assert said(text) == expected, "this is said in another way now"
assert "aɡudʊ" not in said("é tarde")
EOF
