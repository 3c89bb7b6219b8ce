"""seqjax.data.text.splits: a fifth of each class, near-duplicates in one part."""

import numpy as np
import pytest

from seqjax.data.text import splits
from seqjax.errors import UserError


def drawn(texts, classes, seed=0, given=None):
    return splits.parts(given, np.array(classes), texts, seed, "f")


def test_a_fifth_of_each_class():
    texts = [f"{letter * 3} {'x' * k}" for letter in "ab" for k in range(50)]
    parts = drawn(texts, [0] * 50 + [1] * 50)
    assert {part: len(ids) for part, ids in parts.items()} == {"train": 64, "validation": 16, "test": 20}
    assert sorted(np.concatenate(list(parts.values()))) == list(range(100))
    for ids in parts.values():
        assert (ids < 50).mean() == 0.5
    assert drawn(texts, [0] * 50 + [1] * 50, seed=1)["test"].tolist() != parts["test"].tolist()
    tenth = splits.parts(None, np.array([0] * 50 + [1] * 50), texts, 0, "f", share=10)
    assert {part: len(ids) for part, ids in tenth.items()} == {"train": 82, "validation": 8, "test": 10}


def test_near_duplicates_stay_in_one_part():
    texts = [f"Call {number}: you won the {prize}!" for prize in "abcdefghij" for number in ("0123", "0456", "07 89")]
    parts = drawn(texts, [0] * len(texts))
    sides = [{k // 3 for k in ids} for ids in parts.values()]
    assert all(sides)
    assert len(set.union(*sides)) == sum(map(len, sides)) == 10
    assert {len(ids) % 3 for ids in parts.values()} == {0}


def test_near_duplicates():
    assert splits.key("WIN £100 now!!") == splits.key("win £250, now")
    assert splits.key("won") != splits.key("one")
    assert splits.key("12") != splits.key("13")  # numbers alone are what they are
    assert splits.key("😀") != splits.key("😢")
    assert splits.key("不好!") == splits.key("不好")


def test_a_class_of_few_texts_is_learned_from():
    texts = [f"common {chr(97 + k)}" for k in range(20)] + ["rare x", "rare y"]
    parts = drawn(texts, [0] * 20 + [1] * 2)
    assert {20, 21} <= set(parts["train"])
    texts += ["rare z"]
    parts = drawn(texts, [0] * 20 + [1] * 3)
    assert len({20, 21, 22} & set(parts["test"])) == 1
    with pytest.raises(UserError, match="f: too few rows: none for validation"):
        drawn(["a", "b", "c"], [0, 0, 0])


def test_given_parts_are_kept_and_validation_is_drawn_where_there_is_none():
    texts = [chr(97 + k) for k in range(20)]
    given = ["train"] * 12 + ["validation"] * 4 + ["test"] * 4
    parts = drawn(texts, [0, 1] * 10, given=given)
    assert [ids.tolist() for ids in parts.values()] == [[*range(12)], [*range(12, 16)], [*range(16, 20)]]
    parts = drawn(texts, [0, 1] * 10, given=["train"] * 15 + ["test"] * 5)
    assert parts["test"].tolist() == [*range(15, 20)]
    assert len(parts["validation"]) == 2


def test_names_of_parts():
    assert splits.named(["Train", "dev", "TEST", "valid"], [2, 3, 4, 5], "f") == [
        "train",
        "validation",
        "test",
        "validation",
    ]
    with pytest.raises(UserError, match=r"f: row 3: 'other' is no part; choose train, validation, test"):
        splits.named(["train", "other"], [2, 3], "f")
    with pytest.raises(UserError, match="f: no row is for test"):
        splits.named(["train"], [2], "f")


def test_texts_that_cross_are_counted_word_for_word():
    parts = {"train": [0], "validation": [1], "test": [2, 3, 4]}
    assert splits.crossing(parts, ["a", "b", "a", "A", "b"]) == 2
