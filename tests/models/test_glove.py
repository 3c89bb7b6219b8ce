"""GloVe: counts of pairs against a plain loop, the cost against the paper's equation, AdaGrad against the program's."""

import math
from collections import Counter

import jax
import numpy as np
import optax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqjax import folders
from seqjax.data.text.cooccurrence import Cooccurrences, count
from seqjax.data.text.imdb import Reviews
from seqjax.errors import UserError
from seqjax.models.glove import GloVe


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    texts=st.lists(st.lists(st.integers(0, 6), min_size=8, max_size=8), min_size=1, max_size=5),
    window=st.integers(1, 9),
)
def test_counts_are_those_of_a_plain_loop(texts, window):
    expected = Counter()  # in both orders, as the original program
    for text in texts:
        words = [word for word in text if word > 1]
        for place, word in enumerate(words):
            for distance in range(1, min(window, place) + 1):
                near = words[place - distance]
                expected[near, word] += 1 / distance
                expected[word, near] += 1 / distance
    pairs, counts = count(np.array(texts, np.uint16), 7, window)
    assert {(a, b) for a, b in expected if a <= b} == {tuple(pair) for pair in pairs.tolist()}
    assert len(pairs) == len(set(map(tuple, pairs.tolist())))
    for (a, b), found in zip(pairs.tolist(), counts, strict=True):
        assert math.isclose(found, expected[a, b], rel_tol=1e-6)
        assert math.isclose(found, expected[b, a], rel_tol=1e-6)


def cost(params, pairs, counts, limit, power):
    """J of the paper's equation 8, over ordered pairs."""
    total = []
    for (i, j), x in zip(pairs, counts, strict=True):
        terms = []
        for a, b in dict.fromkeys([(i, j), (j, i)]):
            product = float(params["words"][a].astype(float) @ params["contexts"][b])
            missed = product + params["word_bias"][a, 0] + params["context_bias"][b, 0] - math.log(x)
            terms.append((1 if x > limit else (x / limit) ** power) * missed**2)
        total.append(sum(terms))
    return total


PAIRS, COUNTS = np.array([[2, 3], [3, 3], [0, 4], [1, 2]], np.int32), np.array([0.5, 40, 9, 120], np.float32)


def some_params(model):
    rng = np.random.default_rng(0)
    shapes = model.init(jax.random.key(0), model.example())["params"]
    return jax.tree.map(lambda leaf: rng.normal(size=leaf.shape).astype(np.float32), shapes)


def test_the_cost_is_the_papers():
    model = GloVe(5, 3, limit=50, power=0.75)
    params = some_params(model)
    found = model.apply({"params": params}, (PAIRS, COUNTS))
    np.testing.assert_allclose(found[:, 0], cost(params, PAIRS, COUNTS, 50, 0.75), rtol=1e-5)
    first = [params["words"][i] @ params["contexts"][j] for i, j in PAIRS]
    bias = params["word_bias"][PAIRS[:, 0], 0] + params["context_bias"][PAIRS[:, 1], 0]
    np.testing.assert_allclose(found[:, 1], np.abs(first + bias - np.log(COUNTS)), rtol=1e-4)
    np.testing.assert_array_equal(model.table(params), params["words"] + params["contexts"])


def test_a_step_is_the_original_programs_adagrad():
    """One entry: w -= rate * gradient / sqrt(sum of squared gradients), cost J / 2 there, which AdaGrad cancels."""
    model = GloVe(5, 3, limit=50)
    params = some_params(model)
    optimizer = optax.adagrad(0.05, initial_accumulator_value=0.0, eps=1e-16)
    state, history, ours = optimizer.init(params), np.zeros(3), params
    expected = params["words"][2].astype(float)
    for _ in range(3):
        objective = lambda p: model.apply({"params": p}, (PAIRS[:1], COUNTS[:1]))[0, 0]
        gradients = jax.grad(objective)(ours)
        u, x = np.asarray(ours["contexts"][3], float), 0.5
        missed = expected @ u + ours["word_bias"][2, 0] + ours["context_bias"][3, 0] - math.log(x)
        step = (x / 50) ** 0.75 * missed * u
        history += step**2
        updates, state = optimizer.update(gradients, state, ours)
        ours = optax.apply_updates(ours, updates)
        expected = expected - 0.05 * step / np.sqrt(history)
        np.testing.assert_allclose(ours["words"][2], expected, rtol=1e-4)
    np.testing.assert_array_equal(ours["words"][4], params["words"][4])


def test_the_parts_share_the_pairs_of_the_training_reviews(tmp_path, monkeypatch):
    monkeypatch.setattr(folders, "cache_dir", lambda: tmp_path)
    reviews = Reviews(300, 64).load("sample", tmp_path)
    dataset = Cooccurrences(Reviews(300, 64), 4).load("sample", tmp_path)
    pairs, counts = count(reviews.arrays["tokens"][reviews.parts["train"]], 300, 4)
    every = np.concatenate(list(dataset.parts.values()))
    assert sorted(every) == list(range(len(counts)))
    assert len(dataset.parts["validation"]) == len(dataset.parts["test"]) == len(counts) // 100
    (found, values), targets = dataset.gather(dataset.arrays, dataset.parts["train"][:9])
    np.testing.assert_array_equal(found, pairs[dataset.parts["train"][:9]])
    np.testing.assert_array_equal(values, counts[dataset.parts["train"][:9]])
    assert not targets.any()
    assert dataset.fingerprint != Cooccurrences(Reviews(300, 64), 5).load("sample", tmp_path).fingerprint


@pytest.mark.parametrize("window", [0, 32])
def test_a_senseless_window_is_refused(window, tmp_path):
    with pytest.raises(UserError, match=f"^window={window}: must be"):
        Cooccurrences(Reviews(300, 64), window).load("sample", tmp_path)
