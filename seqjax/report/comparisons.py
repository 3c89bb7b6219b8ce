"""The lecture's two comparisons of text representations, filled with what was measured.

What is said to cost so much if built is not built here: the different words of a batch are projected once, and the
product of a one-hot vector is a row of the kernel (`seqjax.layers.tokens`). What building it costs is the benchmark's
to say (W3b).
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from seqjax.report.runs import Group
from seqjax.report.table import Row, number, score
from seqjax.report.verdicts import candidates


@dataclasses.dataclass(frozen=True)
class Comparison:
    """A table of its own: some experiments, what is so by construction, and what was measured."""

    title: str
    facts: Sequence[str]
    """Headings of what is so by construction."""
    rows: Mapping[str, Sequence[str]]
    """Experiment -> its facts."""
    workloads: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Experiment -> the benchmark's workload in which peers build what it does not; none: no such column."""


SPEEDS = {"together": "reviews a second, training", "infer": "reviews a second, inference"}
"""Of `seqjax.benchmark --pipeline`: of all rows in turn in one run, so that they compare."""
MEASURED = (
    "test accuracy, lecture",
    "test accuracy, ours",
    "parameters",
    *SPEEDS.values(),
    "numbers that are not zero",
)
BUILT = "milliseconds a training step: ours / best peer, which builds it"

_BAG, _SEQUENCE = ("bag of words", "lost beyond the n-gram"), ("sequence", "kept")
COMPARISONS = (
    Comparison(
        "Bag of words or sequence",
        ("model", "order of the words", "a review is"),
        {
            "imdb_unigram": (_BAG[0], "lost", "20,000 numbers 0 or 1"),
            "imdb_bigram": (*_BAG, "20,000 numbers 0 or 1"),
            "imdb_bigram_tfidf": (*_BAG, "20,000 weights"),
            "imdb_onehot_bilstm": (*_SEQUENCE, "600 x 20,000 numbers 0 or 1"),
            "imdb_bilstm": (*_SEQUENCE, "600 x 256 numbers"),
            "imdb_bilstm_masked": (*_SEQUENCE, "as many x 256 numbers as it has words"),
            "imdb_conv1d": ("sequence", "kept within a window", "as many x 256 numbers as it has words"),
            "imdb_transformer": ("sequence", "kept by position vectors", "as many x 64 numbers as it has words"),
        },
    ),
    Comparison(
        "One-hot or word embedding",
        ("a word is", "comes from", "a batch, if it were built", "its product with the kernels, if built"),
        {
            # 32 x 600 words x 20,000 (or 256) numbers x 4 bytes; times 256 columns of the two kernels.
            "imdb_onehot_bilstm": ("20,000 numbers, sparse", "nowhere: hardcoded", "1.5 GB", "98 G multiply-adds"),
            "imdb_bilstm": ("256 numbers, dense", "the labels", "20 MB", "1.3 G multiply-adds"),
            "imdb_glove": ("100 numbers, dense", "other texts (GloVe)", "8 MB", "0.5 G multiply-adds"),
            "imdb_word2vec": ("256 numbers, dense", "these texts, then the labels", "20 MB", "1.3 G multiply-adds"),
        },
        {"imdb_onehot_bilstm": "W3b", "imdb_bilstm": "W3"},
    ),
)


def tables(
    groups: Sequence[Group], rows: Sequence[Row], speeds: Sequence[Mapping[str, Any]]
) -> list[tuple[str, list[list[str]]]]:
    """(title, lines of cells, the heading first) of each comparison of which something was measured on the real data.

    Args:
      groups: of `runs.group`.
      rows: of `table.rows`: one for each group.
      speeds: of `runs.find`.
    """
    real = [group for group in groups if group.data == "real"]
    row_of = {row["label"]: row for row in rows}
    found = []
    for comparison in COMPARISONS:
        most = {name: max(candidates(real, name, {}), key=_seeds, default=None) for name in comparison.rows}
        if any(most.values()):
            head = ["experiment", *comparison.facts, *MEASURED]
            lines = [
                [name, *facts, *_scores(most[name], row_of), *_speeds(name, speeds)]
                for name, facts in comparison.rows.items()
            ]
            if comparison.workloads:
                head.append(BUILT)
                lines = [[*line, _built(comparison.workloads.get(line[0]), speeds)] for line in lines]
            found.append((comparison.title, [head, *lines]))
    return found


def _seeds(group: Group) -> int:
    return len(group.runs)


def _scores(group: Group | None, row_of: Mapping[str, Row]) -> list[str]:
    if group is None:
        return ["-", "not run", "-"]
    row = row_of[group.label]
    lecture = row["lecture"].get("test", {}).get("accuracy")
    return [
        "-" if lecture is None else number(lecture, "accuracy"),
        score(row["ours"]["test"], "accuracy"),
        f"{row['parameters']:,}",
    ]


def _speeds(name: str, speeds: Sequence[Mapping[str, Any]]) -> list[str]:
    measured = next((row for row in speeds if row.get("experiment") == name and row.get("changed") == {}), None)
    if measured is None:
        return ["-"] * (len(SPEEDS) + 1)
    share = measured.get("share")
    return [*(f"{measured[part]:,.0f}" for part in SPEEDS), "-" if share is None else f"{100 * share:.3g} %"]


def _built(workload: str | None, speeds: Sequence[Mapping[str, Any]]) -> str:
    """`46 / 4,288 (keras-jax)`."""
    steps = [row for row in speeds if row.get("workload") == workload and row.get("mode") == "train"]
    ours = [row for row in steps if row["implementation"] == "seqjax"]
    peers = [row for row in steps if row["implementation"] != "seqjax"]
    if workload is None or not ours or not peers:
        return "-"
    best = min(peers, key=lambda row: row["milliseconds"])
    return f"{ours[0]['milliseconds']:,.0f} / {best['milliseconds']:,.0f} ({best['implementation']})"
