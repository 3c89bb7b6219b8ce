"""What the layers promise: masks, streaming, direction, dropout, errors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from drawn_arrays import close, close_trees, draw
from recurrent_reference import apply, random_variables, start
from seqjax.errors import UserError
from seqjax.layers.cells import LSTMCell
from seqjax.layers.composite import Bidirectional, Stacked
from seqjax.layers.recurrent import GRU, LSTM, RNN, SimpleRNN

BACKENDS = ["scan", "fused"]


class Counter(nn.Module):
    """A user's cell: y is the number of steps taken, times x; the state is an int."""

    @nn.compact
    def __call__(self, carry, x):
        gain = self.param("gain", nn.initializers.ones, ())
        return carry + 1, gain * carry[:, None] * x

    def initialize_carry(self, rng, input_shape):
        return jnp.zeros(input_shape[0], jnp.int32)


def test_a_user_cell_scans_and_holds():
    x = jnp.ones((2, 5, 3))
    mask = jnp.array([[False, True, True, False, True], [True, False, False, False, False]])
    layer = RNN(Counter(), return_sequences=True, return_state=True)
    y, count = layer.apply(start(layer, x), x, mask)
    np.testing.assert_array_equal(count, [3, 1])
    np.testing.assert_array_equal(y[:, :, 0], [[0, 0, 1, 1, 2], [0, 0, 0, 0, 0]])
    backwards = layer.clone(reverse=True)
    y, count = backwards.apply(start(layer, x), x, mask)
    np.testing.assert_array_equal(y[:, :, 0], [[2, 2, 1, 0, 0], [0, 0, 0, 0, 0]])


@pytest.mark.parametrize(
    ("cell", "reverse"),
    [(nn.LSTMCell(4), True), (LSTMCell(4, peephole="full", layer_norm=True), False)],
)
def test_scan_equals_a_python_loop(cell, reverse):
    """Outputs, final state and gradients, for one of Flax's cells and for our fullest one."""
    x, mask = draw(0, 3, 3, 2), jnp.array([[True] * 3, [True, False, True], [False] * 3])
    layer = RNN(cell, return_sequences=True, return_state=True, reverse=reverse)
    params = random_variables(layer, x)

    def loop(params, x):
        inner = {"params": params["params"]["cell"]}
        carry = jax.tree.map(jnp.zeros_like, (draw(0, 3, 4), draw(0, 3, 4)))
        y, outputs = jnp.zeros((3, 4)), [None] * 3
        for t in reversed(range(3)) if reverse else range(3):
            valid = mask[:, t, None]
            new, y_new = cell.apply(inner, carry, x[:, t])
            carry = jax.tree.map(lambda n, o, v=valid: jnp.where(v, n, o), new, carry)
            y = jnp.where(valid, y_new, y)
            outputs[t] = y
        return jnp.stack(outputs, axis=1), carry

    def everything(function):
        def loss(params, x):
            results = function(params, x)
            return sum((a**3).sum() for a in jax.tree.leaves(results)), results

        return jax.jit(jax.value_and_grad(loss, argnums=(0, 1), has_aux=True))(params, x)

    close_trees(everything(lambda params, x: layer.apply(params, x, mask)), everything(loop))


LAYERS = [SimpleRNN, LSTM, GRU]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("kind", "reverse"), [(SimpleRNN, True), (LSTM, False), (LSTM, True), (GRU, False)])
def test_extra_padding_changes_nothing(kind, reverse, backend):
    """Right, left and scattered padding, full of nonsense."""
    x = draw(1, 2, 4, 3)
    layer = kind(5, return_sequences=True, return_state=True, reverse=reverse, backend=backend)
    params = random_variables(layer, x)
    y, state = apply(layer, params, x)
    run = jax.jit(layer.apply)
    for where in ([0, 1, 2, 3], [3, 4, 5, 6], [0, 2, 3, 6]):
        padded, mask = np.full((2, 7, 3), 1e3, np.float32), np.zeros((2, 7), bool)
        padded[:, where], mask[:, where] = x, True
        y_padded, state_padded = run(params, padded, mask)
        close(np.asarray(y_padded)[:, where], y)
        close_trees(state_padded, state)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_row_masked_everywhere_returns_its_initial_state(backend):
    x, h, c = draw(0, 2, 3, 2), draw(1, 2, 4), draw(2, 2, 4)
    layer = LSTM(4, return_state=True, backend=backend)
    y, state = apply(layer, random_variables(layer, x), x, jnp.zeros((2, 3), bool), (h, c))
    close(y, h)
    close_trees(state, (h, c))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", LAYERS)
def test_a_sequence_fed_in_pieces_equals_the_whole(kind, backend):
    x, mask = draw(0, 2, 7, 3), jnp.asarray(np.random.default_rng(0).random((2, 7)) < 0.6)
    layer = kind(4, return_sequences=True, return_state=True, backend=backend)
    params = random_variables(layer, x)
    whole, end = apply(layer, params, x, mask)
    state, pieces = None, []
    for first, last in [(0, 1), (1, 5), (5, 7)]:
        y, state = apply(layer, params, x[:, first:last], mask[:, first:last], state)
        pieces.append(y)
    close(jnp.concatenate(pieces, axis=1), whole)
    close_trees(state, end)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_last_output_is_that_of_the_sequence(backend):
    x = draw(0, 2, 5, 3)
    for reverse, step in ((False, -1), (True, 0)):
        layer = GRU(4, reverse=reverse, backend=backend)
        params = random_variables(layer, x)
        sequence = apply(layer.clone(return_sequences=True), params, x)
        close(apply(layer, params, x), sequence[:, step])


def identity_probe(units, rate, **options):
    """W = 0, U = I, linear: h_T = h_0 * mask^T shows the mask itself."""
    return SimpleRNN(
        units,
        activation="linear",
        recurrent_dropout=rate,
        kernel_init=nn.initializers.zeros,
        recurrent_init=lambda key, shape, dtype: jnp.eye(*shape, dtype=dtype),
        return_sequences=True,
        **options,
    )


def test_recurrent_dropout_is_one_mask_for_all_steps_and_fresh_at_every_call():
    layer, x, h = identity_probe(50, 0.4), jnp.zeros((20, 3, 2)), jnp.ones((20, 50))
    params = start(layer, x)
    call = jax.jit(lambda key: layer.apply(params, x, None, h, True, rngs={"dropout": key}))
    first = call(jax.random.key(0))
    mask = first[:, 0]
    close(np.unique(mask), [0, 1 / 0.6])
    assert float((mask > 0).mean()) == pytest.approx(0.6, abs=0.05)
    for t in range(3):
        close(first[:, t], mask ** (t + 1))
    np.testing.assert_array_equal(first, call(jax.random.key(0)))
    other = call(jax.random.key(1))[:, 0]
    assert float((other != mask).mean()) == pytest.approx(2 * 0.6 * 0.4, abs=0.05)
    close(apply(layer, params, x, None, h), jnp.ones_like(first))


def test_a_fresh_mask_is_another_one_at_each_step():
    layer, x, h = identity_probe(50, 0.4, fresh=True), jnp.zeros((20, 3, 2)), jnp.ones((20, 50))
    y = apply(layer, start(layer, x), x, None, h, train=True, rngs={"dropout": jax.random.key(0)})
    masks = [np.asarray(y[:, 0]), *(np.asarray(jnp.where(y[:, t - 1] > 0, y[:, t] / y[:, t - 1], -1)) for t in (1, 2))]
    for mask in masks:
        seen = mask[mask >= 0]
        np.testing.assert_allclose(np.unique(seen.round(5)), [0, round(1 / 0.6, 5)], rtol=1e-5)
        assert float((seen > 0).mean()) == pytest.approx(0.6, abs=0.06)
    alive = masks[2] >= 0
    assert float(((masks[1] > 0) == (masks[2] > 0))[alive].mean()) < 0.7
    close(apply(layer, start(layer, x), x, None, h), jnp.ones_like(y))


@pytest.mark.parametrize("backend", BACKENDS)
def test_recurrent_dropout_masks_are_per_gate_unless_tied(backend):
    """A GRU with kernel 0 and recurrent kernel 1 for one gate only tells that gate's mask."""
    drawn = {}
    for tied in (False, True):
        layer = GRU(8, recurrent_dropout=0.5, tied=tied, backend=backend)
        bound = layer.bind({}, rngs={"dropout": jax.random.key(3)})
        mask = bound._draw_recurrent_mask(16, 3, True)
        assert mask.shape == (1 if tied else 3, 16, 8)
        drawn[tied] = mask
        x = draw(0, 16, 3, 2)
        params = random_variables(layer, x)
        y = apply(layer, params, x, recurrent_mask=mask)
        assert float(jnp.abs(y - apply(layer, params, x)).max()) > 1e-3
        if tied:
            close(y, apply(layer, params, x, recurrent_mask=jnp.repeat(mask, 3, axis=0)))
    z, r, h = drawn[False]
    assert 0.3 < float((z != r).mean()) < 0.7
    assert 0.3 < float((r != h).mean()) < 0.7


def test_input_dropout_is_one_mask_for_all_steps():
    layer = SimpleRNN(
        30,
        activation="linear",
        dropout=0.5,
        kernel_init=lambda key, shape, dtype: jnp.eye(*shape, dtype=dtype),
        recurrent_init=nn.initializers.zeros,
        return_sequences=True,
    )
    x = jnp.ones((8, 4, 30))
    y = apply(layer, start(layer, x), x, train=True, rngs={"dropout": jax.random.key(0)})
    close(np.unique(y), [0, 2])
    close(y, jnp.broadcast_to(y[:, :1], y.shape))
    assert float((y[0, 0] != y[1, 0]).mean()) > 0.2


def test_zoneout_keeps_old_values_in_training_and_averages_otherwise():
    layer = identity_probe(40, 0.0, zoneout=0.3)
    layer = layer.clone(recurrent_init=nn.initializers.zeros)  # the new state is 0
    x, h = jnp.zeros((20, 3, 2)), jnp.ones((20, 40))
    params = start(layer, x)
    trained = apply(layer, params, x, None, h, train=True, rngs={"dropout": jax.random.key(0)})
    assert set(np.unique(trained)) == {0.0, 1.0}
    for t in range(3):
        assert float(trained[:, t].mean()) == pytest.approx(0.3 ** (t + 1), abs=0.04)
        close(apply(layer, params, x, None, h)[:, t], 0.3 ** (t + 1))
    held = apply(layer, params, x, jnp.zeros((20, 3), bool), h)
    close(held, 1)


def test_bfloat16_outputs():
    x = draw(0, 2, 4, 3)
    layer = GRU(4, dtype=jnp.bfloat16, return_sequences=True, return_state=True)
    params = random_variables(layer, x)
    y, state = apply(layer, params, x)
    assert (y.dtype, state.dtype) == (jnp.bfloat16, jnp.float32)
    exact = apply(GRU(4, return_sequences=True), params, x)
    np.testing.assert_allclose(np.asarray(y, np.float32), exact, atol=0.03)


X = jnp.zeros((2, 4, 3))


@pytest.mark.parametrize(
    ("layer", "arguments", "message"),
    [
        (LSTM(2), (X[0],), r"LSTM: inputs must be \[batch, time, features\], not of shape \(4, 3\)"),
        (GRU(2), (X, jnp.ones((2, 4))), r"GRU: mask must be bool of shape \(2, 4\), not float32"),
        (GRU(2), (X, jnp.ones((4, 2), bool)), r"not bool of shape \(4, 2\)"),
        (GRU(2, recurrent_dropout=1.0), (X,), r"GRU: recurrent_dropout=1.0 is not in \[0, 1\)"),
        (LSTM(2, zoneout=-0.1), (X,), r"LSTM: zoneout=-0.1 is not in \[0, 1\)"),
        (Bidirectional(GRU(2), merge="max"), (X,), "merge 'max' is unknown; choose one of concat, sum, mul, ave"),
        (Stacked([]), (X,), "Stacked: no layers given"),
        (Stacked([GRU(2)] * 2), (X,), "Stacked: the same layer object is given twice"),
        (Stacked([GRU(2), GRU(3)], residual=True), (X,), "residual needs equal widths, but layer 1 turns 2 into 3"),
    ],
)
def test_nonsense_is_refused(layer, arguments, message):
    with pytest.raises(UserError, match=message):
        layer.init(jax.random.key(0), *arguments)
