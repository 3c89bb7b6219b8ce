"""What layers made of layers promise: both directions, stacks."""

import jax
import jax.numpy as jnp
import pytest
from flax import linen as nn

from drawn_arrays import close, close_trees, draw
from recurrent_reference import apply, random_variables, start
from seqjax.layers.composite import Bidirectional, Stacked
from seqjax.layers.recurrent import GRU, LSTM, RNN


@pytest.mark.parametrize(
    ("merge", "sequences"), [("concat", False), ("concat", True), ("sum", True), ("mul", False), ("ave", True)]
)
def test_bidirectional_merges_both_directions(merge, sequences):
    x = draw(0, 4, 5, 3)
    mask = jnp.arange(5)[None, :] < jnp.array([5, 3, 1, 0])[:, None]
    layer = Bidirectional(GRU(4, return_sequences=sequences, return_state=True), merge=merge)
    params = random_variables(layer, x)
    y, states = apply(layer, params, x, mask)
    alone = GRU(4, return_sequences=sequences, return_state=True)
    parts = []
    for name, reverse in (("forward", False), ("backward", True)):
        one = {"params": params["params"][name]}
        part, state = apply(alone.clone(reverse=reverse, backend="scan"), one, x, mask)
        close(states[reverse], state)
        parts.append(part)
    a, b = parts
    merges = {"concat": jnp.concatenate(parts, axis=-1), "sum": a + b, "mul": a * b, "ave": (a + b) / 2}
    close(y, merges[merge])
    assert float(jnp.abs(a - b).max()) > 0.01


def test_bidirectional_with_two_different_layers_and_with_user_cells():
    x = draw(0, 2, 4, 3)
    layer = Bidirectional(GRU(4), LSTM(5))
    assert apply(layer, start(layer, x), x).shape == (2, 9)
    layer = Bidirectional(RNN(nn.GRUCell(4), return_sequences=True))
    params = start(layer, x)
    y = apply(layer, params, x)
    backward = {"params": params["params"]["backward"]}
    expected = apply(RNN(nn.GRUCell(4), return_sequences=True, reverse=True), backward, x)
    close(y[..., 4:], expected)
    same = jax.tree.map(lambda a, b: bool((a == b).all()), *params["params"].values())
    assert not all(jax.tree.leaves(same))


def test_stacked_feeds_sequences_upwards():
    x = draw(0, 2, 4, 3)
    layer = Stacked([GRU(4), LSTM(5, return_state=True)])
    params = random_variables(layer, x)
    y, (first, second) = apply(layer, params, x)
    below, above = ({"params": params["params"][f"layers_{k}"]} for k in range(2))
    sequence = apply(GRU(4, return_sequences=True), below, x)
    expected, state = apply(LSTM(5, return_state=True), above, sequence)
    close(y, expected)
    close(first, sequence[:, -1])
    close_trees(second, state)
    again, _ = apply(layer, params, x, None, (first, second))
    assert float(jnp.abs(again - y).max()) > 1e-4


def test_stacked_residual_adds_what_is_below_and_ignores_padding():
    x, mask = draw(0, 3, 6, 2), jnp.arange(6)[None, :] < jnp.array([6, 4, 1])[:, None]
    layers = lambda: [GRU(4), Bidirectional(GRU(2, return_sequences=True))]
    layer = Stacked(layers(), residual=True)
    params = random_variables(layer, x)
    y = apply(layer, params, x, mask)
    below, above = ({"params": params["params"][f"layers_{k}"]} for k in range(2))
    sequence = apply(GRU(4, return_sequences=True), below, x, mask)
    close(y, sequence + apply(Bidirectional(GRU(2, return_sequences=True)), above, sequence, mask))
    last = Stacked([GRU(4), Bidirectional(GRU(2))], residual=True)
    padded = jnp.pad(x, ((0, 0), (0, 3), (0, 0)), constant_values=9.0)
    wide = apply(last, params, padded, jnp.pad(mask, ((0, 0), (0, 3))))
    close(apply(last, params, x, mask), wide)


def test_stacked_dropout_acts_between_layers_in_training_only():
    x = draw(0, 2, 4, 3)
    layer = Stacked([GRU(4), GRU(4)], dropout=0.5)
    params = random_variables(layer, x)
    plain = apply(layer, params, x)
    close(plain, apply(layer.clone(dropout=0.0), params, x, train=True))
    dropped = [apply(layer, params, x, train=True, rngs={"dropout": jax.random.key(k)}) for k in range(2)]
    assert float(jnp.abs(dropped[0] - plain).max()) > 1e-3
    assert float(jnp.abs(dropped[0] - dropped[1]).max()) > 1e-3
