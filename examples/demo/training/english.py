"""A few English sentences: a small vocabulary, made by templates."""

from grammar import Maker, vocabulary

NOUNS = """man woman boy girl teacher doctor friend brother sister father mother neighbor dog cat bird horse book newspaper
letter car boat train road river house door window table chair bed kitchen garden market school church street city
village country mountain beach tree flower bread cheese apple orange coffee dinner plate glass clock phone computer
program project problem secret song story picture question answer voice language word sentence shirt hat bag key box
light""".split()
ADJECTIVES = """new old small big green black white warm cold long short good strange famous happy sad clean dark quiet fast
slow simple beautiful""".split()
VERBS = """bought sold found lost heard took brought left showed opened closed painted washed broke used wanted likes sees
keeps wants hears finds""".split()
VERBS_ALONE = "sleeps sings dances runs walks works studies travels rests waits worked walked slept arrived".split()
INFINITIVES = "buy sell find hear take bring open close paint wash use learn write read understand make".split()
MODALS = "can must will should wants~to needs~to likes~to".split()
TIMES = "today yesterday now always never again later every~day last~week at~night in~the~morning".split()
PLACES = """in~the~city at~school in~the~garden at~home on~the~street near~the~river on~the~train in~the~kitchen at~the~market
on~the~beach far~from~here""".split()
NAMES = "Mary John Anna Peter Paul Lucas Clara Helen Michael".split()
NUMBERS = "three five six seven nine ten twelve twenty".split()
PLURALS = "books cars friends days years horses cats cups shoes games rooms boats".split()
FIXED = "Hello! Good~morning! Good~evening. Thank~you. Yes, No, Of~course! Please, Perhaps.".split()
SPEECH = """this is my voice|the voice was cloned|this voice speaks English|I speak English slowly|listen to my voice|the model learns
to speak|a few seconds of speech are enough|this is only a test|the machine speaks like a person|I want to hear your
voice|the computer copies the voice of a person""".replace("\n", " ").split("|")
ARTICLES = "a this my your our that every another".split()
EXTRA = "is was very more and but because when he she has someone nobody it we they with without for of".split()


class English(Maker):
    FIXED = FIXED
    LINKS = ["and", "but", "because", "when"]
    WORDS = vocabulary(NOUNS, ADJECTIVES, VERBS, VERBS_ALONE, INFINITIVES, MODALS, TIMES, PLACES, NAMES, NUMBERS, PLURALS,
                       FIXED, SPEECH, ARTICLES, EXTRA)

    def noun_phrase(self):
        """An article, sometimes an adjective, a noun."""
        words = [self.pick(ADJECTIVES)] if self.rng.random() < 0.45 else []
        words.append(self.pick(NOUNS))
        article = "the" if self.rng.random() < 0.4 else self.pick(ARTICLES)
        if article == "a" and words[0][0] in "aeiou":
            article = "an"
        return " ".join([article, *words])

    def subject(self):
        return self.pick(NAMES) if self.rng.random() < 0.25 else self.noun_phrase()

    def clause(self):
        kind = self.rng.randrange(8)
        subject, object_ = self.subject(), self.noun_phrase()
        if kind == 0:
            return f"{subject} {self.pick(VERBS)} {object_}"
        if kind == 1:
            return f"{subject} {self.pick(VERBS)} {object_} {self.pick(PLACES)}"
        if kind == 2:
            return f"{self.pick(TIMES)} {subject} {self.pick(VERBS)} {object_}"
        if kind == 3:
            return f"{subject} {self.pick(VERBS_ALONE)} {self.pick(PLACES)} {self.pick(TIMES)}"
        if kind == 4:
            degree = self.pick(["", "very ", "more "])
            return f"{object_} {self.pick(['is', 'was'])} {degree}{self.pick(ADJECTIVES)} and {self.pick(ADJECTIVES)}"
        if kind == 5:
            return f"{subject} {self.pick(MODALS)} {self.pick(INFINITIVES)} {object_}"
        if kind == 6:
            owner = self.pick(["he", "she", "someone", "nobody", "my father"])
            return f"{owner} has {self.pick(NUMBERS)} {self.pick(PLURALS)} {self.pick(PLACES)}"
        return self.pick(SPEECH)
