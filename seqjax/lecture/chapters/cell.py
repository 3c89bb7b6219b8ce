"""A recurrent cell: beside a perceptron, beside a dense layer, and unrolled."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from seqjax.layers import Dense, SimpleRNN, SimpleRNNCell
from seqjax.layers.scan import scan_cell
from seqjax.lecture.known import Known
from seqjax.lecture.pictures import cell as pictures
from seqjax.lecture.section import SO, Exercise, Judged, Section
from seqjax.models.forecasters import DenseForecaster, RecurrentForecaster

TITLE = "A recurrent cell"
LENGTHS = (24, 120, 480)


def unrolled(inputs: np.ndarray, state: np.ndarray, W: np.ndarray, U: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The cell of inputs [T, D], step after step: all states [T, U]."""
    found = []
    for x in inputs:
        state = np.tanh(x @ W + state @ U + b)
        found.append(state)
    return np.stack(found)


def counts(features: int = 14, units: int = 16) -> list[list[str]]:
    """How many parameters a dense and a recurrent forecaster have, by the length of what they read."""
    size = lambda model, length: sum(
        leaf.size
        for leaf in jax.tree.leaves(jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, length, features))))
    )
    models = {"dense": DenseForecaster(units), "recurrent": RecurrentForecaster(SimpleRNN(units))}
    lines = [[name, *(f"{size(model, length):,}" for length in LENGTHS)] for name, model in models.items()]
    return [["parameters at", *(f"T = {length}" for length in LENGTHS)], *lines]


def one_step_apart(units: int = 5, features: int = 3) -> float:
    """How far a recurrent layer of one step with U = 0 is from a dense layer with its kernel, at most."""
    inputs = jax.random.normal(jax.random.key(1), (7, 1, features))
    layer = SimpleRNN(units, backend="scan")
    params: Any = layer.init(jax.random.key(0), inputs)["params"]
    cell = params.get("cell", params)
    cell["recurrent_kernel"] = jnp.zeros((units, units))
    dense = {"kernel": cell["kernel"], "bias": cell["bias"]}
    straight: Any = Dense(units).apply({"params": dense}, inputs[:, 0])
    recurrent: Any = layer.apply({"params": params}, inputs)
    return float(jnp.abs(recurrent - jnp.tanh(straight)).max())


def loop_apart() -> float:
    """How far the layer's scan is from the loop over steps, at most."""
    rng = np.random.default_rng(0)
    inputs, W, U, b = (rng.normal(size=shape, scale=0.5) for shape in ((9, 3), (3, 4), (4, 4), (4,)))
    params = {"kernel": W, "recurrent_kernel": U, "bias": b}
    with jax.enable_x64(True):
        params = jax.tree.map(jnp.asarray, params)
        cell = SimpleRNNCell(4, param_dtype=jnp.float64)
        run = lambda module: scan_cell(module, jnp.zeros((1, 4)), jnp.asarray(inputs)[None])[1]
        found = cell.apply({"params": params}, method=lambda module: run(module))
        return float(np.abs(np.asarray(found)[0] - unrolled(inputs, np.zeros(4), W, U, b)).max())


def sections(known: Known) -> list[Section]:
    """See `seqjax.lecture.section`."""
    scores = f"The simple cell, which the lecture does not measure, has {known.score('jena_simple_rnn')} on its data."
    return [
        Section(
            "What a sequence asks of a network",
            ("criteria", "order", "input-length", "share"),
            "One set of parameters is used at every step, so there are as many for a day as for a month, and any "
            "length "
            "can be read. A dense network on the flattened window has one for every hour.",
            Judged(SO, "Counted by tracing both models."),
            counts,
            "tests/layers/test_cells.py::test_parameter_counts_at_14_features",
            table=counts(),
        ),
        Section(
            "A perceptron with a state",
            ("rnn", "remember", "state", "loop", "perceptron", "inside-cell"),
            "A perceptron answers to its input alone; a cell also to its own last answer, which is its state. Give "
            "both "
            f"a single knock and then nothing: the perceptron has forgotten it at once, the cell rings on. {scores}",
            Judged(SO, "One step equals plain NumPy, and Keras."),
            SimpleRNNCell,
            "tests/layers/test_cells.py::test_one_step_equals_numpy",
            r"s_{t+1} = \tanh(W x_t + U s_t + b)",
            pictures.knock(),
        ),
        Section(
            "A dense layer is a recurrent layer of one step",
            ("dense-recurrent",),
            "Read one step, with nothing before it ($U = 0$), and the recurrent layer is the dense layer with the same "
            f"kernel. The largest difference between the two here: {one_step_apart():.1g}.",
            Judged(SO, "Equal to rounding."),
            one_step_apart,
            "tests/layers/test_one_to_one.py",
            r"T = 1, U = 0: \quad \tanh(W x + U s_0 + b) = \tanh(W x + b)",
        ),
        Section(
            "Unrolled",
            ("unrolled",),
            "The loop over time is a network as deep as the sequence is long, with the same weights at every "
            "level. The "
            f"compiled scan that trains and the loop below differ by {loop_apart():.1g} at most.",
            Judged(SO, "The scan equals the loop."),
            unrolled,
            "tests/layers/test_recurrent.py::test_scan_equals_a_python_loop",
            r"s_T = f(x_T, f(x_{T-1}, \dots f(x_1, s_0)))",
            pictures.network(known),
        ),
    ]


def _draw(rng: np.random.Generator) -> dict[str, np.ndarray]:
    shapes = {"x": (3,), "s": (4,), "W": (3, 4), "U": (4, 4), "b": (4,)}
    return {name: rng.normal(size=shape) for name, shape in shapes.items()}


EXERCISES = (
    Exercise(
        "cell",
        "x, s, W, U, b",
        "One step of the cell: from an input `x` $[D]$ and a state `s` $[U]$ to the next state, with tanh. Kernels "
        "stand "
        "on the right: `W` is $[D, U]$.",
        _draw,
        lambda x, s, W, U, b: np.tanh(W.T @ x + U.T @ s + b),
    ),
)
