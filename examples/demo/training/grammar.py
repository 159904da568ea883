"""Drawing sentences from a closed vocabulary: what all languages share."""

import random


def normalize(text):
    """Lower case; words alone."""
    kept = "".join(c if c.isalpha() or c in " -" else " " for c in text.lower())
    return kept.replace("-", " ").split()


class Maker:
    """Draws sentences; one seed always draws the same. A language says `FIXED` (openings), `LINKS` (between clauses), `WORDS` (all
    of its words) and `clause`."""

    def __init__(self, seed):
        self.rng = random.Random(seed)

    def pick(self, words):
        return self.rng.choice(words).replace("~", " ")

    def words(self):
        """A string of words without grammar: no neighbour helps to guess."""
        return " ".join(self.pick(self.WORDS) for _ in range(self.rng.randint(3, 7)))

    def sentence(self, grammar_only=False):
        draw = 0.0 if grammar_only else self.rng.random()
        if draw > 0.92:
            return self.pseudo() + "."
        if draw > 0.72:
            return self.words() + "."
        text = self.clause()
        joined = self.rng.random()
        if joined < 0.12:
            text = f"{text} {self.pick(self.LINKS)} {self.clause()}"
        elif joined < 0.2:
            text = f"{text}, {self.clause()}"
        if self.rng.random() < 0.15:
            opening = self.pick(self.FIXED)
            text = f"{opening} {text}"
        text = text[0].upper() + text[1:]
        return text + self.rng.choices([".", "?", "!"], [0.8, 0.1, 0.1])[0]

    def pseudo(self):
        """Words that do not exist, for the rules of spelling; where there are few rules, words that do."""
        return self.words()


def vocabulary(*lists):
    """The words of lists of phrases, in which ~ stands for a space."""
    return sorted({w for words in lists for phrase in words for w in normalize(phrase.replace("~", " "))})
