"""The layers against NumPy, Keras 3, PyTorch and Flax, from the same weights: outputs, states and gradients.

Each configuration is drawn at random (hypothesis, derandomized): one by default, beside those that must not be missed;
25 of each kind and test in the slow sweeps. "Gradients" are those of a random projection of all
real outputs and final states, for inputs, weights and initial state. `scan` is tested here; `test_fused.py` shows that
the other backends equal it.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import recurrent_reference as reference
from flax import linen as nn
from hypothesis import example, given, settings
from hypothesis import strategies as st

from seqjax.models.composite import Bidirectional
from seqjax.models.recurrent import GRU, LSTM, RNN, SimpleRNN

BATCH, TIME, FEATURES, UNITS = 4, 5, 3, 4

KINDS = {
    "SimpleRNN": (SimpleRNN, {}),
    "LSTM": (LSTM, {}),
    "GRU": (GRU, {}),
    "GRU before": (GRU, {"reset_after": False}),
}


few = settings(max_examples=1, deadline=None, derandomize=True)
many = settings(max_examples=25, deadline=None, derandomize=True)
seeds = st.integers(0, 999)
lengths_with_zero = st.lists(st.integers(0, TIME), min_size=BATCH, max_size=BATCH)
lengths_from_one = st.lists(st.integers(1, TIME), min_size=BATCH, max_size=BATCH)


def gates(kind):
    return reference.STEPS[kind.split()[0]][1]


def weights(kind, seed):
    """Random parameters of one layer, by name, float64."""
    rng = np.random.default_rng(seed)
    width = gates(kind) * UNITS
    bias = (2, width) if kind == "GRU" else (width,)
    shapes = {"kernel": (FEATURES, width), "recurrent_kernel": (UNITS, width), "bias": bias}
    return {name: rng.normal(size=shape) * 0.5 for name, shape in shapes.items()}


def problem(kind, seed):
    """inputs, initial state (a list), and the random projections of outputs and states."""
    rng = np.random.default_rng(seed + 1)
    states = reference.STEPS[kind.split()[0]][2]
    inputs = rng.normal(size=(BATCH, TIME, FEATURES))
    state = [rng.normal(size=(BATCH, UNITS)) for _ in range(states)]
    projections = [rng.normal(size=(BATCH, TIME, UNITS)), *(rng.normal(size=s.shape) for s in state)]
    return inputs, state, projections


def right_padding(lengths):
    return np.arange(TIME)[None] < np.array(lengths)[:, None]


def as_list(state):
    return list(state) if isinstance(state, tuple) else [state]


def ours(kind, parameters, inputs, mask, state, projections, *, reverse=False, drop=None, dtype=np.float32):
    """-> ([outputs, *states], (gradients of parameters by name, of inputs, of the initial states))."""
    make, fields = KINDS[kind]
    layer = make(
        UNITS,
        return_sequences=True,
        return_state=True,
        reverse=reverse,
        param_dtype=dtype,
        backend="scan",
        **fields,
    )
    cast = lambda tree: jax.tree.map(lambda a: jnp.asarray(a, dtype), tree)
    real = jnp.asarray(mask)

    def loss(parameters, inputs, state):
        carry = tuple(state) if len(state) > 1 else state[0]
        variables = {"params": {"cell": parameters}}
        y, final = layer.apply(variables, inputs, real, carry, recurrent_mask=cast(drop))
        results = [y, *as_list(final)]
        weighted = [jnp.where(real[:, :, None], y, 0), *results[1:]]
        return sum((p * r).sum() for p, r in zip(cast(projections), weighted, strict=True)), results

    function = jax.jit(jax.value_and_grad(loss, argnums=(0, 1, 2), has_aux=True))
    (_, results), gradients = function(cast(parameters), cast(inputs), cast(state))
    return results, gradients


def close(actual, expected, tolerance):
    scale = max(1.0, float(np.abs(expected).max(initial=0)))
    np.testing.assert_allclose(np.asarray(actual), np.asarray(expected), rtol=0, atol=tolerance * scale)


def close_gradients(actual, expected, tolerance):
    """Both are (by name, inputs, states)."""
    assert set(actual[0]) == set(expected[0])
    for name in expected[0]:
        close(actual[0][name], expected[0][name], tolerance)
    close(actual[1], expected[1], tolerance)
    for a, e in zip(actual[2], expected[2], strict=True):
        close(a, e, tolerance)


numpy_options = given(seed=seeds, reverse=st.booleans(), tied=st.booleans())


@pytest.mark.parametrize("kind", KINDS)
@few
@numpy_options
@example(seed=1, reverse=True, tied=False)
@example(seed=2, reverse=False, tied=True)
def test_numpy(kind, seed, reverse, tied):
    compare_with_numpy(kind, seed, reverse, tied)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@many
@numpy_options
def test_numpy_widely(kind, seed, reverse, tied):
    compare_with_numpy(kind, seed, reverse, tied)


def compare_with_numpy(kind, seed, reverse, tied):
    """Any mask and direction, recurrent dropout masks given; float64 to 1e-10, gradients by central differences."""
    rng = np.random.default_rng(seed)
    mask = rng.random((BATCH, TIME)) < 0.6
    drop = rng.random((1 if tied else gates(kind), BATCH, UNITS)) * 2
    parameters, (inputs, state, projections) = weights(kind, seed), problem(kind, seed)

    def expected(parameters, inputs, state):
        y, final = reference.run(kind.split()[0], parameters, inputs, mask, state, drop, reverse)
        return [y, *final]

    def loss(*arguments):
        y, *final = expected(*arguments)
        results = [np.where(mask[:, :, None], y, 0), *final]
        return sum((p * r).sum() for p, r in zip(projections, results, strict=True))

    with jax.enable_x64(True):
        options = {"reverse": reverse, "drop": drop, "dtype": np.float64}
        results, gradients = ours(kind, parameters, inputs, mask, state, projections, **options)
        for actual, e in zip(results, expected(parameters, inputs, state), strict=True):
            close(actual, e, 1e-10)
        arguments = (parameters, inputs, state)
        direction = jax.tree.map(lambda a: rng.normal(size=a.shape), arguments)
        nudged = lambda e: jax.tree.map(lambda a, d: a + e * d, arguments, direction)
        slope = (loss(*nudged(1e-5)) - loss(*nudged(-1e-5))) / 2e-5
        along = jax.tree.map(lambda g, d: float((np.asarray(g) * d).sum()), gradients, direction)
        assert sum(jax.tree.leaves(along)) == pytest.approx(slope, rel=1e-6, abs=1e-6)


keras_options = given(seed=seeds, reverse=st.booleans(), lengths=lengths_with_zero, dropped=st.booleans())


@pytest.mark.parametrize("kind", KINDS)
@few
@keras_options
@example(seed=1, reverse=True, lengths=[5, 0, 1, 3], dropped=True)
@example(seed=2, reverse=False, lengths=[0, 5, 2, 1], dropped=True)
def test_keras(kind, seed, reverse, lengths, dropped):
    compare_with_keras(kind, seed, reverse, lengths, dropped)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@many
@keras_options
def test_keras_widely(kind, seed, reverse, lengths, dropped):
    compare_with_keras(kind, seed, reverse, lengths, dropped)


def compare_with_keras(kind, seed, reverse, lengths, dropped):
    """Keras 3 on JAX: any lengths, both directions, the same recurrent dropout masks injected."""
    keras = pytest.importorskip("keras")
    if keras.backend.backend() != "jax":
        pytest.skip("Keras was imported with another backend than jax")
    with jax.numpy_rank_promotion("allow"):  # Keras's own code relies on it
        _compare_with_keras(keras, kind, seed, reverse, lengths, dropped)


def _compare_with_keras(keras, kind, seed, reverse, lengths, dropped):
    parameters, (inputs, state, projections) = weights(kind, seed), problem(kind, seed)
    drop = np.random.default_rng(seed).random((gates(kind), BATCH, UNITS)) * 2
    mask = right_padding(lengths)
    name, fields = kind.split()[0], KINDS[kind][1]
    layer = getattr(keras.layers, name)(
        UNITS,
        return_sequences=True,
        return_state=True,
        go_backwards=reverse,
        recurrent_dropout=0.5 if dropped else 0.0,
        **fields,
    )
    layer.build((BATCH, TIME, FEATURES))
    masks = [jnp.asarray(d, jnp.float32) for d in drop]
    # SimpleRNN has one gate and takes its mask bare.
    layer.cell.get_recurrent_dropout_mask = lambda h: masks[0] if name == "SimpleRNN" else masks
    fixed = [v.value for v in layer.non_trainable_variables]
    real = jnp.asarray(mask)

    def loss(trainable, inputs, state):
        (y, *final), _ = layer.stateless_call(
            trainable, fixed, inputs, initial_state=state, mask=real, training=dropped
        )
        y = jnp.flip(y, 1) if reverse else y
        results = [jnp.where(real[:, :, None], y, 0), *final]
        total = sum((jnp.asarray(p, jnp.float32) * r).sum() for p, r in zip(projections, results, strict=True))
        return total, [y, *final]

    trainable = [jnp.asarray(parameters[v.name], jnp.float32) for v in layer.trainable_variables]
    arguments = (trainable, jnp.asarray(inputs, jnp.float32), [jnp.asarray(s, jnp.float32) for s in state])
    (_, expected), found = jax.jit(jax.value_and_grad(loss, argnums=(0, 1, 2), has_aux=True))(*arguments)
    options = {"reverse": reverse, "drop": drop if dropped else None}
    results, gradients = ours(kind, parameters, inputs, mask, state, projections, **options)
    for actual, e in zip(results, expected, strict=True):
        close(actual, e, 1e-5)
    by_name = {v.name: g for v, g in zip(layer.trainable_variables, found[0], strict=True)}
    close_gradients(gradients, (by_name, found[1], found[2]), 1e-5)


def swap_z_and_r(array):
    """PyTorch's GRU has the order r, z, n; ours is z, r, h. On the last axis, there or back."""
    first, second, third = np.split(np.asarray(array), 3, axis=-1)
    return np.concatenate([second, first, third], axis=-1)


def torch_layer(torch, kind, directions):
    """A torch module in float64 with the weights of 1 or 2 directions."""
    module = {"SimpleRNN": torch.nn.RNN, "LSTM": torch.nn.LSTM, "GRU": torch.nn.GRU}[kind]
    layer = module(FEATURES, UNITS, batch_first=True, bidirectional=len(directions) == 2).double()
    order = swap_z_and_r if kind == "GRU" else np.asarray
    for suffix, p in zip(("", "_reverse"), directions, strict=False):
        bias = np.atleast_2d(p["bias"])
        values = {
            "weight_ih": order(p["kernel"]).T,
            "weight_hh": order(p["recurrent_kernel"]).T,
            "bias_ih": order(bias[0]),
            "bias_hh": order(bias[1]) if len(bias) == 2 else np.zeros_like(bias[0]),
        }
        for name, value in values.items():
            getattr(layer, f"{name}_l0{suffix}").data = torch.tensor(np.ascontiguousarray(value))
    return layer


def torch_gradients(layer, kind, suffix):
    """The gradients of one direction, under our names and in our layout."""
    order = swap_z_and_r if kind == "GRU" else np.asarray
    get = lambda name: getattr(layer, f"{name}_l0{suffix}").grad.numpy()
    bias = order(get("bias_ih"))
    if kind == "GRU":
        bias = np.stack([bias, order(get("bias_hh"))])
    return {"kernel": order(get("weight_ih").T), "recurrent_kernel": order(get("weight_hh").T), "bias": bias}


def torch_run(torch, layer, inputs, lengths, state):
    """Packed sequences: -> (outputs, states, leaves) of a torch layer; padded outputs are zero."""
    x = torch.tensor(inputs, requires_grad=True)
    initial = [torch.tensor(s, requires_grad=True) for s in state]
    packed = torch.nn.utils.rnn.pack_padded_sequence(x, torch.tensor(lengths), batch_first=True, enforce_sorted=False)
    y, final = layer(packed, tuple(initial) if len(initial) > 1 else initial[0])
    y, _ = torch.nn.utils.rnn.pad_packed_sequence(y, batch_first=True, total_length=TIME)
    return y, as_list(final), x, initial


torch_options = given(seed=seeds, lengths=lengths_from_one)


@pytest.mark.parametrize("kind", ["SimpleRNN", "LSTM", "GRU"])
@few
@torch_options
@example(seed=1, lengths=[5, 1, 3, 2])
def test_torch(kind, seed, lengths):
    compare_with_torch(kind, seed, lengths)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["SimpleRNN", "LSTM", "GRU"])
@many
@torch_options
def test_torch_widely(kind, seed, lengths):
    compare_with_torch(kind, seed, lengths)


def compare_with_torch(kind, seed, lengths):
    """PyTorch on packed sequences, float64 to 1e-10."""
    torch = pytest.importorskip("torch")
    parameters, (inputs, state, projections) = weights(kind, seed), problem(kind, seed)
    layer = torch_layer(torch, kind, [parameters])
    y, final, x, initial = torch_run(torch, layer, inputs, lengths, [s[None] for s in state])
    results = [y, *(f[0] for f in final)]
    sum((torch.tensor(p) * r).sum() for p, r in zip(projections, results, strict=True)).backward()
    mask = right_padding(lengths)
    with jax.enable_x64(True):
        (y_ours, *final_ours), gradients = ours(kind, parameters, inputs, mask, state, projections, dtype=np.float64)
        y_ours = jnp.where(mask[:, :, None], y_ours, 0)
    for actual, e in zip([y_ours, *final_ours], results, strict=True):
        close(actual, e.detach().numpy(), 1e-10)
    states = [i.grad.numpy()[0] for i in initial]
    close_gradients(gradients, (torch_gradients(layer, kind, ""), x.grad.numpy(), states), 1e-10)


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
@few
@given(seed=seeds, lengths=lengths_from_one)
def test_torch_bidirectional(kind, seed, lengths):
    """Both directions over packed sequences (lengths of 0 are held against NumPy below)."""
    torch = pytest.importorskip("torch")
    pair = [weights(kind, seed), weights(kind, seed + 500)]
    inputs, state, _ = problem(kind, seed)
    layer = torch_layer(torch, kind, pair)
    zeros = [np.zeros((2, BATCH, UNITS)) for _ in state]
    y, _, x, _ = torch_run(torch, layer, inputs, lengths, zeros)
    projection = np.random.default_rng(seed).normal(size=y.shape)
    (torch.tensor(projection) * y).sum().backward()
    mask = right_padding(lengths)
    with jax.enable_x64(True):
        model = Bidirectional(KINDS[kind][0](UNITS, return_sequences=True, param_dtype=jnp.float64))
        params = {name: {"cell": p} for name, p in zip(("forward", "backward"), pair, strict=True)}

        def loss(params, inputs):
            y = jnp.where(mask[:, :, None], model.apply({"params": params}, inputs, jnp.asarray(mask)), 0)
            return (projection * y).sum(), y

        function = jax.jit(jax.value_and_grad(loss, argnums=(0, 1), has_aux=True))
        (_, y_ours), (dparams, dx) = function(jax.tree.map(jnp.asarray, params), jnp.asarray(inputs))
    close(y_ours, y.detach().numpy(), 1e-10)
    close(dx, x.grad.numpy(), 1e-10)
    for name, suffix in (("forward", ""), ("backward", "_reverse")):
        expected = torch_gradients(layer, kind, suffix)
        for key, value in expected.items():
            close(dparams[name]["cell"][key], value, 1e-10)


@pytest.mark.parametrize("kind", KINDS)
@few
@given(seed=seeds, lengths=lengths_with_zero)
def test_bidirectional_numpy(kind, seed, lengths):
    """Random lengths, 0 and 1 among them, and the last outputs of both directions."""
    lengths = [0, 1, *lengths[2:]]
    pair = [weights(kind, seed), weights(kind, seed + 500)]
    inputs, _, _ = problem(kind, seed)
    mask = right_padding(lengths)
    make, fields = KINDS[kind]
    model = Bidirectional(make(UNITS, **fields))
    params = {name: {"cell": p} for name, p in zip(("forward", "backward"), pair, strict=True)}
    cast = jax.tree.map(lambda a: jnp.asarray(a, jnp.float32), params)
    y = jax.jit(model.apply)({"params": cast}, jnp.asarray(inputs, jnp.float32), jnp.asarray(mask))
    last = [
        reference.run(kind.split()[0], p, inputs, mask, reverse=reverse)[1][0]
        for p, reverse in zip(pair, (False, True), strict=True)
    ]
    close(y, np.concatenate(last, axis=1), 1e-5)
    assert float(jnp.abs(y[0]).max()) == 0


def flax_cell(kind, dtype):
    """Flax's counterpart, and our weights in its tree."""
    cell = {"SimpleRNN": nn.SimpleCell, "LSTM": nn.OptimizedLSTMCell, "GRU": nn.GRUCell}[kind]
    return cell(UNITS, dtype=dtype, param_dtype=dtype)


def flax_parameters(kind, p):
    """Our weights in the trees of Flax's SimpleCell, OptimizedLSTMCell and GRUCell; differentiable."""
    if kind == "SimpleRNN":
        return {"i": {"kernel": p["kernel"], "bias": p["bias"]}, "h": {"kernel": p["recurrent_kernel"]}}
    if kind == "LSTM":
        split = {name: jnp.split(p[name], 4, axis=-1) for name in p}
        tree = {f"i{k}": {"kernel": split["kernel"][n]} for n, k in enumerate("ifgo")}
        tree |= {
            f"h{k}": {"kernel": split["recurrent_kernel"][n], "bias": split["bias"][n]} for n, k in enumerate("ifgo")
        }
        return tree
    kernels, recurrents = (jnp.split(p[name], 3, axis=-1) for name in ("kernel", "recurrent_kernel"))
    b, d = jnp.split(p["bias"][0], 3), jnp.split(p["bias"][1], 3)
    return {
        "iz": {"kernel": kernels[0], "bias": b[0] + d[0]},
        "ir": {"kernel": kernels[1], "bias": b[1] + d[1]},
        "in": {"kernel": kernels[2], "bias": b[2]},
        "hz": {"kernel": recurrents[0]},
        "hr": {"kernel": recurrents[1]},
        "hn": {"kernel": recurrents[2], "bias": d[2]},
    }


flax_options = given(seed=seeds, reverse=st.booleans(), lengths=lengths_from_one)


@pytest.mark.parametrize("kind", ["SimpleRNN", "LSTM", "GRU"])
@few
@flax_options
@example(seed=1, reverse=True, lengths=[5, 1, 3, 2])
def test_flax(kind, seed, reverse, lengths):
    compare_with_flax(kind, seed, reverse, lengths)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["SimpleRNN", "LSTM", "GRU"])
@many
@flax_options
def test_flax_widely(kind, seed, reverse, lengths):
    compare_with_flax(kind, seed, reverse, lengths)


def compare_with_flax(kind, seed, reverse, lengths):
    """Flax's own `nn.RNN` over its cells, with lengths, in float64 to 1e-10; our `RNN` scans the same cells."""
    parameters, (inputs, state, projections) = weights(kind, seed), problem(kind, seed)
    mask = right_padding(lengths)
    real = mask[:, :, None]
    to_flax = lambda state: tuple(reversed(state)) if kind == "LSTM" else state[0]  # Flax has (c, h)
    from_flax = lambda carry: list(reversed(carry)) if kind == "LSTM" else [carry]
    with jax.enable_x64(True):
        cell = flax_cell(kind, jnp.float64)
        flax_rnn = nn.RNN(cell, return_carry=True, reverse=reverse, keep_order=True)

        def loss(parameters, inputs, state):
            options = {"initial_carry": to_flax(state), "seq_lengths": jnp.asarray(lengths)}
            carry, y = flax_rnn.apply({"params": {"cell": flax_parameters(kind, parameters)}}, inputs, **options)
            results = [y, *from_flax(carry)]
            weighted = [jnp.where(real, y, 0), *results[1:]]
            return sum((p * r).sum() for p, r in zip(projections, weighted, strict=True)), results

        arguments = jax.tree.map(jnp.asarray, (parameters, inputs, state))
        function = jax.jit(jax.value_and_grad(loss, argnums=(0, 1, 2), has_aux=True))
        (_, expected), found = function(*arguments)
        scanned = RNN(cell, return_sequences=True, return_state=True, reverse=reverse)
        variables = {"params": {"cell": flax_parameters(kind, arguments[0])}}
        y, carry = jax.jit(scanned.apply)(variables, arguments[1], jnp.asarray(mask), to_flax(arguments[2]))
        options = {"reverse": reverse, "dtype": np.float64}
        results, gradients = ours(kind, parameters, inputs, mask, state, projections, **options)
        for actual in (results, [y, *from_flax(carry)]):
            close(np.where(real, actual[0], 0), np.where(real, expected[0], 0), 1e-10)
            for a, e in zip(actual[1:], expected[1:], strict=True):
                close(a, e, 1e-10)
        close_gradients(gradients, found, 1e-10)
