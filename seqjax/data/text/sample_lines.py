"""Sample v1, the play: made-up lines whose likelihood is known, for language models of characters.

Not the lecture's data. A line is one sentence of a small grammar, each choice of it independent and equally likely:

    line    = subject, in one case of CLAUSES a relative clause, verb, adverb, "."
    subject = "the" noun, or "the" noun + "s"
    clause  = "that the" noun verb-of-one ("the dogs that the cat sees sleep soundly.")
    verb    = of the subject's number: "sleeps", "sleep"

Whether the last verb ends in s depends on a letter up to 25 characters before it, with other nouns and verbs between: a
model of 5-grams cannot know it, a recurrent one can. Every word is followed by a space or a full stop and none begins
with another one of the same list, so that a line tells its choices, and its likelihood is their product. The best
possible mean, -ln P / characters, is exact for the very lines at hand.
"""

import math

import numpy as np

NOUNS = ("cat", "dog", "king", "maid", "sailor", "owl", "thief", "baker")
VERBS = ("see", "follow", "praise", "warn")
ACTIONS = ("sleep", "sing", "dance", "weep")
ADVERBS = ("soundly", "now", "again", "often")
CLAUSES = 0.5
LINES = 4000


def text(seed: int = 0, lines: int = LINES) -> tuple[str, np.ndarray]:
    """The play, and what a perfect reader pays for each character: [N] nats.

    A line's nats stand at its last character, the line's end, which costs nothing itself.
    """
    rng = np.random.default_rng(seed)
    written, paid = [], []
    for _ in range(lines):
        line, choices = _line(rng)
        written.append(line + "\n")
        paid.append(np.append(np.zeros(len(line)), choices))
    return "".join(written), np.concatenate(paid)


def _line(rng: np.random.Generator) -> tuple[str, float]:
    """A sentence, and -ln of its likelihood."""
    pick = lambda words: words[rng.integers(len(words))]
    several = rng.random() < 0.5
    words = ["the", pick(NOUNS) + "s" * several]
    nats = math.log(len(NOUNS)) + math.log(2)
    if rng.random() < CLAUSES:
        words += ["that the", pick(NOUNS), pick(VERBS) + "s"]
        nats += math.log(len(NOUNS)) + math.log(len(VERBS)) - math.log(CLAUSES)
    else:
        nats -= math.log(1 - CLAUSES)
    words += [pick(ACTIONS) + "s" * (not several), pick(ADVERBS)]
    nats += math.log(len(ACTIONS)) + math.log(len(ADVERBS))
    return " ".join(words) + ".", nats
