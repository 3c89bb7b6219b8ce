"""Greedy decoding against a slow one of a few lines; limits; extras; shapes that make no sense."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax.decoding import Limits, greedy
from seqjax.decoding.limits import repeats
from seqjax.errors import UserError
from toy_steps import lstm_model, prefix_model, rows, slow_greedy

quick = jax.jit(greedy, static_argnums=(0, 3))
B = 32
LIMITS = {
    "no end": Limits(4),
    "end": Limits(7, end=0),
    "end, at least 3": Limits(7, end=2, min_length=3),
    "never ends early": Limits(3, end=2, min_length=3),
    "no token twice": Limits(7, end=1, no_repeat_ngram=1),
    "no token twice, no end": Limits(7, no_repeat_ngram=1),  # there are 5: nothing may follow them
    "no bigram twice": Limits(9, no_repeat_ngram=2),
    "n-gram longer than the text": Limits(3, no_repeat_ngram=4),
    "never 1 or 3": Limits(5, end=2, never=(1, 3)),
}


@pytest.mark.parametrize("name", LIMITS)
def test_greedy_equals_a_slow_one(name):
    limits = LIMITS[name]
    step, log_p = prefix_model(5)
    found = jax.device_get(jax.jit(functools.partial(greedy, step, limits=limits))(*rows(B)))
    for row in range(B):
        score, tokens = slow_greedy(log_p, 5, limits, row)
        assert list(found.tokens[row]) == tokens + [0] * (limits.max_length - len(tokens))
        assert found.lengths[row] == len(tokens)
        np.testing.assert_allclose(found.scores[row], score, rtol=1e-5)
    assert not np.isnan(found.scores).any()


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_repeats_are_found(n):
    tokens = np.random.default_rng(n).integers(0, 3, (50, 9))
    find = jax.jit(repeats, static_argnums=(2, 3))
    for t in range(9):
        found = np.asarray(find(jnp.asarray(tokens), t, n, 3))
        for row, line in zip(found, tokens[:, :t].tolist(), strict=True):
            had = {tuple(line[i : i + n]) for i in range(t - n + 1)}
            last = line[t - n + 1 :] if n > 1 else []
            assert list(row) == [t >= n and (*last, v) in had for v in range(3)]


def test_a_row_alone_gives_the_same_and_the_loop_ends_with_the_last_row():
    step, _ = prefix_model(5)
    calls = []

    def counted(state, tokens):
        jax.debug.callback(lambda: calls.append(1))
        return step(state, tokens)

    run = jax.jit(functools.partial(greedy, counted, limits=Limits(500, end=0)))
    state, first = rows(B)
    together = run(state, first)
    jax.effects_barrier()
    assert len(calls) == together.lengths.max() < 500
    for row in (0, 5, int(together.lengths.argmax())):
        calls.clear()
        alone = run({"code": state["code"][row : row + 1]}, first[row : row + 1])
        jax.effects_barrier()
        assert len(calls) == alone.lengths[0]
        for a, b in zip(jax.tree.leaves(alone), jax.tree.leaves(together), strict=True):
            np.testing.assert_array_equal(a[0], b[row])


def test_extras_are_collected_up_to_the_end():
    step, zero = lstm_model(6)

    def with_extra(state, tokens):
        state, logits = step(state, tokens)
        return state, logits, {"h": state[0], "sum": state[0].sum(axis=1) + 1}

    plain = quick(step, zero(B), jnp.arange(B) % 6, Limits(8, end=3))
    found = quick(with_extra, zero(B), jnp.arange(B) % 6, Limits(8, end=3))
    np.testing.assert_array_equal(found.tokens, plain.tokens)
    assert found.extra["h"].shape == (B, 8, 8)
    assert len(set(np.asarray(found.lengths))) > 1
    real = np.arange(8) < np.asarray(found.lengths)[:, None]
    np.testing.assert_array_equal(found.extra["sum"][~real], 0)
    np.testing.assert_allclose(found.extra["h"].sum(-1)[real] + 1, found.extra["sum"][real], rtol=1e-5)
    state, last = zero(B), jnp.arange(B) % 6
    for t in range(8):
        state, _ = step(state, last)
        last = found.tokens[:, t]
        np.testing.assert_allclose(found.extra["h"][real[:, t], t], state[0][real[:, t]], rtol=1e-5, atol=1e-6)


def test_of_equal_logits_the_first_is_taken():
    step = lambda state, tokens: (state, jnp.zeros((len(tokens), 3)))
    found = quick(step, (), jnp.ones(2, int), Limits(3, never=(0,)))
    np.testing.assert_array_equal(found.tokens, np.ones((2, 3)))
    np.testing.assert_allclose(found.scores, 3 * np.log(1 / 3), rtol=1e-6)  # the model's, nothing left out


def test_bfloat16_logits_are_summed_in_float32():
    step = lambda state, tokens: (state, jnp.zeros((len(tokens), 3), jnp.bfloat16))
    found = quick(step, (), jnp.ones(1, int), Limits(1000))
    np.testing.assert_allclose(found.scores, 1000 * np.log(1 / 3), rtol=1e-4)


def test_no_rows():
    step, _ = prefix_model(5)
    assert quick(step, *rows(0), Limits(4)).tokens.shape == (0, 4)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"max_length": 0}, ["max_length", "at least 1", "0"]),
        ({"max_length": 2.5}, ["max_length", "integer", "2.5"]),
        ({"max_length": 3, "min_length": -1}, ["min_length", "-1"]),
        ({"max_length": 3, "min_length": 4}, ["min_length=4", "max_length=3"]),
        ({"max_length": 3, "no_repeat_ngram": -2}, ["no_repeat_ngram", "-2"]),
        ({"max_length": 3, "end": 2, "never": (1, 2)}, ["end=2", "never"]),
    ],
)
def test_wrong_limits_are_named(options, words):
    with pytest.raises(UserError) as error:
        Limits(**options)
    assert all(word in str(error.value) for word in words), error.value


@pytest.mark.parametrize(
    ("state", "first", "words"),
    [
        (jnp.zeros(3), jnp.ones(2, int), ["state", "2 rows", "(3,)"]),
        (jnp.zeros(()), jnp.ones(2, int), ["state", "2 rows", "()"]),
        (jnp.zeros(2), jnp.ones(2), ["first", "integers", "float32"]),
        (jnp.zeros(2), jnp.ones((2, 1), int), ["first", "(2, 1)"]),
    ],
)
def test_wrong_rows_are_named(state, first, words):
    with pytest.raises(UserError) as error:
        greedy(lambda state, tokens: (state, jnp.zeros((len(tokens), 3))), state, first, Limits(3))
    assert all(word in str(error.value) for word in words), error.value
    with pytest.raises(UserError, match="logits must be"):
        greedy(lambda state, tokens: (state, jnp.zeros(3)), jnp.zeros(2), jnp.ones(2, int), Limits(3))
