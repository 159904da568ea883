"""Sentences in each language, and those that are held out: new combinations of the same words."""

from english import English
from grammar import normalize
from portuguese import Portuguese

# By espeak's names. The two kinds of Portuguese say the same sentences, each in its own way.
MAKERS = {"pt-br": Portuguese, "pt": Portuguese, "en-us": English}
QUICKSTART = "Olá! Esta é a minha voz, clonada a partir de alguns segundos de fala."


def held_out(language, count):
    """Sentences that training never sees: those of a seed of its own, and the quickstart's."""
    maker, kept = MAKERS[language](777), [QUICKSTART] if MAKERS[language] is Portuguese else []
    while len(kept) < count:
        text = maker.sentence(grammar_only=True)
        if text not in kept and 4 <= len(normalize(text)) <= 10:
            kept.append(text)
    return kept


if __name__ == "__main__":
    for name, kind in MAKERS.items():
        print(f"-- {name}: {len(kind.WORDS)} words")
        print("\n".join(held_out(name, 12)), "\n--")
        maker = kind(1)
        print("\n".join(maker.sentence() for _ in range(12)))
