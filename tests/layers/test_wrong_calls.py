"""Wrong calls are refused by every backend alike, in one line, and never reach memory that is not theirs."""

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from recurrent_reference import random_variables
from seqjax.errors import UserError
from seqjax.layers import bags, convolution
from seqjax.layers.backends import native_library
from seqjax.layers.composite import Bidirectional, Stacked
from seqjax.layers.embeddings import Embedding
from seqjax.layers.recurrent import GRU, LSTM, RNN, SimpleRNN
from seqjax.layers.tokens import Tokens

BACKENDS = ["scan", "fused", *(["native"] if native_library.computes(np.float32) else [])]
X = jnp.ones((3, 6, 4))
ones = lambda *shape: jnp.ones(shape)


def refused(message, layer, *arguments, **options):
    """The layer, made for each backend, refuses them with the message."""
    for backend in BACKENDS:
        made = layer(backend)
        with pytest.raises(UserError, match=message) as caught:
            made.apply(random_variables(made, X), *arguments, **options)
        assert "\n" not in str(caught.value)


lstm = lambda backend: LSTM(5, backend=backend)


@pytest.mark.parametrize("batch", [0, 1, 8, 64, 4000])
def test_a_state_of_another_batch(batch):
    for h, c in [(batch, batch), (batch, 3), (3, batch)]:
        refused(r"LSTM: \w of initial_state .* \(3, 5\), not float32", lstm, X, None, (ones(h, 5), ones(c, 5)))


ONE, PAIR = ones(3, 5), (ones(3, 5), ones(3, 5))
STATES = [
    (lstm, ONE, r"LSTM: initial_state must be \(h, c\), each of shape \(3, 5\), not float32 of shape \(3, 5\)"),
    (lstm, (*PAIR, ONE), r"not a tuple of 3 \("),
    (lstm, {"h": ONE, "c": ONE}, "not a dict"),
    (lstm, (ONE, None), r"LSTM: c of initial_state .*, not None"),
    (lstm, (ones(3, 4), ones(3, 4)), r"not float32 of shape \(3, 4\)"),
    (lstm, (ones(3, 5, 1), ONE), r"not float32 of shape \(3, 5, 1\)"),
    (lstm, (ONE.astype(complex), ONE), "must be real numbers .* not complex64"),
    (lambda b: GRU(5, backend=b), PAIR, r"GRU: initial_state must be h, of shape \(3, 5\), not a tuple of 2"),
    (lambda b: SimpleRNN(5, backend=b), "zeros", "SimpleRNN: h of initial_state .*, not a str"),
    (lambda b: Bidirectional(LSTM(5, backend=b)), PAIR, r"LSTM: initial_state must be \(h, c\)"),
    (lambda b: Bidirectional(GRU(5, backend=b)), ones(2, 3, 5), r"must be a tuple of 2, \(forward, backward\), not"),
    (lambda b: Stacked([GRU(5, backend=b), GRU(5, backend=b)]), (ONE,), "Stacked: initial_state must be a tuple of 2"),
    (lambda b: Stacked([GRU(5, backend=b), GRU(5, backend=b)]), ones(2, 3, 5), "Stacked: initial_state"),
    (lambda _: RNN(nn.LSTMCell(5)), ONE, "RNN: initial_state must be as the cell's own, a tuple of 2"),
    (lambda _: RNN(nn.LSTMCell(5)), (ONE, ones(8, 5)), r"RNN: initial_state\[1\] must be float32 of shape \(3, 5\)"),
    (lambda _: RNN(nn.GRUCell(5)), jnp.ones((3, 5), int), "must be float32 .*, not int32"),
]


@pytest.mark.parametrize(("layer", "state", "message"), STATES)
def test_a_state_of_another_form(layer, state, message):
    refused(message, layer, X, None, state)


@pytest.mark.parametrize(
    ("inputs", "mask", "message"),
    [
        (X[0], None, r"inputs must be \[batch, time, features\], not of shape \(6, 4\)"),
        (X[None], None, r"not of shape \(1, 3, 6, 4\)"),
        (X[..., :0], None, r"not of shape \(3, 6, 0\)"),
        (X.astype(complex), None, "must be real numbers, not complex64"),
        (None, None, "not None"),
        ([[[1.0], [2.0, 3.0]]], None, "not a list of 1"),
        (X, jnp.ones((3, 6)), r"mask must be bool of shape \(3, 6\), not float32"),
        (X, jnp.ones((3, 6), int), "not int32"),
        (X, jnp.ones((3, 6, 1), bool), r"not bool of shape \(3, 6, 1\)"),
        (X, "all", "mask must be bool .* not a str"),
        (Tokens(ones(3, 6), ones(9, 4)), None, "ids of Tokens must be integers of shape"),
        (Tokens(jnp.zeros(3, int), ones(9, 4)), None, "ids of Tokens must be integers of shape"),
        (Tokens(jnp.zeros((3, 6), int), ones(9)), None, "table of Tokens must be floats of shape"),
        (Tokens(jnp.zeros((3, 6), int), ones(0, 4)), None, "rows in the table of Tokens must be at least 1"),
        (Tokens(jnp.zeros((3, 6), int)), None, "vocabulary_size of Tokens without a table .* not None"),
    ],
)
def test_inputs_and_masks(inputs, mask, message):
    refused(message, lstm, inputs, mask)


def test_recurrent_masks_and_types():
    for shape in [(4, 2, 5), (2, 3, 5), (4, 3, 6), (3, 5), (4, 4000, 5)]:
        refused(r"recurrent_mask must be real numbers of shape \(4, 3, 5\)", lstm, X, recurrent_mask=ones(*shape))
    refused(r"of shape \(1, 3, 5\)", lstm, X, recurrent_mask=ones(1, 2, 5))
    for options, message in (
        ({"dtype": int}, "dtype must be a type of float"),
        ({"param_dtype": jnp.complex64}, "param_dtype must be a type of float"),
        ({"units": 2.5}, "LSTM: units must be an integer of at least 1, not 2.5"),
    ):
        for backend in BACKENDS:
            with pytest.raises(UserError, match=message):
                LSTM(**{"units": 5, "backend": backend, **options}).init(jax.random.key(0), X)


def test_what_is_meant_is_taken():
    """Lists, NumPy arrays and integers are numbers too; under vmap and jit a shape is the shape that is seen."""
    for backend in BACKENDS:
        layer = LSTM(5, return_state=True, backend=backend)
        params = random_variables(layer, X)
        expected = layer.apply(params, X, jnp.ones((3, 6), bool), PAIR)
        listed = layer.apply(params, X.astype(int).tolist(), [[True] * 6] * 3, [np.ones((3, 5)), jnp.ones((3, 5), int)])
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), listed, expected)
        state = jnp.ones((2, 4, 5))
        with pytest.raises(UserError, match=r"\(3, 5\), not float32 of shape \(4, 5\)"):
            jax.jit(jax.vmap(lambda h, p=params, la=layer: la.apply(p, X, None, (h, h))))(state)


@pytest.mark.parametrize("backend", BACKENDS)
def test_ids_outside_count_as_the_nearest_inside(backend):
    far = jnp.array([[-100_000_000, 3, 8], [2**30, -1, 9]])
    near = jnp.array([[0, 3, 8], [8, 0, 8]])
    table = jnp.asarray(np.random.default_rng(0).normal(size=(9, 4)), jnp.float32)
    layer = LSTM(5, backend=backend)
    plain = LSTM(5, backend="scan")
    for tokens in (lambda ids, table: Tokens(ids, table), lambda ids, _: Tokens(ids, vocabulary_size=9)):
        params = random_variables(layer, tokens(near, table).dense())

        def both(params, table, tokens=tokens):
            found = lambda p, t: (layer.apply(p, tokens(far, t)) ** 2).sum()
            expected = lambda p, t: (plain.apply(p, tokens(near, t).dense()) ** 2).sum()
            return [jax.value_and_grad(one, (0, 1))(params, table) for one in (found, expected)]

        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, 1e-4, 1e-6), *jax.jit(both)(params, table))
    embedding = Embedding(9, 4)
    np.testing.assert_array_equal(embedding.apply({"params": {"embedding": table}}, far), table[near])
    huge = np.array([[2**40 + 5, -(2**40)]])  # which JAX's own int32 would wrap around
    np.testing.assert_array_equal(embedding.apply({"params": {"embedding": table}}, huge), table[jnp.array([[8, 0]])])


def test_of_bags():
    tokens, kernel = jnp.array([[0, 2, 9], [1, 1, 2]]), jnp.arange(15.0).reshape(5, 3)
    for arguments, message in (
        ((tokens, ones(2, 2), kernel), r"bags: weights must be real numbers of shape \(2, 3\), not float32 of shape"),
        ((tokens, ones(2), kernel), "bags: weights"),
        ((tokens[0], None, kernel), r"bags: tokens must be integers of shape \(bags, tokens\)"),
        ((ones(2, 3), None, kernel), "bags: tokens must be integers"),
        ((tokens, None, kernel[0]), r"bags: kernel must be real numbers of shape \(columns, units\)"),
        ((tokens, None, None), "bags: kernel .* not None"),
    ):
        with pytest.raises(UserError, match=message):
            bags.product(*arguments)
    step = jax.value_and_grad(lambda kernel, tokens, weights: bags.product(tokens, weights, kernel).sum())
    for weights in (None, ones(2, 3)):
        found = step(kernel, jnp.where(tokens == 9, -100_000_000, tokens), weights)
        jax.tree.map(np.testing.assert_array_equal, found, step(kernel, tokens, weights))
    assert bags.product(jnp.array([[200]], jnp.uint8), None, ones(300, 2)).tolist() == [[1.0, 1.0]]


def test_of_convolutions():
    for shapes, message in (
        (((9, 2, 3), (3, 4, 5)), r"inputs must be real numbers of shape \(time, 4, batch\)"),
        (((9, 2), (3, 2, 5)), "inputs must be"),
        (((9, 2, 3), (3, 2)), "kernel must be"),
        (((2, 2, 3), (3, 2, 5)), "a kernel 3 steps wide over 2 steps"),
        (((9, 2, 3), (0, 2, 5)), "a kernel 0 steps wide over 9 steps"),
    ):
        with pytest.raises(UserError, match=message):
            convolution.convolve(*(jnp.ones(shape) for shape in shapes))
    with pytest.raises(UserError, match="Conv1D: width must be at least 1, not 0"):
        convolution.Conv1D(2, 0).init(jax.random.key(0), ones(9, 2, 3))


def fuzz(first, count):
    script = Path(__file__).with_name("wrong_calls.py")
    done = subprocess.run([sys.executable, str(script), str(first), str(count)], capture_output=True, text=True)
    said = done.stdout.splitlines()[-1:] + done.stderr.splitlines()[-1:]
    assert done.returncode == 0, f"{said} (signal {-done.returncode})" if done.returncode < 0 else said
    return int(re.search(r"(\d+) refused", done.stdout)[1])


def test_random_calls_are_refused_or_answered_alike():
    assert 4 < fuzz(0, 12) < 11


@pytest.mark.slow
def test_two_thousand_random_calls_are_refused_or_answered_alike():
    with ThreadPoolExecutor(2) as pool:
        refused = sum(pool.map(lambda first: fuzz(first, 125), range(10_000, 12_000, 125)))
    assert 700 < refused < 1700
