"""One to one: Dense is a recurrent layer with T = 1 and no recurrent matrix."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from recurrent_reference import apply, random_variables
from seqjax.layers import GRU, LSTM, Dense, SimpleRNN

INPUTS = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)


def as_dense(cell):
    """The parameters of a SimpleRNN under the names of Dense."""
    return {"params": {"kernel": cell["kernel"], "bias": cell["bias"]}}


@pytest.mark.parametrize(
    ("activation", "backend"), [("tanh", "auto"), ("tanh", "scan"), ("tanh", "fused"), ("relu", "auto")]
)
def test_one_step_of_a_simple_rnn_is_dense(activation, backend):
    """Whatever the recurrent matrix: it multiplies the state before the first step, which is 0."""
    layer, dense = SimpleRNN(4, activation=activation, backend=backend), Dense(4)
    params = random_variables(layer, INPUTS[:, None])["params"]
    function = {"tanh": jnp.tanh, "relu": jax.nn.relu}[activation]

    def recurrent(params, x):
        return jnp.sum(jnp.sin(apply(layer, {"params": params}, x[:, None])))

    def plain(params, x):
        return jnp.sum(jnp.sin(function(apply(dense, as_dense(params["cell"]), x))))

    found = apply(layer, {"params": params}, INPUTS[:, None])
    np.testing.assert_allclose(found, function(apply(dense, as_dense(params["cell"]), INPUTS)), rtol=1e-6, atol=1e-7)
    ours, theirs = (jax.jit(jax.grad(f, argnums=(0, 1)))(params, INPUTS) for f in (recurrent, plain))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), ours, theirs)
    assert np.all(ours[0]["cell"]["recurrent_kernel"] == 0)


def test_without_a_recurrent_matrix_every_step_is_dense():
    layer = SimpleRNN(4, return_sequences=True)
    inputs = np.random.default_rng(1).normal(size=(2, 6, 3)).astype(np.float32)
    cell = dict(random_variables(layer, inputs)["params"]["cell"])
    with_matrix = apply(layer, {"params": {"cell": cell}}, inputs)
    cell["recurrent_kernel"] = jnp.zeros_like(cell["recurrent_kernel"])
    found = apply(layer, {"params": {"cell": cell}}, inputs)
    np.testing.assert_allclose(found, jnp.tanh(apply(Dense(4), as_dense(cell), inputs)), rtol=1e-6, atol=1e-7)
    assert not np.allclose(found[:, 1:], with_matrix[:, 1:])  # it is the matrix that makes it recurrent
    np.testing.assert_allclose(found[:, 0], with_matrix[:, 0], rtol=1e-6)


@pytest.mark.parametrize(("layer", "gates"), [(SimpleRNN, 1), (LSTM, 4), (GRU, 3)])
def test_shapes_and_parameters(layer, gates):
    """Dense has (D + 1) U parameters, a recurrent layer U U more, and a gated one as many for each gate."""
    shapes = jax.eval_shape(
        layer(4, **({"reset_after": False} if layer is GRU else {})).init, jax.random.key(0), INPUTS[:, None]
    )
    dense = jax.eval_shape(Dense(4).init, jax.random.key(0), INPUTS)
    count = lambda tree: sum(leaf.size for leaf in jax.tree.leaves(tree))
    assert count(dense) == (3 + 1) * 4
    assert count(shapes) == gates * (count(dense) + 4 * 4)
    assert jax.eval_shape(lambda x: layer(4).init_with_output(jax.random.key(0), x)[0], INPUTS[:, None]).shape == (5, 4)


def test_a_toy_of_one_step_is_learned_by_either_alike():
    """y = tanh of a known product, by gradient descent from the same start: the same loss at each step, to nothing."""
    rng = np.random.default_rng(2)
    truth = np.tanh(INPUTS @ rng.normal(size=(3, 2)) + 0.3).astype(np.float32)
    layer = SimpleRNN(2)
    params = random_variables(layer, INPUTS[:, None], seed=3)["params"]
    recurrent = lambda p: jnp.mean((layer.apply({"params": p}, INPUTS[:, None]) - truth) ** 2)
    dense = lambda p: jnp.mean((jnp.tanh(Dense(2).apply(as_dense(p["cell"]), INPUTS)) - truth) ** 2)

    def losses(loss):
        step = lambda p, _: (jax.tree.map(lambda w, g: w - 0.5 * g, p, jax.grad(loss)(p)), loss(p))
        return jax.jit(lambda p: jax.lax.scan(step, p, None, length=2000)[1])(params)

    ours, theirs = losses(recurrent), losses(dense)
    np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-6)
    assert ours[-1] < 1e-3 < ours[0]
