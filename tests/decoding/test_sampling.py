"""Sampling against definitions in NumPy, frequencies against softmax, pieces against the whole."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import scipy.stats

from seqjax.decoding import Limits, Sampling, begin_sampling, greedy, sample, sample_more
from seqjax.decoding.sampling import draw, filtered
from seqjax.errors import UserError
from toy_steps import lstm_model, prefix_model, rows

B, V, L = 16, 7, 12
LIMITS = Limits(L, end=0)


def row_keys(batch, seed=0):
    return jax.vmap(jax.random.fold_in, (None, 0))(jax.random.key(seed), jnp.arange(batch))


def run(sampling, limits=LIMITS, batch=B, step=None, **options):
    whole = jax.jit(sample, static_argnums=(0, 4))
    return jax.device_get(whole(step or prefix_model(V)[0], *rows(batch), row_keys(batch), limits, sampling, **options))


def same(a, b):
    jax.tree.map(np.testing.assert_array_equal, a, b)


def plain():
    return run(Sampling())


@pytest.mark.parametrize("sampling", [Sampling(top_k=1), Sampling(temperature=1e-6), Sampling(temperature=1e-44)])
def test_top_1_and_cold_sampling_are_greedy(sampling):
    expected = jax.jit(greedy, static_argnums=(0, 3))(prefix_model(V)[0], *rows(B), LIMITS)
    assert (plain().tokens != expected.tokens).any()
    same(run(sampling), jax.device_get(expected))


def test_top_1_is_greedy_among_equals():
    step = lambda state, tokens: (state, jnp.zeros((len(tokens), V)))
    np.testing.assert_array_equal(run(Sampling(top_k=1), step=step).lengths, 1)
    np.testing.assert_array_equal(run(Sampling(min_p=1.0), step=step).tokens, run(Sampling(), step=step).tokens)


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(top_p=1.0),
        Sampling(top_k=V),
        Sampling(top_k=99),
        Sampling(min_p=0.0),
        Sampling(repetition_penalty=1.0),
        Sampling(top_p=1.0, top_k=V, min_p=0.0, repetition_penalty=1.0),
    ],
)
def test_what_leaves_everything_changes_nothing(sampling):
    same(run(sampling), plain())


def test_top_p_1_keeps_all_though_sums_are_rounded():
    logits = jax.random.normal(jax.random.key(0), (8, 5000)) * 4
    weighed, _ = filtered(logits, None, Sampling(top_p=1.0))
    assert (weighed > -jnp.inf).all()


def kept(logits, **options):
    """[B, V] bool: what is left to draw from; and its logits in place."""
    weighed, tokens = filtered(jnp.asarray(logits), options.pop("seen", None), Sampling(**options))
    if tokens is None:
        return np.asarray(weighed)
    places = np.full(logits.shape, -np.inf, np.float32)
    np.put_along_axis(places, np.asarray(tokens), np.asarray(weighed), axis=1)
    return places


RANDOM = np.random.default_rng(0).normal(size=(200, 23), scale=2).astype(np.float32)


@pytest.mark.parametrize("top_p", [1e-9, 0.1, 0.5, 0.9, 0.999])
def test_top_p_keeps_the_smallest_set_that_reaches_it(top_p):
    found = kept(RANDOM, top_p=top_p) > -np.inf
    p = scipy.special.softmax(RANDOM.astype(np.float64), axis=1)
    for row, chances in zip(found, p, strict=True):
        order, count = np.argsort(-chances), 1
        while chances[order[:count]].sum() < top_p:
            count += 1
        assert set(np.flatnonzero(row)) == set(order[:count])


def test_top_p_keeps_the_token_that_crosses_and_none_behind_a_sum_that_is_reached():
    logits = np.log(np.float32([[0.25, 0.5, 0.125, 0.125]]))
    assert list(np.flatnonzero(kept(logits, top_p=0.5)[0] > -np.inf)) == [1]
    assert list(np.flatnonzero(kept(logits, top_p=0.500001)[0] > -np.inf)) == [0, 1]
    assert list(np.flatnonzero(kept(logits, top_p=0.8)[0] > -np.inf)) == [0, 1, 2]  # of equals the first


@pytest.mark.parametrize("min_p", [0.01, 0.1, 0.7, 1.0])
def test_min_p_keeps_what_is_probable_enough_beside_the_best(min_p):
    found = kept(RANDOM, min_p=min_p) > -np.inf
    p = scipy.special.softmax(RANDOM.astype(np.float64), axis=1)
    np.testing.assert_array_equal(found, p >= min_p * p.max(axis=1, keepdims=True))


@pytest.mark.parametrize("top_k", [1, 2, 22, 23, 100])
def test_top_k_keeps_k(top_k):
    found = kept(np.round(RANDOM), top_k=top_k) > -np.inf  # with many equals
    np.testing.assert_array_equal(found.sum(axis=1), min(top_k, 23))
    for row, line in zip(found, np.round(RANDOM), strict=True):
        assert set(np.flatnonzero(row)) == set(np.argsort(-line, kind="stable")[:top_k])


def test_they_work_one_after_the_other():
    """Temperature, then the best 5, then of these what holds 0.8 of their probability, then min-p."""
    found = kept(RANDOM, temperature=1.7, top_k=5, top_p=0.8, min_p=0.3)
    for row, line in zip(found, RANDOM.astype(np.float64) / 1.7, strict=True):
        best = np.argsort(-line)[:5]
        p = scipy.special.softmax(line[best])
        count = 1 + int((np.cumsum(p) < 0.8).sum())
        best = [token for token, chance in zip(best[:count], p, strict=False) if chance >= 0.3 * p[0]]
        assert set(np.flatnonzero(row > -np.inf)) == set(best)
        np.testing.assert_allclose(scipy.special.softmax(row)[best], scipy.special.softmax(line[best]), rtol=1e-4)


def test_the_repetition_penalty_is_its_definition():
    seen = np.random.default_rng(1).random(RANDOM.shape) < 0.4
    found = kept(RANDOM, seen=jnp.asarray(seen), repetition_penalty=1.3)
    expected = np.where(seen, np.where(RANDOM < 0, RANDOM * 1.3, RANDOM / 1.3), RANDOM)
    np.testing.assert_allclose(scipy.special.softmax(found, 1), scipy.special.softmax(expected, 1), rtol=1e-4)
    assert ((RANDOM < 0) & seen).any()
    p = scipy.special.softmax(RANDOM, 1)
    seen[:, :] = np.eye(23, dtype=bool)[RANDOM.argmin(1)]  # one token with a negative logit
    less = scipy.special.softmax(kept(RANDOM, seen=jnp.asarray(seen), repetition_penalty=1.3), 1)
    assert (less[seen] < p[seen]).all()


def test_the_repetition_penalty_sees_prompt_and_text():
    step = lambda state, tokens: (state, jnp.tile(jnp.array([[3.0, 2.9, 2.8, 2.7, -1.0]]), (len(tokens), 1)))
    cold = Sampling(temperature=1e-6, repetition_penalty=2.0)
    prompt = jnp.tile(jnp.array([[0, 0, 2]]), (B, 1))  # 0 is padding
    found = run(cold, Limits(5), step=step, prompt=prompt)
    np.testing.assert_array_equal(found.tokens[0], [0, 1, 3, 0, 0])  # four are halved, once: 1.5 is above -1
    found = run(cold, Limits(3), step=step)  # rows are fed a 1 first
    np.testing.assert_array_equal(found.tokens[0], [0, 2, 3])


@pytest.mark.parametrize(
    ("sampling", "expected"),
    [
        (Sampling(), [0.1, 0.2, 0.3, 0.4]),
        (Sampling(temperature=2.0), np.sqrt([0.1, 0.2, 0.3, 0.4])),
        (Sampling(temperature=0.5), np.square([0.1, 0.2, 0.3, 0.4])),
        (Sampling(top_k=3), [0, 0.2, 0.3, 0.4]),
        (Sampling(top_p=0.65), [0, 0, 0.3, 0.4]),
        (Sampling(min_p=0.4), [0, 0.2, 0.3, 0.4]),
    ],
)
def test_frequencies_are_those_of_softmax(sampling, expected):
    count = 20_000
    logits = jnp.tile(jnp.log(jnp.array([[0.1, 0.2, 0.3, 0.4]])) + 5, (count, 1))
    drawn = jax.jit(draw)(row_keys(count), 3, logits, None, sampling)
    expected = np.asarray(expected) / np.sum(expected)
    found = np.bincount(drawn, minlength=4)
    np.testing.assert_array_equal(found[expected == 0], 0)
    here = expected > 0
    assert scipy.stats.chisquare(found[here], count * expected[here]).pvalue > 1e-3
    wrong = np.roll(expected[here], 1)
    assert scipy.stats.chisquare(found[here], count * wrong).pvalue < 1e-9


def test_tokens_of_a_row_are_independent():
    """Pairs of neighbours of a uniform model are uniform: no key is used twice."""
    step = lambda state, tokens: (state, jnp.zeros((len(tokens), 3)))
    found = run(Sampling(), Limits(10), 2000, step).tokens
    for pairs in (3 * found[:, :-1] + found[:, 1:], 3 * found[:-1] + found[1:]):
        assert scipy.stats.chisquare(np.bincount(pairs.ravel(), minlength=9)).pvalue > 1e-3


@pytest.mark.parametrize("sizes", [[1] * L, [5, 4, 50]])
def test_pieces_are_the_whole_bit_for_bit(sizes):
    step, zero = lstm_model(V, scale=2.0)
    sampling, limits = Sampling(temperature=1.3, top_p=0.9, repetition_penalty=1.2), Limits(L, end=0, min_length=2)
    first = jnp.arange(B) % V
    whole = jax.jit(functools.partial(sample, step, limits=limits))(
        zero(B), first, row_keys(B), sampling=sampling, prompt=first[:, None]
    )
    progress = begin_sampling(step, zero(B), first, row_keys(B), limits, sampling, first[:, None])
    more = jax.jit(functools.partial(sample_more, step, limits=limits))
    texts = []
    for size in sizes:
        before = int(progress.position)
        progress = more(progress, sampling=sampling, count=size)
        texts.append(np.asarray(progress.decoded.tokens[:, before : int(progress.position)]))
    same(progress.decoded, whole)
    text = np.concatenate(texts, axis=1)
    np.testing.assert_array_equal(text, whole.tokens[:, : text.shape[1]])
    assert more._cache_size() == 1
    assert (whole.lengths < L).any()
    same(more(progress, sampling=sampling, count=3).decoded, whole)  # nothing comes after the last


@pytest.mark.parametrize("sampling", [Sampling(), Sampling(top_k=3, top_p=0.9, min_p=0.05, repetition_penalty=1.5)])
def test_a_batch_gives_what_each_row_alone_gives(sampling):
    step, _ = prefix_model(V)
    one = jax.jit(functools.partial(sample, step, limits=LIMITS))
    together = run(sampling)
    state, first = rows(B)
    for row in (0, 3, B - 1):
        alone = one({"code": state["code"][row : row + 1]}, first[:1], row_keys(B)[row : row + 1], sampling=sampling)
        for a, b in zip(jax.tree.leaves(alone), jax.tree.leaves(together), strict=True):
            np.testing.assert_array_equal(a[0], b[row])


def test_scores_are_the_models_own():
    _, log_p = prefix_model(V)
    found = run(Sampling(temperature=0.7, top_k=4, repetition_penalty=2.0))
    for row in range(B):
        tokens = list(found.tokens[row][: found.lengths[row]])
        score = sum(log_p([1, *tokens[:t]], row)[token] for t, token in enumerate(tokens))
        np.testing.assert_allclose(found.scores[row], score, rtol=1e-5)


def test_limits_hold():
    found = run(Sampling(temperature=3.0), Limits(9, end=2, min_length=4, never=(0, 5), no_repeat_ngram=2), 200)
    for tokens in (list(t[:n]) for t, n in zip(found.tokens, found.lengths, strict=True)):
        assert 2 not in tokens[:4]
        assert 2 not in tokens[:-1]
        assert not {0, 5} & set(tokens)
        pairs = list(itertools.pairwise(tokens))
        assert len(pairs) == len(set(pairs))
    assert 5 <= found.lengths.min() < found.lengths.max() == 9


def test_where_nothing_may_follow_there_is_no_nan():
    dead = lambda state, tokens: (state, jnp.full((len(tokens), V), -jnp.inf))
    found = run(Sampling(top_p=0.5, min_p=0.1), step=dead)
    np.testing.assert_array_equal(found.lengths, 0)
    np.testing.assert_array_equal(found.scores, -np.inf)


def test_one_token_in_the_vocabulary():
    step = lambda state, tokens: (state, jnp.zeros((len(tokens), 1)))
    found = run(Sampling(top_k=3, top_p=0.5, min_p=0.5, repetition_penalty=2.0), Limits(4), step=step)
    np.testing.assert_array_equal(found.lengths, 4)
    np.testing.assert_array_equal(found.scores, 0)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"temperature": 0}, ["temperature", "above 0", "greedy"]),
        ({"temperature": -1.0}, ["temperature", "-1.0"]),
        ({"temperature": float("nan")}, ["temperature", "nan"]),
        ({"temperature": float("inf")}, ["temperature", "inf"]),
        ({"top_k": 0}, ["top_k", "at least 1", "0"]),
        ({"top_k": 2.5}, ["top_k", "integer", "2.5"]),
        ({"top_p": 0.0}, ["top_p", "(0, 1]", "0.0"]),
        ({"top_p": 1.1}, ["top_p", "1.1"]),
        ({"min_p": -0.1}, ["min_p", "[0, 1]", "-0.1"]),
        ({"min_p": 2}, ["min_p", "2"]),
        ({"repetition_penalty": 0.0}, ["repetition_penalty", "above 0"]),
    ],
)
def test_wrong_options_are_named(options, words):
    with pytest.raises(UserError) as error:
        Sampling(**options)
    assert all(word in str(error.value) for word in words), error.value


def test_a_key_a_row_is_wanted():
    step, _ = prefix_model(V)
    for keys in (jax.random.key(0), row_keys(B + 1), jnp.zeros((B, 2), jnp.uint32)):
        with pytest.raises(UserError, match="keys: one typed key a row"):
            sample(step, *rows(B), keys, LIMITS, Sampling())
