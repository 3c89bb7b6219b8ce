"""A convolutional LSTM through `RNN`: against Keras's and Flax's, masked, in pieces, in any direction."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from flax import nnx

from drawn_arrays import close_trees
from recurrent_reference import random_variables
from seqjax.errors import UserError
from seqjax.layers import RNN, Bidirectional, ConvLSTMCell, Stacked

MASK = np.array([[True, True, False, True], [False, True, True, False], [False] * 4])
SEQUENCES = {"return_sequences": True, "return_state": True}
CASES = {
    "same, masked": {"kernel_size": (3, 2), "padding": "same"},
    "backwards": {"kernel_size": 3, "padding": "same", "reverse": True},
    "valid, strides": {"kernel_size": (2, 3), "strides": (2, 1), "activation": "relu"},
    "same, strides": {"kernel_size": 3, "strides": 2, "padding": "same", "recurrent_activation": "hard_sigmoid"},
}


def pictures(seed=0, dtype=np.float32):
    return np.random.default_rng(seed).normal(size=(3, 4, 5, 6, 2)).astype(dtype)


def layer_of(reverse=False, dtype=jnp.float32, **options):
    return RNN(ConvLSTMCell(3, **options, param_dtype=dtype), reverse=reverse, **SEQUENCES)


def with_gradients(run, *arguments):
    """-> (what `run` gives; the gradients, for each argument, of a random projection of it)."""

    def loss(*arguments):
        found = run(*arguments)
        weights = [np.random.default_rng(k).normal(size=leaf.shape) for k, leaf in enumerate(jax.tree.leaves(found))]
        return sum((w * leaf).sum() for w, leaf in zip(weights, jax.tree.leaves(found), strict=True)), found

    (_, found), gradients = jax.jit(jax.value_and_grad(loss, tuple(range(len(arguments))), has_aux=True))(*arguments)
    return found, gradients


@pytest.mark.parametrize("case", CASES)
def test_keras(case):
    """Outputs, states and gradients in double precision, from an initial state, in one case with a mask.

    That one unrolled: in a loop Keras 3.15 on JAX lays a mask [B, 1] over [B, H, W, F] from the right, over columns.
    """
    keras = pytest.importorskip("keras")
    if keras.backend.backend() != "jax":
        pytest.skip("Keras was imported with another backend than jax")
    options = dict(CASES[case])
    reverse, mask = options.pop("reverse", False), jnp.asarray(MASK) if "masked" in case else None
    with jax.enable_x64(True), jax.numpy_rank_promotion("allow"):  # Keras's own code relies on it
        x, layer = pictures(dtype=np.float64), layer_of(reverse, jnp.float64, **options)
        params = random_variables(layer, jnp.asarray(x))["params"]["cell"]
        state = jax.tree.map(lambda leaf: leaf + 0.3, layer.cell.initialize_carry(None, x[:, 0].shape))
        own = {"activation": jnp.tanh} | options  # Keras's own casts to float32
        peer = keras.layers.ConvLSTM2D(
            3, **own, go_backwards=reverse, **SEQUENCES, dtype="float64", unroll=mask is not None
        )
        peer.build(x.shape)

        def theirs(params, x, state):
            trainable = [params[v.name] for v in peer.trainable_variables]
            fixed = [v.value for v in peer.non_trainable_variables]
            (y, *final), _ = peer.stateless_call(trainable, fixed, x, initial_state=list(state), mask=mask)
            return jnp.flip(y, 1) if reverse else y, tuple(final)

        def ours(params, x, state):
            y, final = layer.apply({"params": {"cell": params}}, x, mask, state)
            seen = mask is None or jnp.cumsum(mask, 1)[:, :, None, None, None] > 0  # before that Keras has zeros
            return jnp.where(seen, y, 0), final

        found, expected = (with_gradients(run, params, jnp.asarray(x), state) for run in (ours, theirs))
        assert jax.tree.leaves(expected)[0].dtype == np.float64
        close = lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=1e-10 * max(1.0, np.abs(b).max()))
        jax.tree.map(close, found, expected)
        assert min(float(jnp.abs(leaf).max()) for leaf in jax.tree.leaves(expected)) > 1e-2


def test_it_equals_flaxs_cell_through_the_same_layer():
    """RNN knows nothing of either: pictures, masks and states of any shape."""
    x = jnp.asarray(pictures())
    ours = layer_of(kernel_size=3, padding="same")
    params = random_variables(ours, x)["params"]["cell"]
    theirs = RNN(nn.ConvLSTMCell(3, (3, 3)), **SEQUENCES)
    gates = lambda array: jnp.concatenate([jnp.split(array, 4, -1)[k] for k in (0, 2, 1, 3)], -1)  # i, g, f, o
    in_flax = {
        "ih": {"kernel": gates(params["kernel"]), "bias": gates(params["bias"])},
        "hh": {"kernel": gates(params["recurrent_kernel"]), "bias": gates(jnp.repeat(jnp.float32([0, -1, 0, 0]), 3))},
    }  # it adds 1 to the forget gate
    y, (h, c) = jax.jit(ours.apply)({"params": {"cell": params}}, x, MASK)
    (expected, (their_c, their_h)) = jax.jit(theirs.apply)({"params": {"cell": in_flax}}, x, MASK)
    close_trees((y, h, c), (expected, their_h, their_c))


def test_all_steps_ahead_equal_each_step_by_itself():
    """`ahead` and `follow` by RNN, and the cell called in a loop: outputs, states and gradients."""
    x, layer = jnp.asarray(pictures()), layer_of(kernel_size=(2, 3), strides=(1, 2), reverse=True)
    params = random_variables(layer, x)["params"]["cell"]

    def loop(params, x):
        carry, outputs = layer.cell.initialize_carry(None, x[:, 0].shape), [None] * 4
        for t in reversed(range(4)):
            new, _ = layer.cell.apply({"params": params}, carry, x[:, t])
            held = MASK[:, t, None, None, None]
            carry = jax.tree.map(lambda n, o, held=held: jnp.where(held, n, o), new, carry)
            outputs[t] = carry[0]
        return jnp.stack(outputs, 1), carry

    run = lambda params, x: layer.apply({"params": {"cell": params}}, x, MASK)
    close_trees(with_gradients(run, params, x), with_gradients(loop, params, x))


def test_pieces_padding_and_nonsense_at_masked_steps_change_nothing():
    x, layer = jnp.asarray(pictures()), layer_of(kernel_size=3, padding="same")
    params = random_variables(layer, x)
    run = jax.jit(layer.apply)
    whole, end = run(params, x, MASK)
    first, state = run(params, x[:, :3], MASK[:, :3])
    last, final = run(params, x[:, 3:], MASK[:, 3:], state)
    close_trees((jnp.concatenate([first, last], 1), final), (whole, end))
    dirty = jnp.where(MASK[:, :, None, None, None], x, jnp.nan)
    close_trees(run(params, dirty, MASK), (whole, end))
    gradient = jax.jit(jax.grad(lambda p, x: layer.apply(p, x, MASK)[0].sum(), (0, 1)))
    close_trees(gradient(params, dirty), gradient(params, x))
    np.testing.assert_array_equal(end[0][2], 0)  # masked everywhere


def test_it_stands_in_both_directions_and_in_a_stack():
    x = jnp.asarray(pictures())
    cell = lambda filters, **options: RNN(ConvLSTMCell(filters, 3, padding="same"), **options)
    both = Bidirectional(cell(3, **SEQUENCES))
    params = random_variables(both, x)
    y, states = jax.jit(both.apply)(params, x, MASK)
    halves = [
        cell(3, reverse=reverse, **SEQUENCES).apply({"params": params["params"][name]}, x, MASK)
        for name, reverse in (("forward", False), ("backward", True))
    ]
    close_trees((y, states), (jnp.concatenate([half[0] for half in halves], -1), tuple(half[1] for half in halves)))
    stack = Stacked([both, cell(6), cell(6, **SEQUENCES)], residual=True)
    y, states = jax.jit(stack.apply)(random_variables(stack, x), x, MASK)
    assert y.shape == (3, 4, 5, 6, 6)
    assert [jax.tree.leaves(state)[0].shape[-1] for state in states] == [3, 6, 6]


def test_it_starts_as_kerass():
    x = jnp.asarray(pictures())
    params = ConvLSTMCell(4, 3).init(
        jax.random.key(0), ConvLSTMCell(4, 3).initialize_carry(None, x[:, 0].shape), x[:, 0]
    )
    params = params["params"]
    np.testing.assert_array_equal(params["bias"], np.repeat([0, 1, 0, 0], 4))
    recurrent = np.reshape(params["recurrent_kernel"], (3 * 3 * 4, 16))
    np.testing.assert_allclose(recurrent.T @ recurrent, np.eye(16), atol=1e-5)
    bound = np.sqrt(6 / (9 * 2 + 9 * 16))
    assert 0.9 * bound < np.abs(params["kernel"]).max() <= bound


def test_through_nnx_it_is_itself():
    x, layer = jnp.asarray(pictures()), layer_of(kernel_size=3)
    wrapped = nnx.bridge.ToNNX(layer, rngs=nnx.Rngs(0)).lazy_init(x)
    plain = {"params": nnx.to_pure_dict(nnx.state(wrapped, nnx.Param))}
    close_trees(wrapped(x, MASK), layer.apply(plain, x, MASK))


def test_bfloat16_outputs_and_a_state_of_floats():
    x, layer = jnp.asarray(pictures()), layer_of(kernel_size=3, padding="same")
    params = random_variables(layer, x)
    exact, _ = layer.apply(params, x)
    y, state = layer.clone(cell=layer.cell.clone(dtype=jnp.bfloat16)).apply(params, x)
    assert (y.dtype, state[0].dtype) == (jnp.bfloat16, jnp.float32)
    np.testing.assert_allclose(np.asarray(y, np.float32), exact, atol=0.06)
    half = jax.tree.map(lambda leaf: leaf.astype(jnp.float16), state)
    assert layer.apply(params, x, None, half)[1][0].dtype == jnp.float32


@pytest.mark.parametrize(
    ("options", "shape", "said"),
    [
        ({"filters": 0}, (2, 3, 5, 5, 1), "ConvLSTMCell: filters must be at least 1, not 0"),
        ({"padding": "full"}, (2, 3, 5, 5, 1), "padding 'full' is unknown; choose one of valid, same"),
        ({"kernel_size": 9}, (2, 3, 5, 5, 1), "a picture of 5 x 5 is smaller than the kernel of 9 x 9"),
        ({"strides": (1, 2, 3)}, (2, 3, 5, 5, 1), "strides must be a number or a pair of them"),
        ({"activation": "tan"}, (2, 3, 5, 5, 1), "activation 'tan' is unknown"),
        ({}, (2, 3, 5), r"\[batch, time, height, width, features\], not \[2, time, 5\]"),
        ({}, (2, 3, 5, 5), r"\[batch, time, height, width, features\], not \[2, time, 5, 5\]"),
        ({}, (2, 3, 5, 5, 0), r"\[batch, time, height, width, features\], not \[2, time, 5, 5, 0\]"),
    ],
)
def test_nonsense_is_refused(options, shape, said):
    with pytest.raises(UserError, match=said):
        RNN(ConvLSTMCell(**{"filters": 2, "kernel_size": 3, **options})).init(jax.random.key(0), jnp.ones(shape))


def test_a_state_of_another_shape_is_refused():
    x, layer = jnp.asarray(pictures()), layer_of(kernel_size=3)
    params = random_variables(layer, x)
    for state in (jnp.ones((3, 5, 6, 3)), (jnp.ones((3, 5, 6, 3)),) * 2):
        with pytest.raises(UserError, match="RNN: initial_state"):
            layer.apply(params, x, None, state)


def test_keras_weights_are_imported():
    keras = pytest.importorskip("keras")
    from interop_pairs import keras_model
    from seqjax.interop import from_keras

    example = np.zeros((2, 4, 5, 6, 2), np.float32)
    zeros = {"recurrent_initializer": "zeros", "return_sequences": True}
    model = keras_model(lambda: [keras.layers.ConvLSTM2D(3, (3, 2), padding="same", **zeros)], example)
    layer = RNN(ConvLSTMCell(3, (3, 2), padding="same"), return_sequences=True)
    assert from_keras(model, layer, example).difference < 1e-5
    with pytest.raises(UserError, match="the outputs of the module and of the Keras model differ"):
        from_keras(model, layer.clone(cell=layer.cell.clone(activation="relu")), example)
