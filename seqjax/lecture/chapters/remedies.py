"""The lecture's six remedies."""

import jax
import jax.numpy as jnp
import numpy as np

from seqjax.layers import SimpleRNNCell
from seqjax.lecture import remedies, remedy_table
from seqjax.lecture.chapters import vanishing
from seqjax.lecture.drawing import themed
from seqjax.lecture.known import Known, not_measured
from seqjax.lecture.pictures import measured as kept
from seqjax.lecture.pictures import remedies as pictures
from seqjax.lecture.section import Exercise, Judged, Picture, Section
from seqjax.models.forecasters import InputBatchNorm
from seqjax.report.verdicts import HELD, NOT_HELD, UNDECIDED

TITLE = "Six remedies"
COMMAND = "launch/remedies.sh"
SCALES = (0.5, 0.9, 1.0, 1.1, 1.5)


def by_scale(activation: str = "tanh") -> dict[float, np.ndarray]:
    """The norms of `vanishing` for U = scale times a rotation."""
    rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(vanishing.UNITS, vanishing.UNITS)))[0]
    with jax.enable_x64(True):
        init = lambda scale: lambda key, shape, dtype: jnp.asarray(scale * rotation)
        cell = lambda scale: SimpleRNNCell(
            vanishing.UNITS, activation, recurrent_init=init(scale), param_dtype=jnp.float64
        )
        return {scale: vanishing.norms(cell(scale)) for scale in SCALES}


def by_activation() -> dict[str, float]:
    """The norm after all steps with U a rotation, by activation."""
    rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(vanishing.UNITS, vanishing.UNITS)))[0]
    init = lambda key, shape, dtype: jnp.asarray(rotation)
    with jax.enable_x64(True):
        cell = lambda name: SimpleRNNCell(vanishing.UNITS, name, recurrent_init=init, param_dtype=jnp.float64)
        return {name: float(vanishing.norms(cell(name))[-1]) for name in ("sigmoid", "tanh", "relu", "linear")}


def scaled_to(gradient: np.ndarray, limit: float) -> np.ndarray:
    """A gradient brought to the length `limit`, longer or shorter as it was: what clipping is sometimes taken for."""
    return gradient * limit / np.linalg.norm(gradient)


def adam_step(gradient: np.ndarray, rate: float = 1e-3, epsilon: float = 1e-7) -> np.ndarray:
    """Adam's first step: each number by its own size."""
    return rate * gradient / (np.sqrt(gradient**2) + epsilon)


def sections(known: Known) -> list[Section]:
    """See `seqjax.lecture.section`."""
    acts, scales = by_activation(), by_scale()
    far, near = np.array([1e-6]), np.array([1.0])
    steps = [float(adam_step(own)[0]) for own in (near, far, near + far)]
    mixed = float(abs(steps[2] - steps[0]))
    last = {scale: values[-1] for scale, values in scales.items()}
    growing = max(last.values())
    test = "tests/lecture/test_book.py::test_remedies_in_one_formula_each"
    best = max(acts, key=lambda name: acts[name])
    return [
        Section(
            "Activation",
            ("remedies", "remedy-activation"),
            f"The derivative of the sigmoid is at most {0.25:g}, that of tanh at most one, that of ReLU zero or one. "
            f"With U a rotation, what is left after {vanishing.STEPS} steps: "
            + ", ".join(f"{name} {value:.0e}" for name, value in acts.items())
            + ". ReLU alone does not save it: half of its derivatives are zero.",
            Judged(HELD if acts["tanh"] > acts["sigmoid"] else NOT_HELD, f"It matters; most is left with {best}."),
            by_activation,
            test,
            r"\frac{\partial S_t}{\partial S_{t-1}} = \diag(a^\prime) U, \quad a^\prime \le 1/4, 1, 1",
            pictures.activations(),
        ),
        Section(
            "Initial weights",
            ("remedy-initialization",),
            "Too small, and the product vanishes; too large, and tanh saturates, or the product explodes: "
            + ", ".join(f"{scale} gives {value:.0e}" for scale, value in last.items())
            + ". The lecture warns of the first alone.",
            Judged(
                HELD if last[1.0] > last[0.5] else NOT_HELD, f"Small weights vanish; large ones reach {growing:.0e}."
            ),
            by_scale,
            test,
            r"U = \rho Q",
            pictures.scales(scales),
        ),
        Section(
            "Clipping",
            ("remedy-clipping",),
            "Clipping shortens a gradient that is too long, $g \\min(1, c / \\norm g \\norm)$, and leaves a short "
            "one as it "
            "is: it cures explosion, and does nothing for what vanishes. To scale every gradient to one length (below) "
            "would be another thing, and would not help either: near and far parts are scaled alike.",
            Judged(NOT_HELD, "Nothing becomes larger by clipping: the smallest gradients stay as small as they are."),
            scaled_to,
            test,
            r"g \to g \cdot \min(1, \frac{c}{\norm g \norm})",
            pictures.clipping(),
        ),
        Section(
            "Batch normalisation",
            ("remedy-batch-norm",),
            f"Of the inputs of a recurrent layer it changes their scale, not the product over time. With it "
            f"(`--set=batch_norm=true`) `jena_lstm` has {known.score('jena_lstm', batch_norm=True)}, without it "
            f"{known.score('jena_lstm')}.",
            Judged(UNDECIDED, "It keeps inputs where tanh is steep; the product over time is as it was."),
            InputBatchNorm,
            "tests/models/test_forecasters.py::test_batch_normalisation_at_the_input_is_that_of_keras",
            r"\hat{x} = \gamma \frac{x - \mu}{\sqrt{\sigma^2 + \epsilon}} + \beta",
        ),
        Section(
            "The optimizer",
            ("remedy-optimizer",),
            f"Adam and RMSprop divide by a gradient's own size: one of {far[0]:.0e} moves its weight by "
            f"{steps[1]:.1e}, one "
            f"of {near[0]:.0f} by {steps[0]:.1e}. But a weight of a recurrent cell is used at every step, and its "
            f"gradient "
            f"is one sum of near and far: the far part of {far[0]:.0e} beside {near[0]:.0f} moves that step by "
            f"{mixed:.0e}.",
            Judged(UNDECIDED, "It cures gradients that are small altogether, not far ones hidden beside near ones."),
            adam_step,
            test,
            r"\theta \to \theta - \eta \frac{m}{\sqrt{v} + \epsilon}",
        ),
        Section(
            "Gates",
            ("remedy-gates",),
            "A path along which nothing is multiplied but a number near one: the next chapter.",
            Judged(HELD, "See the norms in the chapter before: with a forget bias the LSTM's fade slowest."),
            vanishing.cells,
            "tests/layers/test_cells.py::test_one_step_equals_numpy",
            r"c_t = f_t \odot c_{t-1} + i_t \odot g_t, \quad \frac{\partial c_t}{\partial c_{t-1}} = f_t + \dots",
        ),
        tasks(known),
        measured(known),
    ]


def tasks(known: Known) -> Section:
    """Each remedy on tasks that nothing but a long memory solves, where that has been run."""
    found = known.own("remedies")
    title = "One by one, on tasks that need a memory"
    text = (
        "Adding: two marked numbers of a long row are to be added at its end. Copying: ten symbols are to be repeated "
        "after a long silence. Each remedy by itself, on the same network otherwise."
    )
    if found is None or not found["cells"]:
        return Section(title, (), text, not_measured(COMMAND))
    table = [["task and steps", "remedy", "solved by seeds", "steps until then", "loss / no memory"]]
    table += [
        [task.replace("_", " "), f"`{row}`", *remedy_table.cell(cells[row], remedies.SEEDS.default)]
        for task, cells in found["cells"].items()
        for row in found["rows"]
        if row in cells
    ]
    drawing = remedy_table.figure(found)
    said = [
        f"{task.replace('_', ' over ')} steps: {sum(all(run['solved'] for run in runs) for runs in cells.values())} of "
        f"{len(cells)}"
        for task, cells in found["cells"].items()
    ]
    counts = [len(runs) for cells in found["cells"].values() for runs in cells.values()]
    judged = Judged(UNDECIDED, f"Solved by every seed, of {min(counts)} to {max(counts)}: {'; '.join(said)}.")
    picture = Picture(drawing.title, drawing.caption, themed(drawing.svg))
    return Section(
        title, (), text, judged, remedies.found, "tests/lecture/test_remedies.py", picture=picture, table=table
    )


def measured(known: Known) -> Section:
    """Each remedy around the temperature's networks, where that has been run."""
    found = known.own("jena_remedies")
    text = "Each remedy by itself, around the temperature's simple cell and LSTM."
    title = "One by one, on the temperature"
    if found is None or "effects" not in found:
        return Section(title, (), text, not_measured("python -m seqjax.knobs --list=remedies"))
    said = "A change smaller than that of the seed says nothing."
    return Section(title, (), text, Judged(UNDECIDED, said), table=kept.effects(found))


EXERCISES = (
    Exercise(
        "clip",
        "g, c",
        "Clip by norm: return the vector `g` if it is no longer than `c`, else `g` made as long as `c`.",
        lambda rng: {"g": rng.normal(size=4), "c": float(rng.uniform(0.2, 3))},
        lambda g, c: g * min(1, c / np.linalg.norm(g)),
        rounds=8,
    ),
)
