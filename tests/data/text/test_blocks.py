"""Blocks of text for word vectors: what is kept, what is noise, every word once."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax import experiment as experiments
from seqjax.data.text.blocks import TABLE, Blocks, keep_probabilities, noise_table
from seqjax.data.text.imdb import Reviews
from seqjax.errors import UserError
from seqjax.models.word2vec import Word2Vec, draw
from word_pairs import CONTEXTS, VECTORS, apply, inputs


def test_negatives_follow_the_power_of_the_counts():
    counts = np.array([0, 0, 100, 10, 1, 0])
    table = noise_table(counts, 0.75)
    assert table[-1] == TABLE
    drawn = np.bincount(draw(jax.random.key(0), jnp.asarray(table), (200, 500)).ravel(), minlength=6)
    expected = counts**0.75 / (counts**0.75).sum()
    np.testing.assert_allclose(drawn / drawn.sum(), expected, atol=0.005)
    assert drawn[[0, 1, 5]].sum() == 0


def test_frequent_words_are_kept_less():
    counts = np.array([0, 0, 9000, 900, 99, 1])
    keep = keep_probabilities(counts, 1e-3)
    share = counts[2:] / 10_000
    np.testing.assert_allclose(keep[2:], np.minimum(1, (np.sqrt(share / 1e-3) + 1) * 1e-3 / share), rtol=1e-6)
    assert keep[0] == 0
    assert keep_probabilities(counts, 0).tolist() == [0, 0, 1, 1, 1, 1]


def test_blocks_hold_every_word_of_their_own_part_once(tmp_path, monkeypatch):
    from seqjax import folders

    monkeypatch.setattr(folders, "cache_dir", lambda: tmp_path)
    reviews = Reviews(300, 64).load("sample", tmp_path)
    dataset = Blocks(Reviews(300, 64), 24).load("sample", tmp_path)
    blocks = dataset.arrays["blocks"]
    assert blocks.shape[1] == 24
    for part, ids in dataset.parts.items():
        texts = reviews.arrays["tokens"][reviews.parts[part]]
        assert blocks[ids][blocks[ids] > 0].tolist() == texts[texts > 0].tolist()
        assert (blocks[ids] > 0).any(axis=1).all()
    assert sorted(np.concatenate(list(dataset.parts.values()))) == list(range(len(blocks)))
    prints = {Blocks(Reviews(300, 64), *options).load("sample", tmp_path).fingerprint for options in [(24,), (24, 0)]}
    flat = experiments.load(experiments.find("word2vec"))(power=0.0, vocabulary_size=300).source
    noise = np.diff(flat.load("sample", tmp_path).arrays["noise"], prepend=0)
    assert np.ptp(noise[noise > 0]) <= 1, "to the power of 0 all words are drawn alike"
    assert dataset.fingerprint in prints
    assert len(prints) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [({"block": 1}, "block=1"), ({"sample": -1}, "sample=-1")],
)
def test_senseless_options_are_refused(options, message, tmp_path):
    with pytest.raises(UserError, match=f"^{message} is too small"):
        Blocks(Reviews(300, 64), **options).load("sample", tmp_path)
    for power in (-0.5, 11, math.nan):
        with pytest.raises(UserError, match=rf"^power={power} is not in \[0, 10\]$"):
            Blocks(Reviews(300, 64), power=power).load("sample", tmp_path)
    with pytest.raises(UserError, match=r"^method='bag'"):
        apply(Word2Vec(10, 4, "bag"), inputs(), {"vectors": VECTORS, "contexts": CONTEXTS})
