"""Gates as a conveyor belt."""

import numpy as np

from seqjax.layers import GRUCell
from seqjax.lecture.known import Known, not_measured
from seqjax.lecture.pictures import gates as pictures
from seqjax.lecture.pictures import measured
from seqjax.lecture.section import SO, Exercise, Judged, Section
from seqjax.report.verdicts import HELD

TITLE = "Gates"
STEPS = 1000


def belt(f: float, i: float, goods: np.ndarray, c: float = 0.0) -> np.ndarray:
    """A memory along time: it keeps the share f, and takes on the share i of the goods [T] that come by."""
    found = []
    for g in goods:
        c = f * c + i * g
        found.append(c)
    return np.array(found)


def half_life(f: float) -> float:
    """Steps until half of a memory is left."""
    return float(np.log(0.5) / np.log(f))


def forget_gate(bias: float) -> float:
    """What a forget gate is where nothing else comes in: sigmoid of its bias."""
    return float(1 / (1 + np.exp(-bias)))


def sections(known: Known) -> list[Section]:
    """See `seqjax.lecture.section`."""
    carried = belt(1.0, 0.0, np.random.default_rng(0).normal(size=STEPS), c=0.7)
    moved = float(np.abs(carried - 0.7).max())
    biases = (0.0, 1.0, 3.0, 5.0)
    table = [["forget bias", "gate", "half-life (steps)"]]
    table += [[f"{b:g}", f"{forget_gate(b):.3f}", f"{half_life(forget_gate(b)):.1f}"] for b in biases]
    return [
        Section(
            "The conveyor belt",
            ("gates", "conveyor", "jump", "residual"),
            f"With the forget gate open ($f = 1$) and the input gate shut ($i = 0$) what lies on the belt is "
            f"carried on: "
            f"after {STEPS} steps of noise it has moved by {moved:g}. The gates are the cell's own decision, at each "
            f"step and for each unit.",
            Judged(SO, "Carried unchanged, exactly; a skip connection with a switch."),
            belt,
            "tests/lecture/test_book.py::test_the_belt_carries_and_halves",
            r"c_t = f_t \odot c_{t-1} + i_t \odot g_t",
            pictures.belt(),
        ),
        Section(
            "How long a gate remembers",
            ("lstm-gru",),
            "A gate a little below one forgets as a power. Its half-life tells the scale of time that a unit can "
            "see, and "
            "its bias sets it at the start: Keras begins with a bias of one, which is why a long memory must be "
            "learned "
            "first, or given (chrono).",
            Judged(SO, "Half-lives follow from the gate alone."),
            half_life,
            "tests/lecture/test_book.py::test_the_belt_carries_and_halves",
            r"f^n = 1/2, \quad n = \frac{\ln(1/2)}{\ln f}",
            table=table,
        ),
        Section(
            "The GRU",
            (),
            "Two gates instead of three, one state instead of two: the update gate $z$ says what is kept, the rest "
            "is new.",
            Judged(SO, "A step equals plain NumPy, and Keras."),
            GRUCell,
            "tests/layers/test_cells.py::test_one_step_equals_numpy",
            r"h_t = z_t \odot h_{t-1} + (1 - z_t) \odot g_t",
        ),
        _meaningful(known),
    ]


def _meaningful(known: Known) -> Section:
    """Units of a trained model that stand for something, where that has been measured."""
    found = known.own("meaningful_cells")
    text = "In a character model trained on Tiny Shakespeare some units follow what a reader sees, on text held out."
    if found is None:
        judged = not_measured(
            "python -m seqjax.lecture.mechanisms --make=meaningful_cells --workdir=runs/shakespeare_lstm_budget"
        )
        return Section("Cells with a meaning", (), text, judged)
    table = measured.meaningful(found)
    said = f"{len(table) - 1} features are followed beyond what {found['permutations']} permutations give by chance."
    return Section("Cells with a meaning", (), text, Judged(HELD, said), table=table)


EXERCISES = (
    Exercise(
        "half_life_of",
        "bias",
        "How many steps does it take until half of a memory is left, where the forget gate is the sigmoid of `bias`?",
        lambda rng: {"bias": float(rng.uniform(-1, 6))},
        lambda bias: np.log(2) / np.log1p(np.exp(-bias)),
    ),
)
