"""Attention against Keras's and PyTorch's: contexts, weights and gradients; masks; all steps at once and one by one."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax.errors import UserError
from seqjax.layers import AdditiveAttention, DotAttention, GeneralAttention

B, T, S, D, U, A = 3, 4, 5, 6, 6, 7
MASK = np.arange(S) < np.array([5, 2, 3])[:, None]
HOLES = np.array([[1, 0, 1, 1, 0], [0, 0, 1, 0, 0], [0] * 5], bool)
BAD = np.where(np.arange(D) % 2, np.inf, np.nan)
LAYERS = {
    "additive": lambda: AdditiveAttention(A),
    "additive, bias": lambda: AdditiveAttention(A, use_bias=True),
    "dot": DotAttention,
    "dot, scale": lambda: DotAttention(use_scale=True),
    "general": lambda: GeneralAttention(U),
}
every_layer = pytest.mark.parametrize("name", LAYERS)


@pytest.fixture(autouse=True)
def _double_precision():
    with jax.enable_x64(True):
        yield


class Looking(nn.Module):
    """A decoder that does nothing but look."""

    attention: nn.Module

    def __call__(self, query, memory, mask=None):
        return self.attention(query, self.attention.prepare(memory, mask))


def problem(name):
    """The module, random parameters, queries [B, T, U] and memory [B, S, D]."""
    rng = np.random.default_rng(0)
    query, memory = rng.normal(size=(B, T, U)), rng.normal(size=(B, S, D))
    module = Looking(LAYERS[name]())
    params = module.init(jax.random.key(0), query, memory).get("params", {})
    params = jax.tree.map(lambda leaf: jnp.asarray(rng.normal(size=leaf.shape)), params)
    return module, params, query, memory


def summed(outputs):
    """A number that depends on every output, each in its own way."""
    return sum((jnp.cos(jnp.arange(y.size)).reshape(y.shape) * y).sum() for y in outputs)


def run(module, params, query, memory, mask):
    """Outputs and gradients, for parameters, queries and memory."""

    def loss(params, query, memory):
        outputs = module.apply({"params": params}, query, memory, mask)
        return summed(outputs), outputs

    gradients, outputs = jax.jit(jax.grad(loss, argnums=(0, 1, 2), has_aux=True))(params, query, memory)
    return outputs, gradients


def close(found, expected, tolerance=1e-11):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance), found, expected)


@pytest.mark.parametrize(("name", "mask"), [("dot", None), *((name, MASK) for name in LAYERS)])
def test_equals_keras(name, mask):
    keras = pytest.importorskip("keras")
    module, params, query, memory = problem(name)
    kind = keras.layers.AdditiveAttention if "additive" in name else keras.layers.Attention
    layer = kind(use_scale=name in ("additive", "additive, bias", "dot, scale"), dtype="float64")
    layer.build([query.shape, memory.shape] if "additive" not in name else [(B, T, A), (B, S, A)])

    def loss(params, query, memory):
        p = params.get("attention", {})
        weights = [p[key] for key in ("v", "scale") if key in p]
        key = memory @ p["key"]["kernel"] if "key" in p else memory  # what Keras leaves to the caller
        if "query" in p:
            query = query @ p["query"]["kernel"] + p["query"].get("bias", jnp.zeros(A))[None, None]
        masks = None if mask is None else [None, jnp.asarray(mask), None]
        outputs, _ = layer.stateless_call(weights, [], [query, memory, key], mask=masks, return_attention_scores=True)
        return summed(outputs), tuple(outputs)

    with jax.numpy_rank_promotion("allow"):
        gradient = jax.jit(jax.grad(loss, argnums=(0, 1, 2), has_aux=True))
        expected_gradients, expected = gradient(params, query, memory)
    outputs, gradients = run(module, params, query, memory, mask)
    tolerance = 2e-6 if "additive" in name else 1e-11  # Keras's tanh computes in float32 whatever it is given
    close(outputs, expected, tolerance)
    close(gradients, expected_gradients, tolerance)


def torch_attention(torch, name, p, query, memory, mask):
    """The equations in torch's operations."""
    if "additive" in name:
        bias = p["query"].get("bias", 0.0)
        both = torch.tanh((query @ p["query"]["kernel"] + bias)[:, :, None] + (memory @ p["key"]["kernel"])[:, None])
        scores = both @ p["v"]
    else:
        keys = memory @ p["key"]["kernel"] if name == "general" else memory
        scores = torch.bmm(query, keys.transpose(1, 2)) * p.get("scale", 1.0)
    weights = torch.softmax(scores.masked_fill(~mask[:, None], -torch.inf), -1)
    return torch.bmm(weights, memory), weights


@every_layer
def test_equals_torch(name):
    torch = pytest.importorskip("torch")
    module, params, query, memory = problem(name)
    leaf = lambda x: torch.tensor(np.asarray(x), requires_grad=True)
    p, q, m = jax.tree.map(leaf, params), leaf(query), leaf(memory)
    expected = torch_attention(torch, name, p.get("attention", {}), q, m, torch.tensor(MASK))
    sum((torch.cos(torch.arange(y.numel()).double()).reshape(y.shape) * y).sum() for y in expected).backward()
    outputs, gradients = run(module, params, query, memory, MASK)
    close(outputs, tuple(y.detach().numpy() for y in expected))
    close(gradients, jax.tree.map(lambda x: x.grad.numpy(), (p, q, m)))


def test_dot_equals_torchs_scaled_dot_product_attention():
    torch = pytest.importorskip("torch")
    module, params, query, memory = problem("dot")
    q, m = (torch.tensor(x, requires_grad=True) for x in (query, memory))
    attend = torch.nn.functional.scaled_dot_product_attention
    expected = attend(q, m, m, attn_mask=torch.tensor(MASK)[:, None], scale=1.0)
    close(run(module, params, query, memory, MASK)[0][0], expected.detach().numpy())


@every_layer
def test_step_by_step_equals_all_at_once(name):
    module, params, query, memory = problem(name)
    attention = module.attention.bind({"params": params.get("attention", {})})
    source = attention.prepare(memory, HOLES)
    context, weights = attention(query, source)
    for t in range(T):
        one = attention(query[:, t], source)
        assert one[0].shape == (B, D)
        close(one, (context[:, t], weights[:, t]))
    beams = query.reshape(B * T, U)  # T hypotheses of each source, side by side
    close(attention(beams, source), (context.reshape(B * T, D), weights.reshape(B * T, S)))


@every_layer
def test_masked_steps_reach_nothing(name):
    module, params, query, memory = problem(name)
    expected, (dparams, dquery, _) = run(module, params, query, memory, HOLES)
    dirty = np.where(HOLES[:, :, None], memory, BAD)
    found, (dparams_found, dquery_found, dmemory) = run(module, params, query, dirty, HOLES)
    close((found, dparams_found, dquery_found), (expected, dparams, dquery))
    np.testing.assert_array_equal(dmemory[~HOLES], 0)
    context, weights = found
    np.testing.assert_array_equal(context[2], 0)  # nothing in it is real
    np.testing.assert_array_equal(weights[2], 0)
    np.testing.assert_array_equal(weights[0][:, ~HOLES[0]], 0)
    np.testing.assert_allclose(weights[:2].sum(-1), 1)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((found, dparams_found, dquery_found, dmemory)))


def test_large_scores_do_not_overflow():
    module, params, query, memory = problem("dot")
    context, weights = module.apply({"params": params}, 1e200 * query, memory, MASK)
    np.testing.assert_array_equal(weights.max(-1), 1)
    assert np.isfinite(context).all()


@pytest.mark.parametrize(("name", "count"), [("additive", D * A + U * A + A), ("dot", 0), ("general", D * U)])
def test_parameters(name, count):
    _, params, _, _ = problem(name)
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == count


@pytest.mark.parametrize("name", ["additive", "general"])
def test_empty_batches_and_sources(name):
    module, params, query, memory = problem(name)
    context, weights = module.apply({"params": params}, query[:0], memory[:0], MASK[:0])
    assert (context.shape, weights.shape) == ((0, T, D), (0, T, S))
    context, weights = module.apply({"params": params}, query, memory[:, :0], MASK[:, :0])
    assert weights.shape == (B, T, 0)
    np.testing.assert_array_equal(context, np.zeros((B, T, D)))


def test_weights_are_float32_at_least():
    with jax.enable_x64(False):
        query, memory = jnp.ones((B, U), jnp.bfloat16), jnp.ones((B, S, D), jnp.bfloat16)
        context, weights = Looking(DotAttention()).apply({}, query, memory)
    assert (context.dtype, weights.dtype) == (jnp.bfloat16, jnp.float32)


@pytest.mark.parametrize(
    ("attention", "query", "memory", "mask", "words"),
    [
        (DotAttention(), (B, T, U + 1), (B, S, D), None, ["query", "6 features", "(3, 4, 7)", "general"]),
        (GeneralAttention(U), (B, T, U + 1), (B, S, D), None, ["query", "6 features"]),
        (DotAttention(), (B + 1, U), (B, S, D), None, ["multiple of 3", "(4, 6)"]),
        (DotAttention(), (B, U), (B, D), None, ["memory", "(3, 6)"]),
        (DotAttention(), (B, U), (B, S, D), (B, S + 1), ["mask", "(3, 6)"]),
        (AdditiveAttention(0), (B, U), (B, S, D), None, ["units", "0"]),
    ],
)
def test_wrong_calls_are_named(attention, query, memory, mask, words):
    mask = None if mask is None else jnp.ones(mask, bool)
    with pytest.raises(UserError) as error:
        Looking(attention).init(jax.random.key(0), jnp.ones(query), jnp.ones(memory), mask)
    assert all(word in str(error.value) for word in words), error.value
