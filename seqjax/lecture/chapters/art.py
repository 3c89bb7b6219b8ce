"""Too many moving parts: knobs, and the seed among them."""

import numpy as np

from seqjax.lecture.known import MISSING, Known, not_measured
from seqjax.lecture.pictures import measured, scores
from seqjax.lecture.section import TASTE, Exercise, Judged, Section
from seqjax.report.verdicts import HELD, NOT_RUN, UNDECIDED
from seqjax.runs import statistics
from seqjax.runs.moved_knobs import MORE, MovedKnobs

TITLE = "The art: knobs and seeds"
ROWS = ("jena_simple_rnn", "jena_lstm", "jena_lstm_dropout", "jena_stacked_gru", "jena_bilstm", "jena_dense")


def spread(values: list[float]) -> float:
    """From the best seed to the worst."""
    return max(values) - min(values)


def sections(known: Known) -> list[Section]:
    """See `seqjax.lecture.section`."""
    found = {name: row["ours"]["test"]["values"] for name in ROWS if (row := known.row(name))}
    table = [["row", "best seed", "worst seed", "apart", "mean and interval"]]
    table += [
        [f"`{name}`", f"{min(values):.3f}", f"{max(values):.3f}", f"{spread(values):.3f}", known.score(name)]
        for name, values in found.items()
    ]
    seeds = float(np.mean([spread(values) for values in found.values()])) if found else None
    rows = spread([float(np.mean(values)) for values in found.values()]) if found else None
    said = f"{seeds:.3f}" if seeds is not None else MISSING
    between = f"{rows:.3f}" if rows is not None else MISSING
    kind = NOT_RUN if seeds is None or rows is None else HELD if rows > seeds else UNDECIDED
    return [
        Section(
            "More than the seed?",
            ("art", "knobs"),
            "Units, layers, dropout, dense layers, the horizon, the optimizer: each is an argument of an experiment's "
            "file. Whether moving one helps can only be said beside the seed, which moves, too. Here seeds of one row "
            f"are {said} degrees apart, and the means of the rows {between}. `launch/knobs.sh` moves each knob by "
            f"itself "
            "and puts its effect beside that of a seed.",
            Judged(kind, f"Rows differ by {between}, seeds of a row by {said}: one seed decides little."),
            statistics.mean,
            "tests/runs/test_statistics.py",
            r"\bar{x} \pm t_{n-1} \frac{s}{\sqrt{n}}",
            scores.rows(known, ROWS, " (°C)", "Rows, and the seeds of each"),
            table,
        ),
        _moved(known),
        *_memory(known),
    ]


def _moved(known: Known) -> Section:
    """Each knob of the lecture's list by itself."""
    found = known.own("knobs")
    title, text = "Each knob moved by itself", "Around the LSTM of the temperature, the same seeds for every value."
    if found is None:
        return Section(title, (), text, not_measured("launch/knobs.sh"))
    more = [f"`{one['knob']}={one['value']}`" for one in found["effects"] if one["verdict"] == MORE]
    said = f"{len(more)} of {len(found['effects'])} moves are more than the seed: {', '.join(more)}."
    kind = HELD if more else UNDECIDED
    return Section(
        title, (), text, Judged(kind, said), MovedKnobs, "tests/runs/test_moved_knobs.py", table=measured.effects(found)
    )


def _memory(known: Known) -> list[Section]:
    found = known.own("memory")
    text = "Cut or mix the past beyond some steps, and see when the score begins to suffer."
    if found is None:
        return [Section("How far back does a model look?", (), text, not_measured("python -m seqjax.lecture.memory"))]
    judged = Judged(TASTE, "A measurement, not a claim of the lecture.")
    return [Section("How far back does a model look?", (), text, judged, picture=measured.memory(found["rows"]))]


def _half(values: np.ndarray) -> float:
    from scipy.stats import t

    return float(t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))


EXERCISES = (
    Exercise(
        "half_interval",
        "values",
        f"Half of the interval that holds the mean of `values` (scores of some seeds) at "
        f"{1 - statistics.LEVEL:.0%}, by "
        "Student's t. SciPy may be used.",
        lambda rng: {"values": rng.normal(size=int(rng.integers(3, 8)))},
        _half,
    ),
)
