"""The output layer over a vocabulary against the plain one: numbers, gradients, and what it never builds."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax.layers import vocabulary
from seqjax.layers.backends import native_library
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


@pytest.fixture(params=["xla", "native"])
def backend(request, monkeypatch):
    if request.param == "native":
        if fault := native_library.refusal():
            pytest.skip(fault)
        monkeypatch.setattr(vocabulary, "LARGE", 1)


def plain(logits):
    return logits.dense()


WEIGHTS = {"alike": jnp.ones(B), "a row that does not count": jnp.array([1.0, 0, 1]), "unlike": jnp.array([1.0, 2, 3])}


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_losses_metrics_and_gradients_are_those_of_the_logits_themselves(weights, smoothing, backend):
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


def test_a_loss_of_both_has_the_gradient_of_both(backend):
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


@pytest.mark.parametrize(("tokens", "features", "size"), [(0, 3, 5), (1, 1, 1), (300, 33, 1500), (513, 16, 1025)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_compiled_call_is_the_plain_one(tokens, features, size, dtype, monkeypatch):
    if fault := native_library.refusal():
        pytest.skip(fault)
    rng = np.random.default_rng(size)
    shapes = (1, tokens, features), (features, size), (size,)
    x, kernel, bias = (rng.normal(size=shape).astype(dtype) for shape in shapes)
    bias[size // 2 :: 7] = -np.inf
    targets = rng.integers(0, size, (1, tokens), np.int32)

    def objective(parameters):
        found = vocabulary.Judged(*vocabulary._judge_rows(0.1, (*parameters, targets)))
        real = (targets != 0) & (bias[targets] != -np.inf)  # smoothed over -inf there is no finite loss
        return jnp.where(real, found.nats * np.arange(tokens)[None], 0).sum(), (found.nats, found.hits)

    def run(least):
        monkeypatch.setattr(vocabulary, "LARGE", least)
        return jax.jit(jax.value_and_grad(objective, has_aux=True))((x, kernel, bias))

    tolerance = {"rtol": 2e-4, "atol": 2e-3} if dtype == np.float32 else {"rtol": 1e-10, "atol": 1e-10}
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, **tolerance), run(1), run(10**9))


def test_what_is_not_finite_is_seen_by_its_own_token_alone(backend):
    parameters, targets = problem()
    broken = [parameters[0].at[0, 1, 2].set(jnp.nan).at[0, 2, 0].set(jnp.inf), *parameters[1:]]
    judge = lambda parameters: Logits(*parameters).judge(targets, 0.1)
    before, after = judge(parameters), judge(broken)
    assert np.isnan(after.losses[0, 1:3]).all()
    assert np.isnan(after.nats[0, 1:3]).all()
    assert not after.hits[0, 1:3].any()
    others = np.ones((B, T), bool)
    others[0, 1:3] = False
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(a[others], b[others]), before, after)


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
