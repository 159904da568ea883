#!/bin/sh
# transformers 4.57.1: BertTokenizer (slow) and BertTokenizerFast, cased, on a letter with a loose accent (a + U+0301), as
# macOS and PDF files write it.
# Expected: the same pieces, as both are said to tokenize alike.
# Seen: the slow one composes the text (NFC) and finds the whole word; the fast one leaves the accent a piece of its own, so
# that models which were trained with the slow one read another text.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --disable-pip-version-check transformers==4.57.1
"$dir/venv/bin/python" - "$dir" <<'EOF'
import sys
from pathlib import Path
from transformers import BertTokenizer, BertTokenizerFast

vocab = Path(sys.argv[1]) / "vocab.txt"
vocab.write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "Ola", "Olá", "##\u0301"]) + "\n", encoding="utf-8")
slow = BertTokenizer(str(vocab), do_lower_case=False).tokenize("Ola\u0301")
fast = BertTokenizerFast(str(vocab), do_lower_case=False).tokenize("Ola\u0301")
print("slow:", ascii(slow), " fast:", ascii(fast))
assert slow == ["Ol\u00e1"] and fast == ["Ola", "##\u0301"], "the pieces changed"
EOF
