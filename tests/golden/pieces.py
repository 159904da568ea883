"""Expected pieces of texts: bark's white-space rule, then transformers' slow BertTokenizer, cased as multilingual BERT is.

    python3 -m venv venv && . venv/bin/activate
    pip install transformers==4.57.1           # torch is not needed
    python tests/golden/pieces.py              # rewrites pieces.json beside this script; a second

The vocabulary is made here of the texts themselves: every character of their composed forms, alone and as the rest of a word,
and some words. So a letter that is composed by one tokenizer and not by the other gives other pieces.
"""

import json
import re
import tempfile
import unicodedata
from pathlib import Path

from transformers import BertTokenizer

HERE = Path(__file__).parent
WORDS = ["Olá", "mundo", "São", "João", "coração", "ação", "##ção", "não", "é", "Ang", "##ström", "laughs", "한국어", "ガ"]
DECOMPOSED = [unicodedata.normalize("NFD", text) for text in (
    "Olá mundo", "São João, coração", "não é ação", "Ångström", "한국어 말", "ガギグゲゴ", "Tiếng Việt", "пойти ёж", "ÀÉÎÕÜ àéîõü Çç", "क़ ऩ",
    "ανάσα ϊ", "às três mães e os pães", "“você” — avô, avó!",
)]
TEXTS = DECOMPOSED + [unicodedata.normalize("NFC", text) for text in DECOMPOSED] + [
    # Composition in odd places
    "Ola\u0301", "Ola \u0301 mundo", "\u0301a", "e\u0301\u0327 e\u0327\u0301", "a\u200b\u0301", "a\u00ad\u0301 co\u00adra\u00ad\u00e7\u00e3o",
    "a\u034f\u0301", "\u212b \u2126 K\u212a", "\uf900\uf901 漢字", "\u1100\u1161\u11a8", "ﬁm ﬂor", "x\u0338 <\u0338 =\u0338",
    # White space, marks and what cannot be seen
    "  Ol\u00e1,\n\t MUNDO\u00a0\u001da\u00e7\u00e3o \u3000", "um\u000cdois\u000btr\u00eas", "um\r\ndois\rtr\u00eas", "\ufeffOl\u00e1\ufeff mundo",
    "zero\u200bwidth zero\u200cwidth zero\u200dwidth", "\u2066Ol\u00e1\u2069 \u200emundo\u200f", "a\u2028b\u2029c\u0085d", "a\u0007b\u007fc",
    "क\u094d\u200dष", "nul\u0000o",
    # Marks of text and words of other scripts
    "[laughs] Ol\u00e1! \u266a l\u00e1 l\u00e1 \u266a", "R$ 1.234,56 (mil); 50% de 2\u00bd a\u2026 \u2014 \u00abfim\u00bb", "今日は良い天気です。散歩に行きましょう", "[MASK] e [UNK] e [x]",
    "a&b <b>c</b> d@e.f http://g.h/i?j=k", "don't l'\u00e9cole d\u2019\u00e1gua", "``a´´ ^~ +=<>|", "\u00ba \u00aa 1\u00ba 2\u00aa m\u00b2",
    # What is not known
    "Ol\u00e1 \U0001f389 mundo", "\U0001f468\u200d\U0001f469\u200d\U0001f467 \u2764\ufe0f", "a" * 100, "a" * 101, "Ol\u00e1 " + "\u00e1" * 100 + " " + "a\u0301" * 101,
]
LEFT_OUT = set("\U0001f389\U0001f468\U0001f469\U0001f467\u2764")


def spaced(text):
    """suno-ai/bark `generation.py`, `_normalize_whitespace`."""
    return re.sub(r"\s+", " ", text).strip()


def vocabulary():
    letters = {c for text in TEXTS for form in ("NFC", "NFD") for c in unicodedata.normalize(form, text)}
    letters = sorted(c for c in letters if not c.isspace() and unicodedata.category(c)[0] != "C" and c not in LEFT_OUT)
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    return list(dict.fromkeys(special + letters + ["##" + c for c in letters] + WORDS))


def main():
    words = vocabulary()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vocab.txt"
        path.write_text("\n".join(words) + "\n", encoding="utf-8")
        slow = BertTokenizer(str(path), do_lower_case=False)
    texts = [{"text": text, "pieces": slow.tokenize(spaced(text))} for text in TEXTS]
    golden = json.dumps({"vocabulary": words, "texts": texts}, ensure_ascii=True, indent=0)
    (HERE / "pieces.json").write_text(golden + "\n")


main()
