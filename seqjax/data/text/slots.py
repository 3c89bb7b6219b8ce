"""Slots: stretches of words that a tag a word marks, and the F1 of finding them, by seqeval.

A tag is `O` (outside), `B-NAME` (a slot begins) or `I-NAME` (it goes on): the scheme IOB2. A predicted slot is right if
one of the same name begins and ends at the same words. Slots are read as conlleval does, seqeval's default mode: an
`I-NAME` that follows something else begins a slot too, so that every sequence of tags has a meaning; or strictly, by
which such a slot is none. The papers on ATIS have conlleval's.

Legend: N sentences, T words of one.
"""

import warnings
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from seqjax.data.dataset import Answers

OUTSIDE = "O"


def f1(true: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]], strict: bool = False) -> float:
    """2 P R / (P + R) of all slots together; 0 where nothing is found, and where there is nothing to find.

    Args:
      true: the tags of each sentence.
      predicted: as many for each.
      strict: a slot begins with `B-` alone.

    Raises:
      ValueError: not as many.
    """
    from seqeval.metrics import f1_score
    from seqeval.scheme import IOB2

    options: Any = {"mode": "strict", "scheme": IOB2} if strict else {}
    undefined: Any = 0  # is what it says of no slots at all
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # and warns, by NumPy too
        found: Any = f1_score(list(map(list, true)), list(map(list, predicted)), zero_division=undefined, **options)
    return float(found)


def slot_f1(answers: Answers) -> float:
    """`f1` of predicted tags [N, T] int against true ones [N, T] int; 0 is padding, and is no word."""
    return f1(*named(answers))


def strict_slot_f1(answers: Answers) -> float:
    """`slot_f1`, strictly."""
    return f1(*named(answers), strict=True)


def slot_table(answers: Answers) -> dict[str, dict[str, float]]:
    """Of each slot by its name: precision, recall, F1 and how many there are to find, the most frequent ones first."""
    from seqeval.metrics import classification_report

    undefined: Any = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        report: Any = classification_report(*named(answers), output_dict=True, zero_division=undefined)
    names = sorted((name for name in report if not name.endswith(" avg")), key=lambda name: -report[name]["support"])
    columns = {"precision": "precision", "recall": "recall", "f1": "f1-score", "count": "support"}
    return {name: {column: float(report[name][key]) for column, key in columns.items()} for name in names}


def named(answers: Answers) -> tuple[list[list[str]], list[list[str]]]:
    """True and predicted tags of each sentence by their names. A number without a name stands for no slot."""
    classes = answers.dataset.classes
    name = lambda number: classes[number] if 0 < number < len(classes) else OUTSIDE
    true, predicted = [], []
    for targets, outputs in zip(np.asarray(answers.targets), np.asarray(answers.outputs), strict=True):
        words = targets != 0
        true.append([name(number) for number in targets[words]])
        predicted.append([name(number) for number in outputs[words]])
    return true, predicted


def baselines(
    tags: Sequence[Sequence[str]], words: Sequence[np.ndarray], parts: Mapping[str, np.ndarray]
) -> dict[str, dict[str, dict[str, float]]]:
    """What needs no model, for `Dataset.baselines`: no slot at all, and the tag that each word has most often.

    Args:
      tags: of each sentence.
      words: their ids, [T] each.
      parts: which sentences are for what; the usual tags are those of `train`, and of a word that is not in it `O`.
    """
    counts: dict[int, Counter] = defaultdict(Counter)
    for k in parts["train"].tolist():
        for word, tag in zip(words[k].tolist(), tags[k], strict=True):
            counts[word][tag] += 1
    usual = {word: min(found, key=lambda tag: (-found[tag], tag)) for word, found in counts.items()}
    scores: dict[str, dict[str, dict[str, float]]] = {}
    for name, known in {"outside": {}, "usual_tag_of_the_word": usual}.items():
        scores[name] = {}
        for part in ("validation", "test"):
            ids: list[int] = parts[part].tolist()
            true = [tags[k] for k in ids]
            predicted = [[known.get(word, OUTSIDE) for word in words[k].tolist()] for k in ids]
            equal = [a == b for pair in zip(true, predicted, strict=True) for a, b in zip(*pair, strict=True)]
            scores[name][part] = {"slot_f1": f1(true, predicted), "token_accuracy": float(np.mean(equal))}
    return scores
