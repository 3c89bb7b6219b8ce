"""Kinds of sequences, and kinds of tasks."""

import numpy as np

from seqjax.lecture.known import MISSING, Known
from seqjax.lecture.pictures import kinds
from seqjax.lecture.section import SO, TASTE, Exercise, Judged, Section

TITLE = "Kinds of sequences and tasks"
TASKS = (
    ("forecasting", "m4_hourly_gru", "the weighted quantile loss, less is better"),
    ("classification", "forda_gru", "accuracy"),
    ("event detection", "keyword_gru", "misses at one false alarm an hour"),
    ("anomaly detection", "nab_gru", "the score of the Numenta benchmark"),
)


def bag(words: np.ndarray) -> np.ndarray:
    """What a model without order sees of vectors [T, E]: their sum [E]."""
    return words.sum(axis=0)


def chain(words: np.ndarray, keep: float = 0.5) -> np.ndarray:
    """What a model with a state sees of them: each step keeps a part of what was before."""
    state = np.zeros(words.shape[1])
    for word in words:
        state = np.tanh(keep * state + word)
    return state


def sections(known: Known) -> list[Section]:
    """See `seqjax.lecture.section`."""
    rng = np.random.default_rng(0)
    words = rng.normal(size=(20, 4))
    mixed = words[rng.permutation(len(words))]
    apart = [float(np.abs(see(words) - see(mixed)).max()) for see in (bag, chain)]
    table = [["task", "experiment", "test score", "which is"]]
    table += [[task, f"`{name}`", known.score(name), what] for task, name, what in TASKS]
    absent = [name for _, name, _ in TASKS if known.score(name) == MISSING]
    missing = f" Not kept: {', '.join(f'`{name}`' for name in absent)} (`python -m seqjax.main --experiment=NAME`)."
    return [
        Section(
            "What makes a sequence",
            ("title", "road-map", "sequence", "time-series", "text", "audio", "video"),
            "An order is information. The sum of some vectors does not change when they are mixed; a state that is "
            f"handed from step to step does. Of {len(words)} random vectors, mixed, the sum moves by {apart[0]:.0e} "
            f"(rounding) and the state by {apart[1]:.2f}.",
            Judged(SO, "A bag is blind to order, a state is not."),
            chain,
            "tests/lecture/test_book.py::test_a_state_sees_the_order",
            r"\text{bag:}~\sum_t x_t \quad \text{state:}~s_t = \tanh(s_{t-1} / 2 + x_t)",
            kinds.four(),
        ),
        Section(
            "Four tasks",
            ("tasks", "forecasting", "classification", "event-detection", "anomaly-detection"),
            "Each of the lecture's tasks is a row of this project, which trains on real data (visitors are generated), "
            "is judged by the field's own score, and is printed beside what needs no model.",
            Judged(TASTE, "A list of tasks." + (missing if absent else "")),
            known.score,
            "tests/test_experiments.py",
            table=table,
        ),
    ]


EXERCISES = (
    Exercise(
        "is_bag",
        "f, x",
        "Is the function `f` of a sequence `x` blind to order? Return `True` if `f` of `x` reversed, and `f` of "
        "`x` with "
        "its first two steps exchanged, are the same as `f(x)` to rounding; else `False`.",
        lambda rng: {
            "f": (bag, chain, lambda x: x[[0, -1]].sum(0) + x[len(x) // 2], lambda x: x[:-1].max(0))[rng.integers(4)],
            "x": rng.normal(size=(5, 3)),
        },
        lambda f, x: float(np.allclose(f(x), f(x[::-1])) and np.allclose(f(x), f(x[[1, 0, *range(2, len(x))]]))),
        rounds=12,
    ),
)
