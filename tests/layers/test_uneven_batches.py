"""A batch that does not divide among the devices is computed all the same, and gives what one device gives."""

import os
import subprocess
import sys

import pytest

CODE = """
import jax, jax.numpy as jnp, numpy as np
from seqjax.layers import LSTM, Bidirectional, Tokens, bags, convolution
from seqjax.layers.sharding import make_mesh

x = jax.random.normal(jax.random.key(0), (3, 5, 4))
ids, table = jnp.arange(15).reshape(3, 5) % 7, jax.random.normal(jax.random.key(1), (7, 4))

def results(backend):
    layer = Bidirectional(LSTM(5, backend=backend))
    params = layer.init(jax.random.key(0), x)
    both = lambda p: [layer.apply(p, x, ids > 2), layer.apply(p, Tokens(ids, table), ids > 2, train=True)]
    step = jax.value_and_grad(lambda p: sum((leaf ** 2).sum() for leaf in both(p)))
    others = bags.product(ids, None, table), convolution.convolve(x.transpose(1, 2, 0), jnp.ones((2, 4, 3)))
    return step(params), others

expected = jax.jit(results, static_argnums=0)("scan")
with jax.set_mesh(make_mesh(jax.devices())):
    for backend in ("scan", "fused", "auto"):
        found = jax.jit(results, static_argnums=0)(backend)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, 1e-4, 1e-5), found, expected)
print(len(jax.devices()), "devices agree")
"""


@pytest.mark.slow
def test_three_rows_over_two_devices():
    environment = {**os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, env=environment, check=False)
    assert done.stdout == "2 devices agree\n", done.stderr[-2000:]
