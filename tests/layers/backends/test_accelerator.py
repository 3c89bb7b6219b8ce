"""Backends elsewhere than on a CPU: a train step lowers for them here, and equals the plain one where there is a GPU.

On a GPU: JAX_PLATFORMS=cuda JAX_DEFAULT_MATMUL_PRECISION=highest pytest tests/layers/backends/test_accelerator.py, as
launch/gpu_check.sh does. Lowered is not run: only the last tests, which skip on a CPU, prove a number.
"""

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax.layers.composite import Bidirectional
from seqjax.layers.recurrent import GRU, LSTM, SimpleRNN
from seqjax.layers.tokens import Tokens

LAYERS = {"SimpleRNN": SimpleRNN, "LSTM": LSTM, "GRU": GRU}
KEY = jax.random.key(0)
on_gpu = pytest.mark.skipif(jax.default_backend() != "gpu", reason="no GPU here")


def step(layer, inputs, mask):
    """Parameters, and a function of them: (loss, outputs), gradients."""
    params = layer.init(KEY, inputs, mask)

    def loss(params, inputs):
        outputs = layer.apply(params, inputs, mask, train=True, rngs={"dropout": KEY})
        return sum((leaf**2).sum() for leaf in jax.tree.leaves(outputs)), outputs

    return params, jax.jit(jax.value_and_grad(loss, has_aux=True))


@pytest.mark.parametrize("platform", ["cuda", "tpu"])
@pytest.mark.parametrize("backend", ["scan", "fused"])
def test_a_masked_step_with_dropout_lowers_for_other_devices(platform, backend):
    inputs = jnp.ones((4, 6, 3))
    params, function = step(GRU(4, recurrent_dropout=0.5, backend=backend), inputs, jnp.ones((4, 6), bool))
    exported = jax.export.export(function, platforms=[platform])(params, inputs)
    assert exported.platforms == (platform,)
    assert len(exported.mlir_module_serialized) > 1000


@pytest.mark.parametrize("platform", ["cuda", "tpu"])
def test_the_token_path_lowers_for_other_devices(platform):
    tokens = Tokens(jnp.arange(24).reshape(4, 6) % 9, jnp.ones((9, 5)))
    layer = Bidirectional(LSTM(4, backend="fused"))
    params = layer.init(KEY, tokens)
    loss = lambda params, table: (layer.apply(params, Tokens(tokens.ids, table)) ** 2).sum()
    exported = jax.export.export(jax.jit(jax.grad(loss, argnums=(0, 1))), platforms=[platform])(params, tokens.table)
    assert exported.platforms == (platform,)


@on_gpu
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("units", [16, 200])
@pytest.mark.parametrize(
    ("kind", "backend"), [("SimpleRNN", "fused"), ("GRU", "fused"), ("LSTM", "fused"), ("LSTM", "cudnn")]
)
def test_backends_equal_scan_on_the_gpu(kind, backend, units, masked):
    inputs = jax.random.normal(KEY, (8, 30, 12))
    mask = jnp.arange(30)[None, :] < jnp.array([30, 1, 0, 7, 30, 29, 2, 15])[:, None] if masked else None
    make = lambda name: LAYERS[kind](units, return_sequences=True, return_state=True, backend=name)
    params, plain = step(make("scan"), inputs, mask)
    _, other = step(make(backend), inputs, mask)
    for a, b in zip(jax.tree.leaves(other(params, inputs)), jax.tree.leaves(plain(params, inputs)), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-5 * max(1.0, float(jnp.abs(b).max())))


@on_gpu
@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize("units", [5, 16, 32, 64])
@pytest.mark.parametrize("kind", LAYERS)
def test_pallas_equals_scan_on_the_gpu(kind, units, plain):
    """Plain, or with all that it can: a mask with holes, both directions, recurrent dropout."""
    inputs = jax.random.normal(KEY, (9, 30, 12))
    mask = None if plain else jax.random.bernoulli(KEY, 0.7, (9, 30)).at[0].set(False)

    def make(name):
        fields = {"return_sequences": not plain, "return_state": True, "recurrent_dropout": 0.0 if plain else 0.4}
        layer = LAYERS[kind](units, **fields, backend=name)
        return layer if plain else Bidirectional(layer)

    params, scan = step(make("scan"), inputs, mask)
    _, pallas = step(make("pallas"), inputs, mask)
    expected = scan(params, inputs)
    for a, b in zip(jax.tree.leaves(pallas(params, inputs)), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-5 * max(1.0, float(jnp.abs(b).max())))
    dropped = {"train": True, "rngs": {"dropout": KEY}}
    alone = jax.jit(lambda params: make("pallas").apply(params, inputs, mask, **dropped))(params)  # keeps nothing
    for a, b in zip(jax.tree.leaves(alone), jax.tree.leaves(expected[0][1]), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-5)


@on_gpu
def test_the_gpu_equals_the_cpu():
    inputs = jax.random.normal(KEY, (8, 30, 12))
    params, function = step(GRU(16, return_sequences=True), inputs, None)
    found = jax.device_get(function(params, inputs))
    with jax.default_device(jax.devices("cpu")[0]):
        expected = jax.device_get(function(jax.device_get(params), jax.device_get(inputs)))
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-4 * max(1.0, float(np.abs(b).max())))
