"""A few generated reviews in place of IMDB's."""

import dataclasses
import random
from pathlib import Path

import numpy as np
import pytest

from seqjax import folders
from seqjax.data.text import imdb
from seqjax.data.text.imdb import Reviews


@dataclasses.dataclass(frozen=True)
class StandIn:
    """The same fields as the embedded sample."""

    train_texts: list[str]
    train_labels: np.ndarray
    test_texts: list[str]
    test_labels: np.ndarray
    optimum: dict[str, float]


def stand_in(seed=0):
    """Every review holds a word of its own, `train3` or `test3`, and three others; `seed` orders them."""
    rng = random.Random(seed)
    parts = []
    for part, number in ("train", 40), ("test", 20):
        rows = [(f"{part}{k} The FILM was {'good' if k % 2 else 'bad'}!", k % 2) for k in range(number)]
        rows[3] = ("good " * 17 + "train3" if part == "train" else "good test3", 1)
        rng.shuffle(rows)
        parts += [[text for text, _ in rows], np.array([label for _, label in rows], np.int32)]
    return StandIn(*parts, optimum={"accuracy": 0.97, "bag_of_words_accuracy": 0.8})


@pytest.fixture(autouse=True)
def generated(monkeypatch, tmp_path):
    monkeypatch.setattr(imdb.sample_reviews, "reviews", stand_in)
    monkeypatch.setattr(folders, "cache_dir", lambda: tmp_path / "seqjax")


def load(**options):
    return Reviews(**options).load("sample", Path("/nowhere"))


def same(one, other):
    assert one.fingerprint == other.fingerprint
    assert one.assets == other.assets
    for name in ("arrays", "parts"):
        mine, yours = getattr(one, name), getattr(other, name)
        assert set(mine) == set(yours)
        for key in mine:
            assert mine[key].dtype == yours[key].dtype
            np.testing.assert_array_equal(mine[key], yours[key])
