"""The architectures that the lecture draws, each from a model that runs."""

import numpy as np

from seqjax import experiment as experiments
from seqjax.lecture.drawing import themed
from seqjax.lecture.known import Known
from seqjax.lecture.section import SO, Exercise, Judged, Picture, Section
from seqjax.report import anatomy, unrolled
from seqjax.report.architectures import ARCHITECTURES, LEGEND, parts_of

TITLE = "Architectures"


def sections(known: Known) -> list[Section]:
    """See `seqjax.lecture.section`."""
    here = set(experiments.names())
    return [_section(k, one, known) for k, one in enumerate(ARCHITECTURES) if one[1] in here]


def _section(place: int, one: tuple, known: Known) -> Section:
    title, name, knobs, seen = one
    given, found = parts_of(name, knobs, known.data_dir)
    said = "".join(f" with `{knob}={value}`" for knob, value in knobs.items())
    count = sum(part.parameters for part in found)
    score = known.score(name, **knobs)
    text = f"`{name}`{said}: {count:,} parameters in its layers; on the test part {score}."
    return Section(
        title,
        () if place else ("architectures",),
        f"{LEGEND}\n\n{text}" if not place else text,
        Judged(SO, "Drawn by tracing the model that runs."),
        None if place else anatomy.parts,
        "" if place else "tests/report/test_architectures.py",
        picture=Picture(title, seen, themed(unrolled.draw(given, found)), wide=True),
    )


EXERCISES = (
    Exercise(
        "many_to_many",
        "X, W, U, b",
        "All states of the simple cell (tanh) along `X` $[T, D]$, from a state of zeros: $[T, U]$. With it, many "
        "to one "
        "is `many_to_many(X, W, U, b)[-1]`.",
        lambda rng: {
            "X": rng.normal(size=(int(rng.integers(3, 8)), 2)),
            "W": rng.normal(size=(2, 3)),
            "U": rng.normal(size=(3, 3)),
            "b": rng.normal(size=3),
        },
        lambda X, W, U, b: _states(X, W, U, b),
    ),
)


def _states(X: np.ndarray, W: np.ndarray, U: np.ndarray, b: np.ndarray) -> np.ndarray:
    states = [np.zeros(len(b))]
    for x in X:
        states.append(np.tanh(x @ W + states[-1] @ U + b))
    return np.array(states[1:])
