#!/bin/sh
# num2words 0.5.14: ordinals of hundreds in Brazilian Portuguese.
# Expected: quadringentésimo, septingentésimo, octingentésimo (VOLP, the official vocabulary).
# Seen: quadrigentésimo, septigentésimo, octigentésimo, which are no words; the other hundreds are right.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --disable-pip-version-check num2words==0.5.14
"$dir/venv/bin/python" - <<'EOF'
from num2words import num2words

seen = [num2words(n, lang="pt_BR", to="ordinal") for n in (400, 700, 800)]
print("400th, 700th, 800th:", seen)
assert seen == ["quadrigentésimo", "septigentésimo", "octigentésimo"], "the ordinals changed"
EOF
