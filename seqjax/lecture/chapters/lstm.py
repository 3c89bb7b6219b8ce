"""The LSTM in detail."""

import jax
import jax.numpy as jnp
import numpy as np

from seqjax.layers import LSTMCell
from seqjax.layers.cells import PEEPHOLES
from seqjax.lecture.drawing import themed
from seqjax.lecture.known import Known
from seqjax.lecture.section import Exercise, Judged, Picture, Section
from seqjax.models.forecasters import RecurrentForecaster
from seqjax.report import plots
from seqjax.report.verdicts import NOT_HELD, rise

TITLE = "The LSTM"
FEATURES, UNITS = 14, 16


def parameters(peephole: str) -> int:
    """Of the lecture's LSTM, with one or another reading of its term `dot(c_t, Vo)`."""
    cell = LSTMCell(UNITS, peephole=peephole)
    inputs = jnp.zeros((1, FEATURES))
    made = jax.eval_shape(cell.init, jax.random.key(0), cell.initialize_carry(None, inputs.shape), inputs)
    return sum(leaf.size for leaf in jax.tree.leaves(made))


def sections(known: Known) -> list[Section]:
    """See `seqjax.lecture.section`."""
    counts = {peephole: parameters(peephole) for peephole in PEEPHOLES}
    said = ", ".join(f"{count:,} with `peephole={name}`" for name, count in counts.items())
    group = known.group("jena_lstm")
    curve = group and plots.curves(group)
    picture = curve and Picture("Learning curves of `jena_lstm`", curve.caption, themed(curve.svg), wide=True)
    rises = [value for run in group.runs if (value := rise(run)) is not None] if group else []
    grown = f" Over the second half it rises by {np.mean(rises):.2f} on average." if rises else ""
    return [
        Section(
            "Inside the cell",
            ("inside-lstm", "regulate", "carry", "fights", "lstm-equations"),
            "Three gates and a candidate, each a dense layer of the input and of the last answer. The lecture's "
            "listing "
            "has a term `dot(c_t, Vo)` in the output gate that its own count of parameters leaves out, and lacks "
            "the line "
            f"for the new memory. Counted: {said}.",
            Judged(NOT_HELD, "The listing and the lecture's own count do not fit; the count is that without the term."),
            LSTMCell,
            "tests/layers/test_cells.py::test_parameter_counts_at_14_features",
            r"i, f, o = \sigma(x W_k + h R_k + b_k), \quad g = \tanh(x W_g + h R_g + b_g) \\"
            r"c^\prime = f \odot c + i \odot g, \quad h^\prime = o \odot \tanh(c^\prime)",
        ),
        Section(
            "On the temperature",
            ("lstm", "lstm-score"),
            f"On validation {known.score('jena_lstm', 'validation')}, on test {known.score('jena_lstm')}; naive has "
            f"{known.score('jena_naive', 'validation')} and {known.score('jena_naive')}. One seed decides nothing "
            f"here.",
            known.judged(("jena_lstm", "jena_naive", "test"), ("jena_lstm", "jena_naive", "validation")),
            RecurrentForecaster,
            "tests/test_experiments.py",
            r"\hat{y} = w \cdot h_T + c",
            table=known.table(("jena_naive", "jena_simple_rnn", "jena_lstm")),
        ),
        Section(
            "Overfitting?",
            ("overfitting",),
            "The training loss goes on falling; the validation loss turns. Judged is the mean of the last quarter "
            "of the "
            f"epochs above that of the second, so that no epoch is picked.{grown}",
            known.judged((None, "jena_lstm")),
            rise,
            "tests/report/test_verdicts.py",
            picture=picture,
        ),
    ]


def _draw(rng: np.random.Generator) -> dict[str, np.ndarray]:
    shapes = {"x": (3,), "h": (2,), "c": (2,), "W": (3, 8), "R": (2, 8), "b": (8,)}
    return {name: rng.normal(size=shape) for name, shape in shapes.items()}


def _step(x: np.ndarray, h: np.ndarray, c: np.ndarray, W: np.ndarray, R: np.ndarray, b: np.ndarray) -> np.ndarray:
    i, f, g, o = np.split(W.T @ x + R.T @ h + b, 4)
    s = lambda z: (1 + np.tanh(z / 2)) / 2
    c = s(f) * c + s(i) * np.tanh(g)
    return np.stack([s(o) * np.tanh(c), c])


EXERCISES = (
    Exercise(
        "lstm",
        "x, h, c, W, R, b",
        "One step of the LSTM, for one sequence: `x` $[D]$, `h` and `c` $[U]$; the columns of `W`, `R` and `b` are "
        "blocks "
        "in the order i, f, g, o. Return the new h and the new c, one above the other: `[2, U]`.",
        _draw,
        _step,
    ),
)
