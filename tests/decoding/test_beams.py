"""Beam search against exhaustive search, greedy decoding and a slow beam search."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax.decoding import Limits, beam_search, greedy, length_penalty
from seqjax.errors import UserError
from toy_steps import every_sequence, lstm_model, penalty, prefix_model, rows, slow_beam_search

best = jax.jit(beam_search, static_argnums=(0, 3), static_argnames=("beams", "n_best"))
one_row = jax.jit(greedy, static_argnums=(0, 3))
B = 4
ALPHAS = [0.0, 1.0, -0.7]


@functools.cache
def compiled(step, limits, beams, n_best):
    return jax.jit(functools.partial(beam_search, step, limits=limits, beams=beams, n_best=n_best))


def search(step, limits, beams, n_best=1, alpha=0.0, batch=B):
    return jax.device_get(compiled(step, limits, beams, n_best)(*rows(batch), alpha=alpha))


def sequences(decoded, row):
    """[tokens] of a row, those that are there."""
    return [list(t[:n]) for t, n in zip(decoded.tokens[row], decoded.lengths[row], strict=True) if n]


LIMITS = {
    "no end": Limits(4),
    "end": Limits(5, end=0),
    "end, at least 2": Limits(5, end=2, min_length=2),
    "no token twice": Limits(4, end=1, no_repeat_ngram=1),
    "no bigram twice": Limits(5, end=2, no_repeat_ngram=2),
    "never 1": Limits(5, end=2, never=(1,)),
}


@pytest.mark.parametrize("name", LIMITS)
def test_with_enough_beams_it_is_exhaustive(name):
    vocabulary, limits = 3, LIMITS[name]
    step, log_p = prefix_model(vocabulary)
    beams, n_best = vocabulary**limits.max_length, 20
    for alpha in ALPHAS:
        found = search(step, limits, beams, n_best, alpha)
        for row in range(B):
            whole = every_sequence(log_p, vocabulary, limits, row)
            ranked = sorted(((s / penalty(len(t), alpha), s, t) for s, t in whole), reverse=True)[:n_best]
            assert sequences(found, row) == [tokens for *_, tokens in ranked]
            np.testing.assert_allclose(found.normalised[row][: len(ranked)], [r[0] for r in ranked], rtol=1e-5)
            np.testing.assert_allclose(found.scores[row][: len(ranked)], [r[1] for r in ranked], rtol=1e-5)
            assert (found.scores[row][len(ranked) :] == -np.inf).all()
            assert (found.tokens[row][len(ranked) :] == 0).all()


@pytest.mark.parametrize(
    ("beams", "name"), [(1, "end"), (2, "end, at least 2"), (3, "end"), (5, "no bigram twice"), (9, "end, at least 2")]
)
def test_it_equals_a_slow_beam_search(name, beams):
    vocabulary, limits = 6, LIMITS[name]
    for alpha in ALPHAS:
        step, log_p = prefix_model(vocabulary, seed=beams, scale=1.5)
        found = search(step, limits, beams, n_best=beams, alpha=alpha, batch=8)
        for row in range(8):
            first, *others = slow_beam_search(log_p, vocabulary, limits, beams, beams, alpha, row)
            ours = sequences(found, row)
            assert ours[0] == first[2]
            np.testing.assert_allclose(found.normalised[row][0], first[0], rtol=1e-5)
            assert ours == [first[2], *(tokens for *_, tokens in others)][: len(ours)]


@pytest.mark.parametrize("name", ["end, at least 2", "no token twice", "no bigram twice"])
def test_one_beam_is_greedy(name):
    vocabulary, limits = 5, LIMITS[name]
    step, _ = prefix_model(vocabulary)
    expected = jax.jit(functools.partial(greedy, step, limits=limits))(*rows(64))
    for alpha in ALPHAS:
        found = search(step, limits, beams=1, alpha=alpha, batch=64)
        np.testing.assert_array_equal(found.tokens[:, 0], expected.tokens)
        np.testing.assert_array_equal(found.lengths[:, 0], expected.lengths)
        np.testing.assert_allclose(found.scores[:, 0], expected.scores, rtol=1e-6)


@pytest.mark.parametrize("beams", [2, 3, 5])
def test_beams_are_never_below_greedy(beams):
    """900 random models: every row of the prefix model is another one."""
    limits, step = Limits(12, end=0), prefix_model(7, seed=beams, scale=1.0)[0]
    one = one_row(step, *rows(900), limits)
    for alpha in (0.0, 0.6, 2.0, -1.0):
        base = np.asarray(one.scores / length_penalty(one.lengths, alpha))
        found = search(step, limits, beams, alpha=alpha, batch=900).normalised[:, 0]
        assert (found >= base + 1e-6 * base).all()  # rounding alone; they are below 0
        assert (found > base + 1e-3).sum() > 100  # it does find better ones


def test_the_greedy_sequence_is_kept_though_others_are_better_for_a_while():
    """2 (0.34) has a certain end after 6; 3 and 4 (0.33 each) are certain to go on, and scatter only then."""
    p = np.zeros((9, 9))
    p[1, [2, 3, 4]] = 0.34, 0.33, 0.33
    p[2, [5, 6]] = 0.45, 0.55  # the greedy one: 0.187, behind 0.33 and 0.33
    p[3, 7] = p[4, 8] = p[6, 0] = 1
    p[7] = p[8] = 1 / 9
    with np.errstate(divide="ignore"):
        table = jnp.float32(np.log(p))
    arguments = (lambda state, tokens: (state, table[tokens])), jnp.zeros(1), jnp.ones(1, int), Limits(3, end=0)
    found = best(*arguments, beams=2)
    assert list(one_row(*arguments).tokens[0]) == list(found.tokens[0, 0]) == [2, 6, 0]
    np.testing.assert_allclose(found.scores[0, 0], np.log(0.34 * 0.55), rtol=1e-5)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_the_n_best_are_different_and_sorted(alpha):
    step, _ = prefix_model(6, scale=1.0)
    found = search(step, Limits(8, end=3), beams=8, n_best=8, alpha=alpha, batch=64)
    for row in range(64):
        lines = [tuple(tokens) for tokens in sequences(found, row)]
        assert len(lines) == len(set(lines)) == 8
    assert (np.diff(found.normalised, axis=1) <= 0).all()
    np.testing.assert_allclose(found.normalised, found.scores / penalty(found.lengths, alpha), rtol=1e-6)
    padding = np.arange(8) >= found.lengths[:, :, None]
    assert (found.tokens[padding] == 0).all()


def test_more_of_the_best_changes_none_of_them():
    step, _ = prefix_model(6, scale=1.0)
    many = search(step, Limits(8, end=3), beams=5, n_best=5, alpha=1.0, batch=64)
    one = search(step, Limits(8, end=3), beams=5, n_best=1, alpha=1.0, batch=64)
    np.testing.assert_array_equal(many.tokens[:, :1], one.tokens)
    np.testing.assert_array_equal(many.scores[:, :1], one.scores)


def test_limits_hold():
    step, _ = prefix_model(9, scale=0.3)
    limits = Limits(11, end=4, min_length=6, no_repeat_ngram=2, never=(0, 1))
    found = search(step, limits, beams=6, n_best=6, batch=32)
    ended = 0
    for row in range(32):
        for tokens in sequences(found, row):
            before = tokens[:-1] if tokens[-1] == 4 else tokens
            assert len(before) >= 6
            assert 4 not in before
            assert len(tokens) <= 11
            assert not {0, 1} & set(tokens)
            pairs = list(itertools.pairwise(tokens))
            assert len(pairs) == len(set(pairs))
            ended += tokens[-1] == 4
    assert 0 < ended < 192


def test_a_batch_gives_what_each_row_alone_gives():
    step, _ = prefix_model(6, scale=1.0)
    limits = Limits(10, end=3)
    run = jax.jit(functools.partial(beam_search, step, limits=limits, beams=4, n_best=3, alpha=0.5))
    state, first = rows(16)
    together = run(state, first)
    assert len(set(np.asarray(together.lengths[:, 0]))) > 2  # they end at different steps
    for row in range(16):
        alone = run({"code": state["code"][row : row + 1]}, first[row : row + 1])
        for a, b in zip(jax.tree.leaves(alone), jax.tree.leaves(together), strict=True):
            np.testing.assert_array_equal(a[0], b[row])


def test_the_state_follows_its_beam():
    """The model's own log-probabilities of the tokens that came out, fed to it once more, add up to the scores."""
    step, zero = lstm_model(11, scale=2.0)
    limits = Limits(9, end=2)
    found = jax.jit(functools.partial(beam_search, step, limits=limits, beams=4, n_best=4))(zero(5), jnp.ones(5, int))
    for n in range(4):
        state, last, score = zero(5), jnp.ones(5, int), jnp.zeros(5)
        for t in range(9):
            state, logits = step(state, last)
            last = found.tokens[:, n, t]
            score += jnp.where(t < found.lengths[:, n], jax.nn.log_softmax(logits)[jnp.arange(5), last], 0)
        np.testing.assert_allclose(found.scores[:, n], score, rtol=1e-5)


def test_it_stops_as_soon_as_none_can_win():
    table = jnp.array([[0.0, 0.0, 0.0], [9.0, 0.0, -1.0], [0.0, 0.0, 0.0]])

    def step(state, tokens):
        return state + 1, table[tokens]

    calls = []

    def counted(state, tokens):
        jax.debug.callback(lambda: calls.append(1))
        return step(state, tokens)

    best(counted, jnp.zeros(2), jnp.ones(2, int), Limits(1000, end=0), beams=3)
    jax.effects_barrier()
    assert len(calls) == 1
    calls.clear()
    best(counted, jnp.zeros(2), jnp.ones(2, int), Limits(50, end=0), beams=3, n_best=3)
    jax.effects_barrier()
    assert 1 < len(calls) < 50


def test_equal_scores_go_to_the_first_and_are_counted_once():
    step = lambda state, tokens: (state, jnp.zeros((len(tokens), 3)))
    found = best(step, jnp.zeros(2), jnp.ones(2, int), Limits(2), beams=9, n_best=9)
    assert sorted(sequences(found, 0)) == [[a, b] for a in range(3) for b in range(3)]
    assert list(found.tokens[0, 0]) == [0, 0]
    np.testing.assert_allclose(found.scores, 2 * np.log(1 / 3), rtol=1e-6)


def test_one_token_in_the_vocabulary():
    step = lambda state, tokens: (state, jnp.zeros((len(tokens), 1)))
    found = best(step, jnp.zeros(2), jnp.zeros(2, int), Limits(3), beams=4, n_best=2)
    np.testing.assert_array_equal(found.lengths, [[3, 0], [3, 0]])
    np.testing.assert_array_equal(found.scores, [[0, -np.inf]] * 2)
    ended = best(step, jnp.zeros(2), jnp.zeros(2, int), Limits(3, end=0), beams=4)
    np.testing.assert_array_equal(ended.lengths, [[1], [1]])


def test_where_nothing_may_follow_there_is_no_nan():
    dead = lambda state, tokens: (state, jnp.full((len(tokens), 4), -jnp.inf))
    found = best(dead, jnp.zeros(2), jnp.ones(2, int), Limits(3, end=0), beams=3, n_best=3, alpha=1.0)
    assert (found.scores == -jnp.inf).all()
    assert (found.lengths == 0).all()
    assert not jnp.isnan(found.normalised).any()


def test_a_dead_end_loses_against_any_sequence_that_ends():
    """After 2 (nearly certain) nothing may follow; 3 is improbable, but it can end."""
    table = np.full((4, 4), -np.inf, np.float32)
    table[1, [2, 3]] = np.log([0.99, 0.01])
    table[3, 0] = 0.0
    step = lambda state, tokens: (state, jnp.asarray(table)[tokens])
    arguments = (step, jnp.zeros(1), jnp.ones(1, int), Limits(5, end=0))
    assert list(one_row(*arguments).tokens[0]) == [2, 0, 0, 0, 0]
    assert one_row(*arguments).scores[0] == -jnp.inf
    found = best(*arguments, beams=2, n_best=2)
    assert sequences(found, 0) == [[3, 0], [2]]
    np.testing.assert_allclose(found.scores[0], [np.log(0.01), -np.inf], rtol=1e-5)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"beams": 0}, ["beams", "1", "0"]),
        ({"beams": 2, "n_best": 0}, ["n_best", "0"]),
        ({"beams": 2, "n_best": 3}, ["n_best=3", "beams=2"]),
        ({"beams": 2, "limits": {"end": 6}}, ["end", "6", "0..5"]),
        ({"beams": 2, "limits": {"never": (-1,)}}, ["never", "-1"]),
    ],
)
def test_wrong_options_are_named(options, words):
    step, _ = prefix_model(6)
    limits = Limits(5, **options.pop("limits", {}))
    with pytest.raises(UserError) as error:
        beam_search(step, *rows(2), limits, **options)
    assert all(word in str(error.value) for word in words)


def test_a_blocked_repeat_does_not_cost_a_beam_its_place():
    """OpenNMT-py #1844: 47 is worth -0.2 at every step, 47 + t -0.1; no token may come twice."""
    logits = np.full((5, 60), -30.0, np.float32)
    logits[:, 47] = -0.2
    logits[np.arange(5), 48 + np.arange(5)] = -0.1
    step = lambda state, tokens: (state + 1, jnp.asarray(logits)[state])
    found = best(step, jnp.zeros(1, int), jnp.ones(1, int), Limits(3, no_repeat_ngram=1), beams=4, n_best=4)
    assert sequences(found, 0)[0] == [48, 49, 50]
    assert sorted(sequences(found, 0)[1:]) == [[47, 49, 50], [48, 47, 50], [48, 49, 47]]


def test_a_broken_row_does_not_disturb_the_others():
    step, _ = prefix_model(6, scale=1.0)

    def broken(state, tokens):
        state, logits = step(state, tokens)
        return state, logits.reshape(3, -1, 6).at[1].set(jnp.nan).reshape(logits.shape)

    limits = Limits(8, end=3)
    for found, whole in (
        (best(broken, *rows(3), limits, beams=3), best(step, *rows(3), limits, beams=3)),
        (one_row(broken, *rows(3), limits), one_row(step, *rows(3), limits)),
    ):
        assert jnp.isnan(found.scores[1]).all()
        for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(whole), strict=True):
            np.testing.assert_array_equal(a[::2], b[::2])


def test_in_double_precision_too():
    step, log_p = prefix_model(5)
    limits = Limits(5, end=2, min_length=2)
    with jax.enable_x64(True):
        for dtype in (jnp.float32, jnp.float64):
            wide = lambda state, tokens, dtype=dtype: (step(state, tokens)[0], step(state, tokens)[1].astype(dtype))
            found = best(wide, *rows(2), limits, beams=4, alpha=0.6)
            assert found.scores.dtype == dtype
            for row in range(2):
                ((_, score, tokens),) = slow_beam_search(log_p, 5, limits, 4, 1, 0.6, row)
                assert sequences(found, row) == [tokens]
                np.testing.assert_allclose(found.scores[row], score, rtol=1e-5 if dtype == jnp.float32 else 1e-12)
