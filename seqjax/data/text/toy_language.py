"""Sample sentences for translators: a made-up language and English, by rules without exceptions.

    ki vamo lu rata bela tas sel nomuk  ->  the small cats see a fish in the garden .

Made-up words are in another order (verb last, place before it, adjectives behind their nouns), nouns are of two genders
that their articles and adjectives agree with, and the verb agrees with the subject's number; English has its own
agreement. Each sentence says its translation in either direction, so that a perfect translator scores `optimum` = 100.
No sentence of a part stands in another.
"""

import numpy as np

NOUNS = (
    "bird", "boat", "book", "box", "cat", "chair", "cow", "cup", "dog", "door",
    "duck", "egg", "fish", "girl", "goat", "hat", "horse", "king", "lamp", "pig",
    "queen", "ring", "ship", "star", "stone", "table", "tree", "wolf",
)  # fmt: skip
IRREGULAR = {"box": "boxes", "fish": "fishes", "wolf": "wolves"}
ADJECTIVES = ("big", "small", "red", "blue", "old", "new", "slow", "fast", "sad", "happy")
VERBS = ("sees", "likes", "finds", "hears", "wants", "takes", "loses", "follows", "paints", "guards")
PLACES = ("in the garden", "near the river", "on the hill", "behind the house", "under the bridge", "at the market")
CONSONANTS, VOWELS = "bdfgklmnprstvz", "aeiou"
SIZES = {"train": 6000, "validation": 500, "test": 1000}


class _Lexicon:
    """The made-up words of the English ones: each two syllables, and none twice."""

    def __init__(self, rng: np.random.Generator):
        drawn: dict[str, None] = {}
        wanted = len(NOUNS) + len(ADJECTIVES) + len(VERBS) + len(PLACES)
        while len(drawn) < wanted:
            pick = lambda letters: letters[int(rng.integers(len(letters)))]
            drawn[pick(CONSONANTS) + pick(VOWELS) + pick(CONSONANTS)] = None
        words = iter(drawn)
        self.nouns, self.adjectives, self.verbs, self.places = (
            {english: next(words) for english in those} for those in (NOUNS, ADJECTIVES, VERBS, PLACES)
        )


def _phrase(lexicon: _Lexicon, noun: str, adjective: str | None, plural: bool, definite: bool) -> tuple[str, str]:
    """(made-up, English) of `the small cats`."""
    feminine = NOUNS.index(noun) % 2
    ending = ("oa"[feminine]) + "s" * plural
    article = ("ki" if definite else "mu") + ("", "a")[feminine] + "s" * plural
    made = [article, lexicon.nouns[noun] + ending]
    english = IRREGULAR.get(noun, f"{noun}s") if plural else noun
    words = [english] if adjective is None else [adjective, english]
    if adjective is not None:
        made.append(lexicon.adjectives[adjective] + ending)
    vowel = words[0][0] in VOWELS
    first = "the" if definite else "some" if plural else "an" if vowel else "a"
    return " ".join(made), " ".join([first, *words])


def _sentence(lexicon: _Lexicon, rng: np.random.Generator) -> tuple[str, str]:
    pick = lambda words: words[int(rng.integers(len(words)))]
    flip = lambda: bool(rng.integers(2))
    plurals = flip(), flip()
    phrases = [_phrase(lexicon, pick(NOUNS), pick(ADJECTIVES) if flip() else None, own, flip()) for own in plurals]
    verb, negated, place = pick(VERBS), rng.integers(4) == 0, pick(PLACES) if flip() else None
    made_verb = ("ne " if negated else "") + lexicon.verbs[verb] + ("it", "on")[plurals[0]]
    stem = verb.removesuffix("s")
    said = f"{('does', 'do')[plurals[0]]} not {stem}" if negated else stem if plurals[0] else verb
    made = [phrases[0][0], phrases[1][0], *([] if place is None else [lexicon.places[place]]), made_verb]
    english = [phrases[0][1], said, phrases[1][1], *([] if place is None else [place])]
    return " ".join(made) + ".", " ".join(english) + "."


def parts(*, turned: bool = False, seed: int = 1) -> dict[str, list[tuple[str, str]]]:
    """Pairs of each part: made-up to English, or, turned, English to made-up; capitals at the beginning.

    Args:
      turned: from English.
      seed: of words and sentences.
    """
    rng = np.random.default_rng(seed)
    lexicon = _Lexicon(rng)
    drawn: dict[tuple[str, str], None] = {}
    while len(drawn) < sum(SIZES.values()):
        made, english = _sentence(lexicon, rng)
        drawn[(english, made) if turned else (made, english)] = None
    pairs = [(source[0].upper() + source[1:], target[0].upper() + target[1:]) for source, target in drawn]
    ends = np.cumsum(list(SIZES.values()))
    return {part: pairs[end - size : end] for (part, size), end in zip(SIZES.items(), ends, strict=True)}
