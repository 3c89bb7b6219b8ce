"""A step beyond: layers that are linear in their state."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from seqjax.layers import LRU, MinGRU, MinLSTM
from seqjax.layers.linear_recurrence import linear_recurrence
from seqjax.lecture.known import Known, not_measured
from seqjax.lecture.pictures import beyond as pictures
from seqjax.lecture.pictures import measured
from seqjax.lecture.section import SO, Exercise, Judged, Section
from seqjax.report.verdicts import UNDECIDED

TITLE = "A step beyond"
STEPS = 200


def ways_apart() -> float:
    """How far all steps at once are from one after the other, at most, in float64."""
    rng = np.random.default_rng(0)
    with jax.enable_x64(True):
        decay, update = (jnp.asarray(rng.uniform(-1, 1, size=(2, STEPS, 8))) for _ in range(2))
        start = jnp.asarray(rng.normal(size=(2, 8)))
        found: list[Any] = [linear_recurrence(decay, update, start, False, way) for way in ("scan", "associative")]
        return float(jnp.abs(found[0] - found[1]).max())


def eigenvalues(least: float, most: float, units: int = 64) -> np.ndarray:
    """Of an LRU as it starts."""
    layer = LRU(units, least=least, most=most)
    params: Any = layer.init(jax.random.key(0), jnp.zeros((1, 2, 3)))["params"]
    return np.asarray(jnp.exp(jax.lax.complex(-jnp.exp(params["nu"]), jnp.exp(params["theta"]))))


def sections(known: Known) -> list[Section]:
    """See `seqjax.lecture.section`."""
    rings = {ring: eigenvalues(*ring) for ring in ((0.4, 0.9), (0.95, 0.999))}
    left = [f"{np.abs(values).max() ** STEPS:.1e} in a ring to {most:g}" for (_, most), values in rings.items()]
    return [
        Section(
            "Gates that see the input alone",
            (),
            "If gates do not read the state, the state enters linearly, and steps may be joined before they are taken: "
            f"pairs, pairs of pairs, and so on. All at once and one by one differ by {ways_apart():.0e} at most.",
            Judged(SO, "Both ways give the same states."),
            MinGRU,
            "tests/layers/test_linear_layers.py::test_equals_the_loop_by_every_way",
            r"h_t = (1 - z_t) \odot h_{t-1} + z_t \odot g_t, \quad z_t = \sigma(x_t W_z + b_z) \\"
            r"(a, b) \text{~then~} (c, d) = (a c, c b + d)",
        ),
        Section(
            "minLSTM",
            (),
            "The LSTM likewise: two gates that see the input, and share the state between what is kept and what is "
            "new.",
            Judged(SO, "Equal to the loop."),
            MinLSTM,
            "tests/layers/test_linear_layers.py::test_equals_the_loop_by_every_way",
            r"h_t = \frac{f_t}{f_t + i_t} \odot h_{t-1} + \frac{i_t}{f_t + i_t} \odot g_t",
        ),
        Section(
            "Vanishing, explained by one number",
            (),
            "An LRU's state only turns and shrinks: its gradient over $n$ steps is $\\lambda^n$, unit by unit. "
            "What vanishes "
            f"is decided by where the eigenvalues start: of the slowest unit {STEPS} steps leave {', '.join(left)}.",
            Judged(SO, "The gradient is the eigenvalue's power, exactly."),
            LRU,
            "tests/layers/test_linear_layers.py::test_an_eigenvalues_ring_holds_the_start",
            r"h_t = \lambda \odot h_{t-1} + B x_t, \quad \frac{\partial h_T}{\partial h_{T-n}} = \lambda^n",
            pictures.rings(rings, STEPS),
        ),
        _beside(known),
    ]


def _beside(known: Known) -> Section:
    """The lecture's cells and these, where they have been run."""
    found = known.own("cells")
    title, text = "Beside the lecture's cells", "Cells of about as many parameters, on the temperature."
    if found is None or "effects" not in found:
        return Section(title, (), text, not_measured("launch/remedies.sh"))
    said = "A change smaller than that of the seed says nothing."
    return Section(title, (), text, Judged(UNDECIDED, said), table=measured.effects(found))


def _states(a: np.ndarray, b: np.ndarray, h: float) -> np.ndarray:
    found = []
    for decay, update in zip(a, b, strict=True):
        h = decay * h + update
        found.append(h)
    return np.array(found)


EXERCISES = (
    Exercise(
        "joined",
        "a, b",
        "Steps $h_t = a_t h_{t-1} + b_t$, for `a` and `b` $[T]$, joined into one: return the two numbers $A$ and "
        "$B$ with "
        "$h_T = A h_0 + B$, as an array.",
        lambda rng: dict(zip("ab", rng.uniform(-1, 1, size=(2, int(rng.integers(2, 6)))), strict=True)),
        lambda a, b: np.array([a.prod(), _states(a, b, 0.0)[-1]]),
    ),
)
