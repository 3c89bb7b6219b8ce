"""Backpropagation through time."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from seqjax.layers import GRUCell, LSTMCell, SimpleRNNCell
from seqjax.lecture import backpropagation as bptt
from seqjax.lecture.known import Known
from seqjax.lecture.pictures import backpropagation as pictures
from seqjax.lecture.section import SO, Exercise, Judged, Section
from seqjax.report.verdicts import NOT_HELD

TITLE = "Backpropagation through time"
STEPS, FEATURES, UNITS = 10, 3, 4
CELLS = {"SimpleRNN": SimpleRNNCell, "GRU": GRUCell, "LSTM": LSTMCell}


def problem(name: str) -> tuple[Any, Any, jax.Array, bptt.Loss]:
    """A cell in `float64`, its parameters, random inputs [T, D], and J_t: the squared distance from random targets."""
    rng = np.random.default_rng(1)
    inputs, wanted = jnp.asarray(rng.normal(size=(STEPS, FEATURES))), jnp.asarray(rng.normal(size=(STEPS, UNITS)))
    cell = CELLS[name](UNITS, param_dtype=jnp.float64)
    params = cell.init(jax.random.key(0), bptt.initialised(cell, inputs), inputs[:1])["params"]
    return cell, params, inputs, lambda t, y: jnp.sum((y - wanted[t]) ** 2)


def automatic(cell: Any, params: Any, inputs: jax.Array, loss: bptt.Loss) -> Any:
    """The same gradient by `jax.grad` of the unrolled sum of losses."""

    def total(params: Any) -> jax.Array:
        carry, found = bptt.initialised(cell, inputs), jnp.zeros(())
        for t, x in enumerate(inputs):
            carry, y = cell.apply({"params": params}, carry, x[None])
            found += loss(t, y[0])
        return found

    return jax.grad(total)(params)


@functools.cache
def measured() -> dict[str, Any]:
    """What the chapter says: differences from `jax.grad`, sizes of all terms, the two ways, truncation's errors."""
    size = lambda tree: float(jnp.sqrt(sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(tree))))
    away = lambda a, b: jax.tree.map(lambda x, y: x - y, a, b)
    found: dict[str, Any] = {"apart": {}}
    with jax.enable_x64(True):
        for name in CELLS:
            cell, params, inputs, loss = problem(name)
            terms = bptt.terms(cell, params, inputs, loss)
            whole = automatic(cell, params, inputs, loss)
            total = jax.tree.map(lambda *leaves: sum(leaves), *terms.values())
            found["apart"][name] = size(away(total, whole)) / size(whole)
            if name == "SimpleRNN":
                found["sizes"] = {place: size(term) for place, term in terms.items()}
                found["ways"] = [size(way) for way in bptt.two_ways(cell, params, inputs)]
                kept = lambda h, terms=terms: [term for (t, k), term in terms.items() if t - k < h]
                cut = lambda h, kept=kept: jax.tree.map(lambda *own: sum(own), *kept(h))
                found["cut"] = [size(away(cut(h), whole)) / size(whole) for h in range(1, STEPS + 1)]
    return found


def sections(known: Known) -> list[Section]:
    """See `seqjax.lecture.section`."""
    found = measured()
    apart = ", ".join(f"{name} {value:.0e}" for name, value in found["apart"].items())
    direct, indirect = found["ways"]
    share = direct / (direct + indirect)
    return [
        Section(
            "The gradient as a sum over t and k",
            ("bptt", "bptt-sum", "bptt-first", "bptt-general"),
            "Every loss hears of a weight through every step before it. Written as the lecture's double sum, term by "
            f"term, and compared with automatic differentiation in `float64`, the relative difference is: {apart}.",
            Judged(SO, "The sum is the gradient, for all three cells, for W, U and b."),
            bptt.terms,
            "tests/lecture/test_backpropagation.py::test_the_sum_is_the_gradient",
            r"\frac{\partial J}{\partial W} = \sum_t \sum_{k \le t} \frac{\partial J_t}{\partial y_t}"
            r" \frac{\partial y_t}{\partial S_t} \frac{\partial S_t}{\partial S_k} \frac{\partial^\plus "
            r"S_k}{\partial W}",
            pictures.terms(found["sizes"], STEPS),
        ),
        Section(
            "The second state: two ways, not one",
            ("bptt-second",),
            "The lecture writes $\\frac{\\partial S_1}{\\partial W} = \\frac{\\partial S_1}{\\partial S_0}"
            "\\frac{\\partial S_0}{\\partial W}$. But $W$ enters the second step itself, too: the line has the way "
            "through $S_0$ alone. Only its last line, the sum over $k$, has both: there $\\partial S_k / \\partial "
            "W$ must "
            f"be read as the direct derivative. Here the direct way has size {direct:.2f}, the indirect one "
            f"{indirect:.2f}: {share:.0%} of the two would be left out.",
            Judged(NOT_HELD, f"As it is written the line lacks the direct term: {direct:.2f} beside {indirect:.2f}."),
            bptt.two_ways,
            "tests/lecture/test_backpropagation.py::test_the_lectures_line_for_the_second_state_has_one_of_two_ways",
            r"\frac{\partial S_1}{\partial W} = \frac{\partial^\plus S_1}{\partial W} +"
            r" \frac{\partial S_1}{\partial S_0} \frac{\partial S_0}{\partial W}",
        ),
        Section(
            "Cut short",
            (),
            "Truncated backpropagation keeps the terms with $t - k < h$. At the whole length it is exact; at one step "
            f"the gradient is off by {found['cut'][0]:.0%} of its size here, at half the length by "
            f"{found['cut'][STEPS // 2 - 1]:.1%}.",
            Judged(SO, "Equal to the whole gradient where the horizon is the whole length."),
            bptt.gradient,
            "tests/lecture/test_backpropagation.py::test_the_sum_is_the_gradient",
            picture=pictures.truncated(found["cut"]),
        ),
    ]


EXERCISES = (
    Exercise(
        "step_jacobian",
        "s, U",
        "The derivative of a tanh cell's new state towards its old one, $\\partial s_t / \\partial s_{t-1}$: $[U, "
        "U]$, a "
        "row for each *new* unit. Given are the new state `s` itself (after tanh) and `U`, with "
        "`s = tanh(x @ W + s_before @ U + b)`.",
        lambda rng: {"s": np.tanh(rng.normal(size=3)), "U": rng.normal(size=(3, 3))},
        lambda s, U: np.diag(1 - s**2) @ U.T,
    ),
)
