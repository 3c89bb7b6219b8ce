"""Sample v1, the reviews: made-up movie reviews in which word order decides part of the labels.

These are not the lecture's data. Each review is an opinion among one to three sentences of neutral chat, and
the opinion has one of three kinds (SHARES says how many have which):

    plain       "The acting was superb and the music was touching."
                Words of one sentiment only: any bag of words knows.
    negation    "This film was not dull but rather superb overall."
                One word of each sentiment; the one after `not` is denied.
    contrast    "At first I found the whole thing dull from one scene to another, but in the end I found the
                whole thing superb from one scene to another."
                One word of each sentiment; the final judgement counts, even where it comes first ("In the
                end ... superb ..., although at first ... dull ..." is positive too).

Negation and contrast reviews have a twin: the two sentiment words trade places and nothing else changes.
Twins hold the same words the same number of times (with or without case and punctuation) and have opposite
labels.

The ceilings, exactly. NOISE of the labels are flipped, so that whoever reads perfectly scores `accuracy`:

    accuracy              = 1 - NOISE                                              = 0.960
    bigram_accuracy       = (plain + negation) (1 - NOISE) + contrast / 2          = 0.822
    bag_of_words_accuracy = plain (1 - NOISE) + (negation + contrast) / 2          = 0.730

A function of the bag of words gives twins the same answer, so it is right about one of the two; plain
reviews it can tell from the others (one sentiment only) and solve. In a negation review the two words `not
X` give the label away. In a contrast review both clauses begin with the same five words and end with the
same five, so that all n-grams up to n = 6 that hold a sentiment word lie inside its clause: trading the
words leaves the bag of 2- to 6-grams as it was, and `bigram_accuracy` is the ceiling for each of these. Only
a 7-gram ("end I found the whole thing dull", "dull from one scene to another but") reaches from the word to
what says whether it counts; a model of these could know all, but would have to learn hundreds of them from
the 600 contrasts of the training part.

In the test part each opinion appears with both signs (so twins come in pairs, and pairs are flipped
together), and kinds and flips are quotas, not draws: the three numbers hold for this very test part, not
just on average. In the training part each appears with one sign, so that no validation split meets the twin
of a training review.

Measured on the test part (10 epochs as in the experiments, Flax layers): multi-hot Dense 16 0.729,
bidirectional LSTM 32 0.938, 0.948, 0.954 (three seeds), masked 0.942. There are 182 different words, and 22 to
55 words in a review.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

SHARES = {"plain": 0.5, "negation": 0.2, "contrast": 0.3}
NOISE = 0.04  # share of flipped labels, within each kind and sign

NEGATIVE = (
    "boring", "clumsy", "dismal", "dreadful", "dull",
    "feeble", "hollow", "lifeless", "shallow", "tedious",
)  # fmt: skip
POSITIVE = (
    "brilliant", "charming", "clever", "delightful", "gripping",
    "moving", "splendid", "superb", "touching", "wonderful",
)  # fmt: skip

PLAIN = (
    "The {aspect} was {a}.",
    "The {aspect} was {a} and the music was {b}.",
    "What a {a} {film}, with {b} {aspect}!",
    "I call this {film} {a}; even the {aspect} was {b}.",
)
NEGATION = (  # {yes} is meant, {no} is denied; no word stands between `not` and {no}
    "This {film} was not {no} but rather {yes} overall.",
    "The {aspect} turned out not {no} but {yes} all the same.",
    "I call this {film} {yes} and not {no} at all.",
    "The {aspect} struck me as {yes} and certainly not {no} like they say.",
)
CONTRAST = (  # {yes} counts, {no} does not; {opening} and {closing} have five words each
    "{First} {opening} {no} {closing}, but {final} {opening} {yes} {closing}.",
    "{First} {opening} {no} {closing}, yet {final} {opening} {yes} {closing}.",
    "{Final} {opening} {yes} {closing}, although {first} {opening} {no} {closing}.",
    "{Final} {opening} {yes} {closing}, even if {first} {opening} {no} {closing}.",
)
CHAT = (
    "I watched it {when} with {who}.",
    "It is set in {place}, or so they say.",
    "The {film} runs for about two hours and ten minutes.",
    "It tells of {people} in {place}.",
    "{Who} rented this {film} {when}, on tape.",
    "I had read the book before I saw the {film}!",
    "Yes, this is the one about {people}...",
    "It was shown on television {when}, dubbed.",
)
WORDS = {
    "aspect": (
        "acting",
        "camera",
        "dialogue",
        "direction",
        "ending",
        "humour",
        "pace",
        "photography",
        "plot",
        "script",
        "sound",
        "story",
        "style",
    ),
    "film": (
        "comedy",
        "drama",
        "film",
        "movie",
        "picture",
        "production",
        "remake",
        "sequel",
        "thriller",
        "western",
    ),
    "first": ("at first", "for the first hour", "in the opening scenes", "to begin with", "early on"),
    "final": (
        "in the end",
        "by the last act",
        "when the credits rolled",
        "looking back",
        "in the final scenes",
    ),
    "opening": (
        "I found the whole thing",
        "every part of it seemed",
        "the cast and story looked",
        "we all thought it was",
        "most of this felt rather",
        "I must say it was",
    ),
    "closing": (
        "from one scene to another",
        "for a story like this",
        "in nearly every possible way",
        "to me and my friends",
        "as far as films go",
        "by the standards of today",
    ),
    "when": ("on a rainy Sunday", "last night", "on a long flight", "late on Friday", "over the holidays"),
    "who": ("my brother", "an old friend", "my parents", "the neighbours", "two colleagues", "my wife"),
    "place": ("Paris", "a small harbour town", "the desert", "New York", "a lonely farm", "a submarine"),
    "people": ("a young doctor", "two sisters", "a retired sailor", "a gang of thieves", "an ageing singer"),
}
BREAK = " <br /><br />"  # the space before it keeps `br` a word of its own, whatever strips the punctuation
FORMS = {"plain": PLAIN, "negation": NEGATION, "contrast": CONTRAST}


@dataclasses.dataclass(frozen=True)
class SampleReviews:
    """Training and test reviews, and the best that can be made of the test reviews."""

    train_texts: list[str]
    train_labels: np.ndarray
    """[train] int32: 1 positive, 0 negative."""
    test_texts: list[str]
    test_labels: np.ndarray
    """[test] int32."""
    optimum: dict[str, float]
    """Shares of right answers on the test part: `accuracy` of a perfect reader, `bag_of_words_accuracy` and
    `bigram_accuracy` of the best functions of a bag of single words and of word pairs."""


def reviews(*, train: int = 2000, test: int = 1000, seed: int = 1) -> SampleReviews:
    """Generate reviews: a function of its arguments. The defaults are sample v1.

    Where 500 does not divide the sizes the quotas are rounded; `optimum` stays exact: it counts the test part.

    Raises:
      ValueError: an odd or non-positive size.
    """
    if train < 2 or test < 2 or train % 2 or test % 2:
        raise ValueError(f"reviews: train={train} and test={test} must be positive even numbers")
    train_texts, train_labels, _ = _part(train, (seed, 0), twins=False)
    test_texts, test_labels, optimum = _part(test, (seed, 1), twins=True)
    return SampleReviews(train_texts, train_labels, test_texts, test_labels, optimum)


def _part(size: int, seed: tuple[int, int], twins: bool) -> tuple[list[str], np.ndarray, dict[str, float]]:
    """`size` texts in random order, their labels, and the optimum on them."""
    rng = np.random.default_rng(seed)
    pairs = {kind: round(share * size / 2) for kind, share in SHARES.items()}
    pairs["plain"] = size // 2 - pairs["negation"] - pairs["contrast"]
    texts: list[str] = []
    labels: list[int] = []
    solved = {}
    for kind, count in pairs.items():
        flips = round(NOISE * count)
        solved[kind] = 2 * (count - flips)
        for index in range(count):
            negative, positive = _twins(rng, kind)
            texts += [negative, positive if twins else _twins(rng, kind)[1]]
            labels += [1, 0] if index < flips else [0, 1]
    guessed = pairs["negation"] + pairs["contrast"]
    optimum = {
        "accuracy": sum(solved.values()) / len(texts),
        "bag_of_words_accuracy": (solved["plain"] + guessed) / len(texts),
        "bigram_accuracy": (solved["plain"] + solved["negation"] + pairs["contrast"]) / len(texts),
    }
    order = rng.permutation(len(texts))
    return [texts[i] for i in order], np.asarray(labels, np.int32)[order], optimum


def _twins(rng: np.random.Generator, kind: str) -> tuple[str, str]:
    """A negative and a positive review of this kind, the same but for their words of sentiment."""
    opinion = _Sentence(rng, _choice(rng, FORMS[kind]))
    chats = 1 + rng.integers(2) + (kind != "contrast")  # contrasts are long: 64 tokens must do
    sentences = [_Sentence(rng, CHAT[i]).fill() for i in rng.permutation(len(CHAT))[:chats]]
    if rng.integers(2):
        sentences[0] += BREAK
    place = rng.integers(chats + 1)
    bad, worse = (NEGATIVE[i] for i in rng.permutation(len(NEGATIVE))[:2])
    good, better = (POSITIVE[i] for i in rng.permutation(len(POSITIVE))[:2])
    negative = opinion.fill(a=bad, b=worse, yes=bad, no=good)
    positive = opinion.fill(a=good, b=better, yes=good, no=bad)
    before, after = sentences[:place], sentences[place:]
    return " ".join([*before, negative, *after]), " ".join([*before, positive, *after])


def _choice(rng: np.random.Generator, options: Sequence[str]) -> str:
    return options[int(rng.integers(len(options)))]


class _Sentence(dict):
    """A form whose blanks are filled from WORDS, each once: it can be said again with another sentiment."""

    def __init__(self, rng: np.random.Generator, form: str):
        super().__init__()
        self.rng = rng
        self.form = form

    def fill(self, **sentiment: str) -> str:
        self.update(sentiment)
        return self.form.format_map(self)

    def __missing__(self, name: str) -> str:
        text = _choice(self.rng, WORDS[name.lower()])
        if name[0].isupper():
            text = text[0].upper() + text[1:]
        self[name] = text
        return text
