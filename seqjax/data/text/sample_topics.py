"""Made-up messages about one of K topics, some of which name a second one: generated, with the best possible scores.

Half of them are plain ("We talked about the goal and the referee all evening."): words of one topic alone. In the
others a topic is denied and another one meant ("It was not about the goal but rather about the senate."), in either
order; each of these has a twin in the test part in which the two trade places, which a bag of words cannot tell from
it. NOISE of the labels are wrong. So, exactly and for this very test part:

    accuracy              = 1 - NOISE
    bag_of_words_accuracy = (1 - NOISE) / 2 + 1 / 4

Legend: N messages, K topics.
"""

import dataclasses

import numpy as np

NOISE = 0.04
TRAIN, TEST = 2000, 400
TOPICS = {
    "music": "chorus guitar melody orchestra singer",
    "sport": "goal referee stadium striker trainer",
    "politics": "ballot minister parliament senate treaty",
    "science": "atom enzyme galaxy laboratory telescope",
    "travel": "airport harbour luggage passport railway",
    "cooking": "butter kettle oven recipe saucepan",
}
PLAIN = (
    "{When} we talked about the {a} and the {b} {long}.",
    "{Who} told me of the {a}, then of the {b}, {long}.",
    "They wrote {long} on the {a} and hardly on anything else {when}.",
)
CONTRAST = (
    "{When} it was not about the {no} but rather about the {yes}, said {who}.",
    "{Who} spoke about the {yes} and not about the {no} {when}.",
    "You may think of the {no}, but {who} meant the {yes} {when}.",
    "{When} all that counted was the {yes}, never the {no}, for {who}.",
)
FILL = {
    "when": ("yesterday", "last week", "this morning", "on Sunday", "after lunch", "in the spring", "at noon"),
    "who": ("my neighbour", "an old friend", "the woman next door", "his sister", "a colleague", "our teacher"),
    "long": ("for hours", "all evening", "at great length", "with much laughter", "in a low voice", "at home"),
}


@dataclasses.dataclass(frozen=True)
class Topics:
    """The messages, those for training first."""

    texts: list[str]
    labels: list[str]
    parts: list[str]
    """`train` or `test` each."""
    optimum: dict[str, float]


def topics(classes: int, train: int = TRAIN, test: int = TEST, seed: int = 1) -> Topics:
    """A function of its arguments: K topics, about equally many messages each; the sizes are multiples of 4."""
    rng = np.random.default_rng(seed)
    words = _words(classes)
    seen: set[str] = set()
    made = [_part(rng, words, size, twins, seen) for size, twins in ((train, False), (test, True))]
    texts, labels = [*made[0][0], *made[1][0]], [*made[0][1], *made[1][1]]
    right = made[1][2]
    optimum = {"accuracy": sum(right) / len(right)}
    half = len(right) // 2
    optimum["bag_of_words_accuracy"] = (sum(right[:half]) + (len(right) - half) / 2) / len(right)
    return Topics(texts, labels, ["train"] * len(made[0][0]) + ["test"] * len(made[1][0]), optimum)


def _words(classes: int) -> dict[str, list[str]]:
    """The topics' own words; beyond those above they are made of syllables."""
    found = {name: words.split() for name, words in list(TOPICS.items())[:classes]}
    for number in range(len(found), classes):
        found[f"topic {number + 1}"] = [f"{syllable}{number + 1}" for syllable in ("ba", "du", "fo", "ki", "mu")]
    return found


def _part(
    rng: np.random.Generator, words: dict[str, list[str]], size: int, twins: bool, seen: set[str]
) -> tuple[list[str], list[str], list[bool]]:
    """-> (messages, labels, whether the label is right): first the plain ones, then the contrasts, two by two.

    Args:
      words: of each topic.
      size: how many messages.
      twins: contrasts are twins.
      seen: messages that are not made again, to which these are added.
    """
    names, made = list(words), []
    half = size // 2
    while len(made) < half:
        topic = len(made) % len(names)
        a, b = rng.permutation(words[names[topic]])[:2]
        text = _form(rng, PLAIN).format_map({"a": a, "b": b})
        if text not in seen:
            made.append((text, topic, (topic + 1) % len(names)))
            seen.add(text)
    while len(made) < size:
        yes = len(made) // 2 % len(names)
        no = int(yes + 1 + rng.integers(len(names) - 1)) % len(names)
        first, second = (str(rng.choice(words[names[topic]])) for topic in (yes, no))
        form = _form(rng, CONTRAST)
        other = form if twins else _form(rng, CONTRAST)
        pair = [form.format_map({"yes": first, "no": second}), other.format_map({"yes": second, "no": first})]
        if not seen & set(pair):
            made += [(pair[0], yes, no), (pair[1], no, yes)]
            seen.update(pair)
    wrong = np.zeros(len(made), bool)
    wrong[np.arange(round(NOISE * half)) * (half // max(1, round(NOISE * half)))] = True
    pairs = (size - half) // 2
    for pair in rng.permutation(pairs)[: round(NOISE * pairs)]:
        wrong[half + 2 * pair : half + 2 * pair + 2] = True  # so that twins still have opposite labels
    labels = [names[second if flip else first] for (_, first, second), flip in zip(made, wrong, strict=True)]
    return [text for text, _, _ in made], labels, (~wrong).tolist()


def _form(rng: np.random.Generator, forms: tuple[str, ...]) -> str:
    """A form whose blanks but for the topics' words are filled."""
    chosen = {name: str(rng.choice(choices)) for name, choices in FILL.items()}
    chosen |= {name.capitalize(): text[0].upper() + text[1:] for name, text in chosen.items()}
    blanks = {name: f"{{{name}}}" for name in ("a", "b", "yes", "no")}
    return str(rng.choice(forms)).format_map(chosen | blanks)
