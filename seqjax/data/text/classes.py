"""Classes of texts: their order, their weights, and what the largest of them and naive Bayes are worth.

Legend: N texts, K classes, n_k of them in class k.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from seqjax.errors import UserError

SHOWN = 8


def ordered(labels: Sequence[str]) -> tuple[str, ...]:
    """The distinct labels: by value if all are numbers, else by letter."""
    found = set(labels)
    numbers = all(re.fullmatch(r"-?\d+(\.\d+)?", label) for label in found)
    return tuple(sorted(found, key=lambda label: (float(label) if numbers else 0, label)))


def listed(classes: Sequence[str]) -> str:
    """`a, b, c`, the first few."""
    return ", ".join(classes[:SHOWN]) + (f" and {len(classes) - SHOWN} more" if len(classes) > SHOWN else "")


def check(classes: Sequence[str], expected: int | None, texts: int, name: str) -> None:
    """Raise UserError unless there are as many classes as are expected, or, for None, a sensible number."""
    if len(classes) < 2:
        raise UserError(f"{name}: all {texts:,} rows have the label {listed(classes)!r}: two classes are the least")
    if 2 * len(classes) > texts:
        found = f"{len(classes):,} classes in {texts:,} rows: {listed(classes)}"
        raise UserError(f"{name}: {found}: is this the column of the labels?")
    if expected not in (None, len(classes)):
        raise UserError(f"{name}: {len(classes)} classes, not {expected}: {listed(classes)}")


def balanced(numbers: np.ndarray, classes: int) -> np.ndarray:
    """Weights N / (K n_k) of the classes, [K] float32, as scikit-learn's `class_weight="balanced"`.

    Args:
      numbers: [N] the classes of the training part, each of which is there.
      classes: K.
    """
    return (len(numbers) / (classes * np.bincount(numbers, minlength=classes))).astype(np.float32)


def notes(labels: Sequence[str], classes: Sequence[str]) -> list[str]:
    """What is odd about the classes: `ham 4,827, spam 747`; two that differ only in the case of their letters."""
    counts = Counter(labels)
    said = [listed([f"{name} {counts[name]:,}" for name in classes])]
    folded: dict[str, str] = {}
    for name in classes:
        other = folded.setdefault(name.casefold(), name)
        if other != name:
            said.append(f"classes {other!r} and {name!r} differ in case only")
    return said


def baselines(texts: Sequence[str], numbers: np.ndarray, parts: Mapping[str, np.ndarray], split: str) -> dict[str, Any]:
    """`Dataset.baselines`: accuracy and macro F1 of the largest class, and of multinomial naive Bayes.

    Naive Bayes is scikit-learn's, on its own counts of words (or characters), learned from the training part.

    Args:
      texts: N of them.
      numbers: [N] their classes.
      parts: ids of each part.
      split: `words` or `characters`.
    """
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.metrics import accuracy_score, f1_score
    from sklearn.naive_bayes import MultinomialNB

    def scores(guessed: np.ndarray, ids: np.ndarray) -> dict[str, float]:
        own: Any = {"average": "macro", "zero_division": 0}
        found = {"accuracy": accuracy_score(numbers[ids], guessed), "macro_f1": f1_score(numbers[ids], guessed, **own)}
        if len(np.unique(numbers)) == 2:
            found["f1"] = f1_score(numbers[ids], guessed, **{**own, "average": "binary"})
        return {name: float(score) for name, score in found.items()}

    train, tried = parts["train"], ("validation", "test")
    largest = np.bincount(numbers[train]).argmax()
    found = {"largest_class": {part: scores(np.full(len(parts[part]), largest), parts[part]) for part in tried}}
    take = lambda ids: [texts[k] for k in ids]
    counter = CountVectorizer(analyzer="char" if split == "characters" else "word")
    try:
        counts = counter.fit_transform(take(train))
    except ValueError:
        return found  # no words of two letters or more
    bayes = MultinomialNB().fit(counts, numbers[train])
    guessed = lambda part: bayes.predict(counter.transform(take(parts[part])))
    return found | {"naive_bayes": {part: scores(guessed(part), parts[part]) for part in tried if len(parts[part])}}
