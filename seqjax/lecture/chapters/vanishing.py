"""Vanishing gradients."""

import functools
from typing import Any

import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from seqjax.layers import GRUCell, LSTMCell, SimpleRNNCell
from seqjax.lecture import backpropagation as bptt
from seqjax.lecture.known import Known
from seqjax.lecture.pictures import measured as kept
from seqjax.lecture.pictures import vanishing as pictures
from seqjax.lecture.section import SO, Exercise, Judged, Section
from seqjax.models import remedies
from seqjax.probes.jacobians import fading
from seqjax.report.verdicts import HELD, NOT_HELD

TITLE = "Vanishing gradients"
STEPS, FEATURES, UNITS, RHO = 100, 4, 16, 0.9


def norms(cell: nn.Module, steps: int = STEPS, seed: int = 0, params: Any = None) -> np.ndarray:
    """The largest singular value of dS_T/dS_(T-n) for n = 1, 2, ... `steps`: an untrained cell on random inputs."""
    rng = np.random.default_rng(seed)
    inputs = jnp.asarray(rng.normal(size=(steps + 1, FEATURES)))
    carry = bptt.initialised(cell, inputs)
    own = cell.init(jax.random.key(seed), carry, inputs[:1])["params"] if params is None else params
    state, as_carry = jax.flatten_util.ravel_pytree(carry)

    @jax.jit
    def step(state: jax.Array, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        after = lambda s: jax.flatten_util.ravel_pytree(cell.apply({"params": own}, as_carry(s), x[None])[0])[0]
        return after(state), jax.jacobian(after)(state)

    jacobians = []
    for x in inputs:
        state, jacobian = step(state, x)
        jacobians.append(np.asarray(jacobian))
    return 10.0 ** fading(jacobians[:0:-1], range(1, steps + 1)).largest  # from the last step back


def _forget(bias: float) -> Any:
    return lambda key, shape, dtype=jnp.float64: jnp.zeros(shape, dtype).at[UNITS : 2 * UNITS].set(bias)


def cells() -> dict[str, nn.Module]:
    """The cells of the picture, as they start."""
    wide = {"param_dtype": jnp.float64}
    small = nn.initializers.normal(0.6 / UNITS**0.5)
    return {
        "SimpleRNN, tanh, small U": SimpleRNNCell(UNITS, recurrent_init=small, **wide),
        "SimpleRNN, tanh, orthogonal U": SimpleRNNCell(UNITS, **wide),
        "SimpleRNN, ReLU, U = identity": SimpleRNNCell(UNITS, "relu", recurrent_init=remedies.identity, **wide),
        "LSTM, forget bias zero": LSTMCell(UNITS, bias_init=_forget(0.0), **wide),
        "LSTM, forget bias one": LSTMCell(UNITS, **wide),
        "LSTM, chrono": LSTMCell(UNITS, bias_init=remedies.chrono(STEPS), **wide),
        "GRU": GRUCell(UNITS, **wide),
    }


@functools.cache
def measured() -> dict[str, np.ndarray]:
    """Of each cell the norms, medians of three draws."""
    with jax.enable_x64(True):
        drawn = {name: [norms(cell, seed=seed) for seed in range(3)] for name, cell in cells().items()}
    return {name: np.median(values, axis=0) for name, values in drawn.items()}


@functools.cache
def linear() -> float:
    """How far a linear cell with U = rho Q is from rho^n, relatively, at most."""
    with jax.enable_x64(True):
        rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(UNITS, UNITS)))[0]
        params = {
            "kernel": jnp.ones((FEATURES, UNITS)),
            "recurrent_kernel": jnp.asarray(RHO * rotation),
            "bias": jnp.zeros(UNITS),
        }
        found = norms(SimpleRNNCell(UNITS, "linear", param_dtype=jnp.float64), params=params)
    law = RHO ** np.arange(1, STEPS + 1)
    return float(np.abs(found / law - 1).max())


def sections(known: Known) -> list[Section]:
    """See `seqjax.lecture.section`."""
    found = measured()
    places = (1, 10, STEPS // 2, STEPS)
    table = [["cell, untrained", *(f"n = {n}" for n in places)]]
    table += [[name, *(f"{values[n - 1]:.1e}" for n in places)] for name, values in found.items()]
    plain, orthogonal = found["SimpleRNN, tanh, small U"], found["SimpleRNN, tanh, orthogonal U"]
    best = max(found, key=lambda name: found[name][-1])
    kind = HELD if plain[-1] < 1e-6 and plain[-1] < plain[9] < plain[0] else NOT_HELD
    return [
        Section(
            "A product that gets longer",
            ("vanishing", "small-numbers", "product", "recurrence"),
            "The state now, differentiated by the state $n$ steps ago, is a product of $n$ matrices. If each "
            "shrinks what "
            f"it is given, the product shrinks as a power. With U small at the start, {STEPS} steps leave "
            f"{plain[-1]:.0e} of it; with the orthogonal U that Keras starts with, {orthogonal[-1]:.0e}; the cell that "
            f"keeps most is {best}, {found[best][-1]:.1e}. (The bias that a forget gate starts with decides: more "
            f"below.)",
            Judged(kind, f"At {places[1]} steps {plain[places[1] - 1]:.1e}, at {STEPS} steps {plain[-1]:.1e}."),
            norms,
            "tests/lecture/test_book.py::test_the_norms_of_a_linear_cell_are_powers",
            r"\frac{\partial S_T}{\partial S_k} = \prod_{t=k+1}^{T} \frac{\partial S_t}{\partial S_{t-1}}, \quad"
            r" \frac{\partial S_t}{\partial S_{t-1}} = \diag(1 - S_t^2) U",
            pictures.fading(found),
            table,
        ),
        *_longer(known),
        Section(
            "The law behind it",
            (),
            f"Of a linear cell whose U is a rotation times {RHO}, the norm after $n$ steps is {RHO} to the power "
            f"$n$, and "
            f"nothing else: measured and law differ by {linear():.0e} of it at most. tanh only makes it smaller.",
            Judged(SO, "The power law is exact."),
            linear,
            "tests/lecture/test_backpropagation.py::test_a_linear_recurrence_fades_as_a_power",
            r"U = \rho Q: \quad \norm \frac{\partial S_T}{\partial S_{T-n}} \norm = \rho^n",
        ),
        Section(
            "What a plain cell can and cannot do",
            ("beyond-rnn", "long-term"),
            f"It reads any length with few parameters. On the temperature it has {known.score('jena_simple_rnn')}, the "
            f"LSTM {known.score('jena_lstm')}: a day is not long. Where what matters lies hundreds of steps back, the "
            "gradient that should teach it does not arrive.",
            Judged(
                kind, "Its gradient fades, so long-term dependencies are not learned; see the remedies for what is."
            ),
            cells,
            "tests/lecture/test_book.py::test_the_norms_of_a_linear_cell_are_powers",
        ),
    ]


def _longer(known: Known) -> list[Section]:
    """The same over many more steps, where that has been measured."""
    found = known.own("vanishing")
    if found is None:
        return []
    text = "The same over the inputs of the adding problem, with more units, and for longer."
    return [Section("Much longer", (), text, Judged(SO, "Measured before training."), picture=kept.fading(found))]


EXERCISES = (
    Exercise(
        "chain",
        "jacobians",
        "`jacobians` $[T, U, U]$ holds $\\partial s_t / \\partial s_{t-1}$ for $t = 1 \\dots T$, a row for each "
        "*new* unit. "
        "Return $\\partial s_T / \\partial s_0$ $[U, U]$. Mind the order.",
        lambda rng: {"jacobians": rng.normal(size=(int(rng.integers(2, 6)), 3, 3))},
        lambda jacobians: functools.reduce(lambda product, own: own @ product, jacobians),
    ),
)
