"""Slots: seqeval's F1 against conlleval's rules written out, and what counts as a word."""

import types

import numpy as np
import pytest

from seqjax.data.dataset import Answers
from seqjax.data.text import slots

CLASSES = ("", "O", "B-from", "I-from", "B-to", "I-to")


def chunks(tags):
    """conlleval.pl's own rules: where each slot begins and ends, and its name."""
    found, before = [], "O"
    for place, tag in enumerate([*tags, "O"]):
        continues = tag[0] == "I" and before[2:] == tag[2:]
        if before != "O" and not continues:
            found[-1] = (*found[-1], place)
        if tag != "O" and not continues:
            found.append((tag[2:], place))
        before = tag
    return found


def by_hand(true, predicted):
    pairs = [
        ({(k, c) for c in chunks(t)}, {(k, c) for c in chunks(p)})
        for k, (t, p) in enumerate(zip(true, predicted, strict=True))
    ]
    right = sum(len(t & p) for t, p in pairs)
    all_true, all_found = (sum(len(pair[k]) for pair in pairs) for k in range(2))
    return 2 * right / (all_true + all_found) if right else 0.0


def answers(outputs, targets, classes=CLASSES):
    dataset = types.SimpleNamespace(classes=classes)
    return Answers(np.array(outputs), np.array(targets), np.arange(len(targets)), dataset)  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(5))
def test_f1_is_that_of_conlleval(seed):
    """Of any tags, those that are no good IOB2 included."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, 9, 30)
    true, predicted = ([[CLASSES[k] for k in rng.integers(1, 6, n)] for n in lengths] for _ in range(2))
    assert slots.f1(true, predicted) == pytest.approx(by_hand(true, predicted))
    assert 0 < slots.f1(true, predicted) < 1
    assert slots.f1(true, true) == 1


def test_a_slot_is_right_as_a_whole_or_not_at_all():
    true = [["B-to", "I-to", "O", "B-to"]]
    assert slots.f1(true, [["B-to", "O", "O", "B-to"]]) == 0.5  # its first half is no half slot
    assert slots.f1(true, [["B-to", "I-to", "O", "I-to"]]) == 1  # I after O begins one, as conlleval has it
    assert slots.f1(true, [["B-to", "B-to", "O", "B-to"]]) == pytest.approx(0.4)
    assert slots.f1(true, [["B-from", "I-from", "O", "B-to"]]) == 0.5


def test_strictly_a_slot_begins_with_b_alone():
    true = [["B-to", "I-to", "O", "B-to"]]
    assert slots.f1(true, true, strict=True) == 1
    assert slots.f1(true, [["B-to", "I-to", "O", "I-to"]], strict=True) == pytest.approx(2 / 3)
    found = answers([[2, 3, 1, 5], [1, 5, 5, 0]], [[2, 3, 1, 4], [1, 4, 5, 0]])
    assert (slots.slot_f1(found), slots.strict_slot_f1(found)) == (1, 0.5)
    assert slots.strict_slot_f1(answers([[5, 5]], [[1, 1]])) == 0  # nothing begins, and nothing warns


def test_without_a_slot_the_score_is_0_and_nothing_warns():
    assert slots.f1([["O", "B-to"]], [["O", "O"]]) == 0
    assert slots.f1([["O", "O"]], [["O", "B-to"]]) == 0
    assert slots.f1([["O"]], [["O"]]) == 0
    assert slots.f1([[]], [[]]) == 0


def test_padding_is_no_word():
    targets = [[2, 3, 1, 0, 0], [4, 0, 0, 0, 0]]
    found = answers([[2, 3, 1, 4, 4], [4, 5, 5, 2, 3]], targets)  # what stands on padding is nobody's
    assert slots.slot_f1(found) == 1
    assert slots.named(found) == ([["B-from", "I-from", "O"], ["B-to"]],) * 2


def test_a_number_without_a_name_is_no_slot():
    assert slots.named(answers([[0, 9, 4]], [[1, 2, 4]]))[1] == [["O", "O", "B-to"]]
    assert slots.slot_f1(answers([[0, 9, 4]], [[1, 2, 4]])) == pytest.approx(2 / 3)


def test_the_table_has_every_slot_the_most_frequent_first():
    table = slots.slot_table(answers([[2, 1, 4, 1], [4, 5, 4, 0]], [[2, 3, 4, 1], [4, 5, 4, 0]]))
    assert list(table) == ["to", "from"]
    assert table["to"] == {"precision": 1, "recall": 1, "f1": 1, "count": 3}
    assert table["from"] == {"precision": 0, "recall": 0, "f1": 0, "count": 1}


def test_the_baselines_know_the_training_part_alone():
    tags = [("B-to", "O"), ("B-to", "O"), ("B-from", "O"), ("B-from", "O", "B-to")]
    words = [np.array(row) for row in ([7, 8], [7, 8], [9, 8], [7, 8, 5])]
    parts = {"train": np.array([0, 1, 2]), "validation": np.array([2]), "test": np.array([3])}
    found = slots.baselines(tags, words, parts)
    assert found["outside"]["test"] == {"slot_f1": 0, "token_accuracy": pytest.approx(1 / 3)}
    assert found["usual_tag_of_the_word"]["validation"] == {"slot_f1": 1, "token_accuracy": 1}
    # 7 is called `to`, 5 is not known; of two slots none is right.
    assert found["usual_tag_of_the_word"]["test"] == {"slot_f1": 0, "token_accuracy": pytest.approx(1 / 3)}
