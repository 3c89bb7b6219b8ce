"""The cells: parameters, first values and one step of each equation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import recurrent_reference as reference
from seqjax.errors import UserError
from seqjax.layers.cells import GRUCell, LSTMCell, SimpleRNNCell
from seqjax.layers.initializers import preset

BATCH, FEATURES, UNITS = 3, 4, 5


def parameters_of(cell, features=FEATURES, seed=0):
    """First values, as the initializers give them."""
    carry = cell.initialize_carry(None, (BATCH, features))
    return jax.jit(cell.init)(jax.random.key(seed), carry, jnp.zeros((BATCH, features)))["params"]


def random_parameters(cell, features=FEATURES):
    carry = cell.initialize_carry(None, (BATCH, features))
    return reference.random_variables(cell, carry, jnp.zeros((BATCH, features)), scale=1.0)["params"]


def draw(seed, *shape):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


@pytest.mark.parametrize(
    ("cell", "count"),
    [
        (SimpleRNNCell(16), 496),
        (LSTMCell(16), 1984),  # the lecture: 2,001 with the Dense(1)
        (LSTMCell(16, peephole="diagonal"), 2000),
        (LSTMCell(16, peephole="full"), 2240),
        (GRUCell(16), 1536),
        (GRUCell(16, reset_after=False), 1488),
    ],
)
def test_parameter_counts_at_14_features(cell, count):
    assert sum(p.size for p in random_parameters(cell, 14).values()) == count


@pytest.mark.parametrize(
    ("cell", "bias"),
    [
        (SimpleRNNCell(UNITS), (5,)),
        (LSTMCell(UNITS), (20,)),
        (GRUCell(UNITS), (2, 15)),
        (GRUCell(UNITS, reset_after=False), (15,)),
    ],
)
def test_names_and_shapes_are_those_of_keras(cell, bias):
    shapes = {name: p.shape for name, p in random_parameters(cell).items()}
    width = cell.gates * UNITS
    assert shapes == {"kernel": (FEATURES, width), "recurrent_kernel": (UNITS, width), "bias": bias}


CELLS = [
    ("SimpleRNN", SimpleRNNCell(UNITS), 1),
    ("LSTM", LSTMCell(UNITS), 4),
    ("GRU", GRUCell(UNITS), 3),
    ("GRU", GRUCell(UNITS, reset_after=False), 3),
]


@pytest.mark.parametrize(("kind", "cell", "gates"), CELLS)
@pytest.mark.parametrize("masks", ["none", "tied", "per gate"])
def test_one_step_equals_numpy(kind, cell, gates, masks):
    p = random_parameters(cell)
    x = draw(1, BATCH, FEATURES)
    states = [draw(2, BATCH, UNITS), draw(3, BATCH, UNITS)][: reference.STEPS[kind][2]]
    drop = {"none": None, "tied": draw(4, 1, BATCH, UNITS), "per gate": draw(4, gates, BATCH, UNITS)}[masks]
    carry = tuple(states) if len(states) > 1 else states[0]
    new, y = cell.apply({"params": p}, carry, x, drop)
    expected, final = reference.run(kind, p, x[:, None], state=states, drop=drop)
    np.testing.assert_allclose(y, expected[:, 0], rtol=1e-5, atol=1e-6)
    for a, e in zip(jax.tree.leaves(new), final, strict=True):
        np.testing.assert_allclose(a, e, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("peephole", ["diagonal", "full"])
def test_peephole_reads_the_memory_that_enters(peephole):
    """Only the output gate sees c: the peephole acts as a bias of o, row by row."""
    cell = LSTMCell(UNITS, peephole=peephole)
    p = random_parameters(cell)
    x, h, c = draw(1, BATCH, FEATURES), draw(2, BATCH, UNITS), draw(3, BATCH, UNITS)
    (_, c_new), y = cell.apply({"params": p}, (h, c), x)
    v = p.pop("peephole_kernel")
    for row in range(BATCH):
        shift = c[row] * v if peephole == "diagonal" else c[row] @ v
        shifted = p | {"bias": p["bias"].at[3 * UNITS :].add(shift)}
        one = slice(row, row + 1)
        expected, final = reference.run("LSTM", shifted, x[one, None], state=(h[one], c[one]))
        np.testing.assert_allclose(y[one], expected[:, 0], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(c_new[one], final[1], rtol=1e-5, atol=1e-6)


def test_layer_norm_makes_a_step_blind_to_the_scale_of_its_input():
    cell = LSTMCell(64, layer_norm=True)
    p = parameters_of(cell)
    carry = (draw(2, BATCH, 64), draw(3, BATCH, 64))
    x = draw(1, BATCH, FEATURES)
    _, once = cell.apply({"params": p}, carry, 10 * x)
    _, twice = cell.apply({"params": p}, carry, 20 * x)
    np.testing.assert_allclose(once, twice, rtol=1e-3, atol=1e-4)
    plain = {name: p[name] for name in ("kernel", "recurrent_kernel", "bias")}
    _, other = LSTMCell(64).apply({"params": plain}, carry, 10 * x)
    assert float(jnp.abs(once - other).max()) > 0.1


def test_layer_norm_equations():
    cell = SimpleRNNCell(UNITS, layer_norm=True)
    p = random_parameters(cell)
    x, h = draw(1, BATCH, FEATURES), draw(2, BATCH, UNITS)

    def norm(z):
        return (z - z.mean(1, keepdims=True)) / np.sqrt(z.var(1, keepdims=True) + 1e-5)

    z = norm(np.asarray(x @ p["kernel"])) * p["kernel_scale"][None]
    z += norm(np.asarray(h @ p["recurrent_kernel"])) * p["recurrent_scale"][None]
    _, y = cell.apply({"params": p}, h, x)
    np.testing.assert_allclose(y, np.tanh(z + p["bias"][None]), rtol=1e-4, atol=1e-5)


def test_keras_start():
    p = parameters_of(LSTMCell(8), 200)
    np.testing.assert_array_equal(p["bias"], np.repeat([0, 1, 0, 0], 8))
    np.testing.assert_allclose(p["recurrent_kernel"] @ p["recurrent_kernel"].T, np.eye(8), atol=1e-5)
    bound = np.sqrt(6 / (200 + 32))  # glorot over the joint kernel
    assert 0.98 * bound < float(jnp.abs(p["kernel"]).max()) <= bound
    np.testing.assert_array_equal(parameters_of(GRUCell(8))["bias"], np.zeros((2, 24)))


def test_flax_start():
    p = parameters_of(LSTMCell(8, initializer="flax"), 200)
    np.testing.assert_array_equal(p["bias"], np.zeros(32))
    for block in np.split(np.asarray(p["recurrent_kernel"]), 4, axis=1):
        np.testing.assert_allclose(block @ block.T, np.eye(8), atol=1e-5)
    assert float(p["kernel"].std()) == pytest.approx(1 / np.sqrt(200), rel=0.05)


def test_torch_start():
    p = parameters_of(LSTMCell(64, initializer="torch"), 50)
    for name in ("kernel", "recurrent_kernel"):
        assert 0.98 / 8 < float(jnp.abs(p[name]).max()) <= 1 / 8
        assert float(p[name].std()) == pytest.approx(1 / 8 / np.sqrt(3), rel=0.05)
    # b_ih + b_hh: twice the variance of one.
    assert float(p["bias"].std()) == pytest.approx(np.sqrt(2 / 3) / 8, rel=0.15)
    p = parameters_of(GRUCell(64, initializer="torch"), 50)
    assert float(p["bias"].std()) == pytest.approx(1 / 8 / np.sqrt(3), rel=0.15)


def test_given_initializers_override_the_preset():
    def constant(value):
        return lambda key, shape, dtype: jnp.full(shape, value, dtype)

    cell = GRUCell(3, kernel_init=constant(1), recurrent_init=constant(2), bias_init=constant(3))
    values = {name: set(np.unique(p)) for name, p in parameters_of(cell).items()}
    assert values == {"kernel": {1}, "recurrent_kernel": {2}, "bias": {3}}


def test_bfloat16_keeps_the_state_in_float32():
    cell = LSTMCell(UNITS, dtype=jnp.bfloat16)
    p = random_parameters(cell)
    carry = (draw(2, BATCH, UNITS), draw(3, BATCH, UNITS))
    (h, c), y = cell.apply({"params": p}, carry, draw(1, BATCH, FEATURES))
    assert (h.dtype, c.dtype, y.dtype) == (jnp.float32, jnp.float32, jnp.bfloat16)
    assert all(value.dtype == jnp.float32 for value in p.values())
    _, exact = LSTMCell(UNITS).apply({"params": p}, carry, draw(1, BATCH, FEATURES))
    difference = float(jnp.abs(exact - y).max())
    assert 0 < difference < 0.05


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: preset("pytorch", 4, 2), "initializer 'pytorch' is unknown; choose one of keras, flax, torch"),
        (lambda: parameters_of(LSTMCell(2, peephole="half")), "peephole 'half' is unknown; choose one of none, "),
        (lambda: parameters_of(GRUCell(2, activation="tan")), "activation 'tan' is unknown; choose one of tanh, "),
    ],
)
def test_unknown_names(make, message):
    with pytest.raises(UserError, match=message):
        make()
