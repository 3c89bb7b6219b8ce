"""The output layer over a vocabulary against the plain one: numbers, gradients, and what it never builds."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax.layers import vocabulary
from seqjax.layers.sharding import make_mesh
from seqjax.layers.vocabulary import Logits
from seqjax.training import metrics

B, T, E, V = 3, 7, 4, 11


@pytest.fixture(autouse=True)
def _double_precision(monkeypatch):
    monkeypatch.setattr(vocabulary, "CHUNK", 8)  # three chunks, the last of them with padding
    with jax.enable_x64(True):
        yield


def problem():
    rng = np.random.default_rng(0)
    parameters = [jnp.asarray(rng.normal(size=shape)) for shape in ((B, T, E), (E, V), (V,))]
    return parameters, jnp.asarray(rng.integers(0, V, (B, T)) * (np.arange(T) < np.array([7, 3, 0])[:, None]))


def plain(logits):
    return logits.dense()


WEIGHTS = {"alike": jnp.ones(B), "a row that does not count": jnp.array([1.0, 0, 1]), "unlike": jnp.array([1.0, 2, 3])}


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_losses_metrics_and_gradients_are_those_of_the_logits_themselves(weights, smoothing):
    parameters, targets = problem()

    def objective(parameters, form):
        logits = form(Logits(*parameters))
        sums, counts = metrics.smoothed_token_cross_entropy(logits, targets, smoothing)
        rest = metrics.token_cross_entropy(logits, targets), metrics.token_accuracy(logits, targets)
        return (WEIGHTS[weights] * sums).sum() / counts.sum(), (sums, counts, rest)

    results = [
        jax.jit(jax.value_and_grad(lambda p, form=form: objective(p, form), has_aux=True))(parameters)
        for form in (lambda logits: logits, plain)
    ]
    jax.tree.map(lambda ours, theirs: np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12), *results)


def test_a_loss_of_both_has_the_gradient_of_both():
    parameters, targets = problem()

    def objective(parameters, form):
        logits = form(Logits(*parameters))
        smoothed = metrics.smoothed_token_cross_entropy(logits, targets, 0.2)[0]
        return jnp.sum(smoothed * jnp.arange(1.0, 4)) + jnp.sum(metrics.token_cross_entropy(logits, targets)[0])

    ours, theirs = (jax.jit(jax.grad(lambda p, f=f: objective(p, f)))(parameters) for f in (lambda x: x, plain))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12), ours, theirs)


def test_loss_and_metrics_are_computed_once_and_no_logits_are_kept():
    parameters, targets = problem()

    def objective(parameters):
        logits = Logits(*parameters)
        sums, counts = metrics.smoothed_token_cross_entropy(logits, targets, 0.1)
        rest = metrics.token_cross_entropy(logits, targets), metrics.token_accuracy(logits, targets)
        return sums.sum() / counts.sum(), rest

    text = str(jax.make_jaxpr(jax.value_and_grad(objective, has_aux=True))(parameters))
    assert text.count("scan[") == 2, "one forward with its gradient, and the one of the branch that is not taken"
    for shape in (f"[{B},{T},{V}]", f"[{B * T},{V}]", f"[3,8,{V}]"):
        assert shape not in text


def test_several_devices_share_the_rows():
    if len(jax.devices()) < 2:
        pytest.skip("one device")
    parameters, targets = problem()
    parameters[0], targets = parameters[0][:2], targets[:2]
    mesh = make_mesh(jax.devices()[:2])

    def objective(parameters):
        sums, counts = metrics.smoothed_token_cross_entropy(Logits(*parameters), targets, 0.1)
        return sums.sum() / counts.sum()

    alone = jax.jit(jax.value_and_grad(objective))(parameters)
    with jax.set_mesh(mesh):
        shared = jax.jit(jax.value_and_grad(objective))(parameters)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12), alone, shared)
