"""Drawn cases of a recurrent layer, run in double precision with all gradients."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from hypothesis import settings
from hypothesis import strategies as st

import recurrent_reference as reference
from seqjax.layers.recurrent import GRU, LSTM, RNN, SimpleRNN

KINDS = {
    "SimpleRNN": (SimpleRNN, {}),
    "LSTM": (LSTM, {}),
    "GRU": (GRU, {}),
    "GRU before": (GRU, {"reset_after": False}),
}
FLAX = {"SimpleRNN": nn.SimpleCell, "LSTM": nn.OptimizedLSTMCell, "GRU": nn.GRUCell}
TOLERANCE = 1e-10


@dataclasses.dataclass(frozen=True)
class Case:
    """The shape of a problem, whose numbers follow from the seed, and what the layer is to do."""

    lengths: tuple[int, ...]
    """Real steps of each row."""
    reverse: bool = False
    dropped: bool = False
    seed: int = 0
    time: int = 5
    features: int = 3
    units: int = 4

    @property
    def mask(self):
        """[B, T]: the rows are padded on the right."""
        return np.arange(self.time)[None] < np.array(self.lengths)[:, None]


FORWARD, BACKWARD = Case((5, 0, 1, 3), dropped=True), Case((0, 4, 5, 2), reverse=True, seed=1)
NEVER_EMPTY = Case((5, 1, 3, 2), seed=2)
each_kind = pytest.mark.parametrize("kind", KINDS)
each_way = pytest.mark.parametrize("case", [FORWARD, BACKWARD], ids=["forward", "backward"])


@pytest.fixture(autouse=True)
def _double_precision():
    with jax.enable_x64(True):
        yield


@st.composite
def cases(draw, least):
    """Any case whose rows have at least so many real steps."""
    time = draw(st.integers(max(1, least), 8))
    lengths = draw(st.lists(st.integers(least, time), min_size=1, max_size=5))
    sizes = [draw(st.integers(1, 6)) for _ in ("features", "units")]
    return Case(tuple(lengths), draw(st.booleans()), draw(st.booleans()), draw(st.integers(0, 999)), time, *sizes)


def gates(kind):
    return reference.STEPS[kind.split()[0]][1]


def weights(kind, case, seed=0):
    """Random parameters of one layer, by name."""
    rng = np.random.default_rng((case.seed, seed))
    width = gates(kind) * case.units
    bias = (2, width) if kind == "GRU" else (width,)
    shapes = {"kernel": (case.features, width), "recurrent_kernel": (case.units, width), "bias": bias}
    return {name: rng.normal(size=shape) * 0.5 for name, shape in shapes.items()}


def problem(kind, case):
    """inputs, initial state (a list), and the random projections of outputs and states."""
    rng = np.random.default_rng((case.seed, 9))
    batch, states = len(case.lengths), reference.STEPS[kind.split()[0]][2]
    inputs = rng.normal(size=(batch, case.time, case.features))
    state = [rng.normal(size=(batch, case.units)) for _ in range(states)]
    projections = [rng.normal(size=(batch, case.time, case.units)), *(rng.normal(size=s.shape) for s in state)]
    return inputs, state, projections


def drops(kind, case, masks):
    """So many random masks of recurrent dropout."""
    return np.random.default_rng((case.seed, 7)).random((masks, len(case.lengths), case.units)) * 2


def as_list(state):
    return list(state) if isinstance(state, tuple) else [state]


def with_gradients(run, mask, projections, *arguments):
    """-> (what `run` gives, [outputs, *states]; the gradients, for each argument, of the random projection)."""

    def loss(*arguments):
        results = run(*arguments)
        weighted = [jnp.where(mask[:, :, None], results[0], 0), *results[1:]]
        return sum((p * r).sum() for p, r in zip(projections, weighted, strict=True)), results

    function = jax.jit(jax.value_and_grad(loss, argnums=tuple(range(len(arguments))), has_aux=True))
    (_, results), gradients = function(*jax.tree.map(jnp.asarray, arguments))
    return results, gradients


def ours(kind, case, mask, drop=None):
    """-> ([outputs, *states], (gradients of parameters by name, of inputs, of the initial states))."""
    make, fields = KINDS[kind]
    options = {"return_sequences": True, "return_state": True, "param_dtype": jnp.float64, "backend": "scan"}
    layer = make(case.units, reverse=case.reverse, **options, **fields)
    drop = None if drop is None else jnp.asarray(drop)

    def run(parameters, inputs, state):
        carry = tuple(state) if len(state) > 1 else state[0]
        variables = {"params": {"cell": parameters}}
        y, final = layer.apply(variables, inputs, jnp.asarray(mask), carry, recurrent_mask=drop)
        return [y, *as_list(final)]

    inputs, state, projections = problem(kind, case)
    return with_gradients(run, mask, projections, weights(kind, case), inputs, state)


def close(actual, expected):
    scale = max(1.0, float(np.abs(expected).max(initial=0)))
    np.testing.assert_allclose(np.asarray(actual), np.asarray(expected), rtol=0, atol=TOLERANCE * scale)


def all_close(actual, expected):
    """Of any structure, which must be the same."""
    assert jax.tree.structure(actual) == jax.tree.structure(expected)
    jax.tree.map(close, actual, expected)


def real(results, mask):
    """With zeros at padded steps, where libraries differ."""
    return [np.where(mask[:, :, None], results[0], 0), *results[1:]]


def directions(pair):
    """The parameters of a Bidirectional."""
    return {name: {"cell": p} for name, p in zip(("forward", "backward"), pair, strict=True)}


def flax_parameters(kind, p):
    """Our weights in the trees of Flax's cells; it has one bias for z and one for r, our b + d."""
    split = {name: jnp.split(value, gates(kind), axis=-1) for name, value in p.items()}
    kernels, recurrents, biases = (split[name] for name in ("kernel", "recurrent_kernel", "bias"))
    if kind == "SimpleRNN":
        return {"i": {"kernel": kernels[0], "bias": biases[0]}, "h": {"kernel": recurrents[0]}}
    if kind == "LSTM":
        tree = {f"i{k}": {"kernel": kernels[n]} for n, k in enumerate("ifgo")}
        return tree | {f"h{k}": {"kernel": recurrents[n], "bias": biases[n]} for n, k in enumerate("ifgo")}
    return {
        "iz": {"kernel": kernels[0], "bias": biases[0].sum(0)},
        "ir": {"kernel": kernels[1], "bias": biases[1].sum(0)},
        "in": {"kernel": kernels[2], "bias": biases[2][0]},
        "hz": {"kernel": recurrents[0]},
        "hr": {"kernel": recurrents[1]},
        "hn": {"kernel": recurrents[2], "bias": biases[2][1]},
    }


def check_flax(kind, case):
    """Flax's own `nn.RNN` over its cells, with lengths; our `RNN` scans the same cells."""
    inputs, state, projections = problem(kind, case)
    cell, mask = FLAX[kind](case.units), jnp.asarray(case.mask)
    theirs = nn.RNN(cell, return_carry=True, reverse=case.reverse, keep_order=True)
    scanned = RNN(cell, return_sequences=True, return_state=True, reverse=case.reverse)

    def applied(apply):
        # Gradients come back in our layout, because the weights get into Flax's within what is differentiated.
        def run(parameters, inputs, state):
            carry = tuple(reversed(state)) if kind == "LSTM" else state[0]  # Flax has (c, h)
            y, final = apply({"params": {"cell": flax_parameters(kind, parameters)}}, inputs, carry)
            return [y, *reversed(as_list(final))]

        results, gradients = with_gradients(run, mask, projections, weights(kind, case), inputs, state)
        return real(results, mask), gradients

    lengths = jnp.asarray(case.lengths)
    expected = applied(lambda *a: theirs.apply(*a[:2], initial_carry=a[2], seq_lengths=lengths)[::-1])
    results, gradients = ours(kind, case, case.mask)
    all_close((real(results, mask), gradients), expected)
    all_close(applied(lambda v, x, carry: scanned.apply(v, x, mask, carry)), expected)


wide = settings(max_examples=25, deadline=None, derandomize=True)
