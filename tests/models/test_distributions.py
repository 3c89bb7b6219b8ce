"""Likelihoods equal PyTorch's and SciPy's, the pinball loss scikit-learn's; quantiles never cross."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from seqjax.errors import UserError
from seqjax.models import distributions
from seqjax.models.distributions import Counts, Frame, Student

LEVELS = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)
HEADS = {name: distributions.head(name, LEVELS) for name in distributions.LIKELIHOODS}
RNG = np.random.default_rng(0)


def frame(rows, steps, far=0.0):
    one = lambda value: jnp.full((rows, steps), value, jnp.float32)
    return Frame(one(far + 0.3), one(1.7), one(-2.0), one(11.0))


@pytest.mark.parametrize("name", HEADS)
def test_quantiles_never_cross(name):
    """Whatever the network says, however large."""
    head = HEADS[name]
    ways = (lambda found: head.quantiles(found, LEVELS), head.point)
    answer = jax.jit(lambda raw: [way(head.distribution(raw, frame(50, 6))) for way in ways])
    for size in (0.0, 1.0, 30.0):
        found, point = map(np.asarray, answer(np.float32(RNG.normal(0, size, (50, 6, head.size)))))
        assert found.shape == (50, 6, len(LEVELS))
        assert np.isfinite(found).all()
        assert (np.diff(found, axis=-1) >= 0).all()
        if name in ("quantiles", "student_t") and size <= 1:
            assert (np.diff(found, axis=-1) > 0).all()
        np.testing.assert_array_equal(point, found[..., LEVELS.index(0.5)])


def test_the_pinball_loss_is_scikit_learns():
    from sklearn.metrics import mean_pinball_loss

    quantiles, value = RNG.normal(size=(40, 5, len(LEVELS))), RNG.normal(size=(40, 5))
    found = distributions.pinball(jnp.asarray(quantiles), jnp.asarray(value), LEVELS)
    for k, level in enumerate(LEVELS):
        right = mean_pinball_loss(value.reshape(-1), quantiles[..., k].reshape(-1), alpha=level)
        assert float(found[..., k].mean()) == pytest.approx(right, rel=1e-6)
    assert float(HEADS["quantiles"].loss(jnp.asarray(quantiles), jnp.asarray(value)).mean()) == pytest.approx(
        float(found.mean()), rel=1e-6
    )


def student():
    freedom = RNG.uniform(2.05, 40, 300)
    return freedom, RNG.normal(0, 5, 300), RNG.uniform(0.1, 4, 300)


def counts():
    """Means, spreads and counts that occur."""
    mean, spread = np.exp(RNG.uniform(-2, 6, 300)), np.exp(RNG.uniform(-4, 1, 300))
    return mean, spread, RNG.poisson(RNG.gamma(1 / spread, spread * mean)).astype(float)


def test_likelihoods_are_scipys():
    with jax.enable_x64(True):
        freedom, location, scale = student()
        value = location + scale * RNG.standard_t(3, 300)
        own = HEADS["student_t"].loss(Student(*map(jnp.asarray, (freedom, location, scale))), jnp.asarray(value))
        np.testing.assert_allclose(own, -stats.t.logpdf(value, freedom, location, scale), rtol=1e-9, atol=1e-9)
        mean, spread, count = counts()
        unit, zero = 7.0, -3.0
        found = Counts(*map(jnp.asarray, (mean, spread, np.full(300, zero), np.full(300, unit))))
        own = HEADS["negative_binomial"].loss(found, jnp.asarray(zero + count / unit))
        right = -stats.nbinom.logpmf(count, 1 / spread, 1 / (1 + spread * mean))
        np.testing.assert_allclose(own, right, rtol=1e-9, atol=1e-9)


def test_likelihoods_are_pytorchs():
    torch = pytest.importorskip("torch")
    of = torch.distributions
    with jax.enable_x64(True):
        freedom, location, scale = student()
        value = location + scale * RNG.standard_t(3, 300)
        own = HEADS["student_t"].loss(Student(*map(jnp.asarray, (freedom, location, scale))), jnp.asarray(value))
        right = -of.StudentT(*map(torch.tensor, (freedom, location, scale))).log_prob(torch.tensor(value))
        np.testing.assert_allclose(own, right.numpy(), rtol=1e-6, atol=1e-6)
        mean, spread, count = counts()
        found = Counts(*map(jnp.asarray, (mean, spread, np.zeros(300), np.ones(300))))
        own = HEADS["negative_binomial"].loss(found, jnp.asarray(count))
        total, share = torch.tensor(1 / spread), torch.tensor(spread * mean / (1 + spread * mean))
        right = -of.NegativeBinomial(total, share).log_prob(torch.tensor(count))
        np.testing.assert_allclose(own, right.numpy(), rtol=1e-6, atol=1e-6)


def test_in_float32_a_likelihood_is_as_near_as_that_allows():
    mean, spread, count = counts()
    found = Counts(*(jnp.asarray(leaf, jnp.float32) for leaf in (mean, spread, np.zeros(300), np.ones(300))))
    own = HEADS["negative_binomial"].loss(found, jnp.asarray(count, jnp.float32))
    right = -stats.nbinom.logpmf(count, 1 / spread, 1 / (1 + spread * mean))
    np.testing.assert_allclose(own, right, rtol=1e-3, atol=5e-3)
    gradient = jax.grad(lambda m: HEADS["negative_binomial"].loss(found._replace(mean=m), count).sum())(found.mean)
    assert np.isfinite(gradient).all()


def test_computed_quantiles_are_scipys():
    freedom, location, scale = student()
    found = jax.jit(lambda of: HEADS["student_t"].quantiles(of, LEVELS))(
        Student(*(jnp.asarray(leaf, jnp.float32) for leaf in (freedom, location, scale)))
    )
    for k, level in enumerate(LEVELS):
        right = stats.t.ppf(level, freedom, location, scale)
        np.testing.assert_allclose(found[:, k], right, rtol=2e-5, atol=2e-5)
    mean, spread, _ = counts()
    found = jax.jit(lambda of: HEADS["negative_binomial"].quantiles(of, LEVELS))(
        Counts(*(jnp.asarray(leaf, jnp.float32) for leaf in (mean, spread, np.zeros(300), np.ones(300))))
    )
    for k, level in enumerate(LEVELS):
        right = stats.nbinom(1 / spread, 1 / (1 + spread * mean))
        assert (found[:, k] == right.ppf(level)).mean() > 0.9, "between two counts float32 may take the other"
        assert (right.cdf(found[:, k]) >= level - 1e-3).all()  # JAX's betainc is as near as 5e-4 in float32
        assert (right.cdf(found[:, k] - 1) < level + 1e-3).all()


@pytest.mark.parametrize("name", ["quantiles", "student_t", "negative_binomial"])
def test_draws_are_of_the_distribution(name):
    head = HEADS[name]
    found = head.distribution(jnp.asarray(RNG.normal(0, 0.5, (1, 2, head.size)), jnp.float32), frame(1, 2))
    keys = jax.random.split(jax.random.key(0), 4000)
    draws = jax.jit(jax.vmap(lambda key: head.sample(key, found)))(keys)  # [4000, 1, 2]
    quantiles = np.asarray(jax.jit(lambda: head.quantiles(found, LEVELS))())
    for k, level in enumerate(LEVELS):
        below = np.mean(draws <= quantiles[None, ..., k] + 1e-6, axis=0)
        least = np.mean(draws < quantiles[None, ..., k] - 1e-6, axis=0)
        assert (below >= level - 0.03).all(), level
        assert (least <= level + 0.03).all(), level


@pytest.mark.parametrize("name", ["quantiles", "student_t"])
def test_the_same_numbers_are_drawn_wherever_a_window_stands(name):
    head = HEADS[name]
    raw = jnp.asarray(RNG.normal(0, 0.5, (3, head.size)), jnp.float32)
    raw = jnp.concatenate([raw, raw[:1]])
    of = lambda rows: Frame(*(leaf[:, 0] for leaf in frame(rows, 1)))
    draws = head.sample(jax.random.key(1), head.distribution(raw, of(4)))
    assert draws[0] == draws[3]
    alone = head.sample(jax.random.key(1), head.distribution(raw[1:2], of(1)))
    np.testing.assert_allclose(alone[0], draws[1], rtol=1e-6)


def test_quantiles_between_those_that_were_learned():
    head = HEADS["quantiles"]
    found = head.distribution(jnp.zeros((1, 1, head.size)), frame(1, 1))
    some = head.quantiles(found, (0.25, 0.5, 0.825))
    np.testing.assert_allclose(some[..., :2], found[..., [2, 3]])
    np.testing.assert_allclose(some[..., 2], (found[..., 4] + found[..., 5]) / 2, rtol=1e-6)


def test_an_unknown_likelihood_is_refused():
    with pytest.raises(UserError, match="likelihood=gamma: choose quantiles, student_t"):
        distributions.head("gamma", LEVELS)
