"""Train a row on every data set of a folder, and rank it among published methods.

python -m seqjax.archive --folder=UCR --output=runs/ucr --set=epochs=30 --seeds=3
python -m seqjax.archive --folder=UCR --output=runs/ucr --published=results.csv --train=false

A data set is two files, NAME_TRAIN and NAME_TEST (.ts, .tsv, .txt, .arff), there or in a folder NAME of its own.
The same command resumes; a data set that fails is named, and the others go on. Written are

runs.csv         a data set and a seed a row: scores, epochs, seconds, or why there are none
accuracies.csv   a data set a row: our mean test accuracy, what needs no training, what was published
ranks.csv        a method a row: mean rank and accuracy, our wins, ties and losses against it, p of Wilcoxon's test
ranks.svg        the critical-difference diagram

--published are CSV files: a data set a row, a method a column, an empty cell where there is no figure. Ranked are the
data sets that all methods have; which are left out, and why, is said.
"""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags

from seqjax.command_line import run_tool
from seqjax.errors import RunStoppedError, UserError, check_least
from seqjax.files import write_atomically
from seqjax.report import published, ranks
from seqjax.runs.archives import Archive, Run, find

FLAGS = flags.FlagValues()  # our own: those of seqjax.main are others
FOLDER = flags.DEFINE_string("folder", None, "Where the data sets are.", flag_values=FLAGS)
OUTPUT = flags.DEFINE_string("output", "runs/archive", "Where runs and tables go.", flag_values=FLAGS)
EXPERIMENT = flags.DEFINE_string("experiment", "ts_gru", "One with knobs file and test_file.", flag_values=FLAGS)
SET = flags.DEFINE_multi_string("set", [], "knob=value, for all data sets; may be repeated.", flag_values=FLAGS)
SEEDS = flags.DEFINE_integer("seeds", 1, "Of each data set.", flag_values=FLAGS)
ONLY = flags.DEFINE_list("only", [], "Names of data sets; by default all.", flag_values=FLAGS)
PROCESSES = flags.DEFINE_integer("processes", None, "At once (default: one a core).", flag_values=FLAGS)
PUBLISHED = flags.DEFINE_multi_string("published", [], "A CSV of accuracies; may be repeated.", flag_values=FLAGS)
METHODS = flags.DEFINE_list("methods", [], "Published ones to rank; by default all.", flag_values=FLAGS)
TRAIN = flags.DEFINE_bool("train", True, "Without, only the tables are written.", flag_values=FLAGS)
TEST = flags.DEFINE_enum("test", "wilcoxon", list(ranks.TESTS), "Which methods differ.", flag_values=FLAGS)
LEVEL = flags.DEFINE_float("level", 0.05, "Of significance.", flag_values=FLAGS)
FREE = ("nearest_neighbour", "largest_class")
"""Baselines that results.json may have."""


def main(arguments: Sequence[str]) -> int:
    """Train, then write the tables; returns 1 where a data set has failed.

    Raises:
      UserError: a wrong flag, folder or file; nothing has been trained.
      RunStoppedError: a signal came; the tables are of what is finished.
    """
    if arguments:
        raise UserError(f"{arguments[0]!r} is not a flag; give --folder=DIR")
    if FOLDER.value is None:
        raise UserError("--folder=DIR is missing")
    check_least("seeds", SEEDS.value, 1)
    check_least("processes", 1 if PROCESSES.value is None else PROCESSES.value, 1)
    known = _published()
    archive = Archive(EXPERIMENT.value, SET.value, Path(OUTPUT.value))
    runs = archive.plan(_asked(), SEEDS.value)
    failed, stopped = {}, None
    if TRAIN.value:
        from seqjax.runtime import cores

        try:
            failed = archive.train(runs, PROCESSES.value or cores())
        except RunStoppedError as error:
            stopped = error
    _write(archive, runs, failed, known)
    if stopped is not None:
        raise stopped
    if failed:
        names = list(dict.fromkeys(name.partition("/")[0] for name in failed))
        print(f"{len(names)} data sets failed:\n" + "\n".join(f"  {name}: {said}" for name, said in failed.items()))
    return 1 if failed else 0


def _asked() -> list[Any]:
    """The data sets. Raises UserError: one of --only is not there."""
    found = find(Path(FOLDER.value or ""))
    names = {one.name for one in found}
    for name in ONLY.value:
        if name not in names:
            raise UserError(f"--only={name}: there is no such data set; choices: {', '.join(sorted(names))}")
    return [one for one in found if not ONLY.value or one.name in ONLY.value]


def _published() -> dict[str, dict[str, float]]:
    """Raises UserError: a file, or one of --methods that is in none."""
    found = published.read([Path(path) for path in PUBLISHED.value], EXPERIMENT.value)
    for name in METHODS.value:
        if name not in found:
            raise UserError(f"--methods={name}: no --published has it; choices: {', '.join(found) or 'none'}")
    return {name: own for name, own in found.items() if not METHODS.value or name in METHODS.value}


def _write(
    archive: Archive, runs: Sequence[Run], failed: Mapping[str, str], known: Mapping[str, Mapping[str, float]]
) -> None:
    """All four files, as far as there is anything to say, and lines for people."""
    results = {run: found for run in runs if (found := archive.results(run)) is not None}
    archive.output.mkdir(parents=True, exist_ok=True)
    rows = [_row(run, results.get(run), failed.get(run.title, "not finished")) for run in runs]
    _table(archive.output / "runs.csv", rows)
    free = {name: _means(results, name) for name in FREE}
    tables = {archive.experiment: _means(results, None), **{name: own for name, own in free.items() if own}, **known}
    names = sorted({run.data.name for run in runs})
    lines = [{"data set": name, **{method: own.get(name, "") for method, own in tables.items()}} for name in names]
    _table(archive.output / "accuracies.csv", lines)
    print(f"{len(results)} of {len(runs)} runs finished: {archive.output / 'accuracies.csv'}")
    print("\n".join(_rank(archive, tables, known)))


def _row(run: Run, found: Mapping[str, Any] | None, why: str) -> dict[str, Any]:
    own: dict[str, Any] = {"data set": run.data.name, "seed": run.seed}
    if found is None:
        return own | {"why": why}
    scores = {name: score for name, score in found["test"].items() if name != "loss"}
    own |= {f"test {name}": score for name, score in scores.items()}
    own |= {"validation accuracy": found["validation"].get("accuracy"), "best epoch": found["best_epoch"]}
    return own | {"epochs": found["options"].get("epochs"), "seconds": found["seconds"], "why": ""}


def _means(results: Mapping[Run, Mapping[str, Any]], baseline: str | None) -> dict[str, float]:
    """Data set -> test accuracy, the mean over its seeds; of a baseline, or ours."""
    found: dict[str, list[float]] = {}
    for run, own in results.items():
        scores = own["test"] if baseline is None else own.get("baselines", {}).get(baseline, {}).get("test", {})
        if "accuracy" in scores:
            found.setdefault(run.data.name, []).append(scores["accuracy"])
    return {name: float(np.mean(values)) for name, values in found.items()}


def _rank(archive: Archive, tables: Mapping[str, Any], known: Mapping[str, Any]) -> Iterator[str]:
    """Write ranks.csv and ranks.svg of what our data sets have; -> lines: what was left out, and the ranks."""
    ours = set(tables[archive.experiment])
    within = {method: {n: a for n, a in own.items() if n in ours} for method, own in tables.items()}
    needed = {method: own for method, own in within.items() if method not in FREE}
    names, lacking = ranks.complete(needed)
    for method, gone in lacking.items():
        if gone:
            yield f"{method} has no figure of {len(gone)} data sets, which are not ranked: {', '.join(gone)}"
    # What needs no training takes part where it costs no data set.
    needed |= {method: within[method] for method in FREE if method in within and set(names) <= set(within[method])}
    if len(needed) < 2 or len(names) < 2:
        yield f"No ranks: {len(needed)} methods with {len(names)} data sets in common"
        return
    ranking = ranks.rank(needed, TEST.value, LEVEL.value)
    from seqjax.report import critical_difference

    rows = ranks.against(ranking, archive.experiment)
    _table(archive.output / "ranks.csv", rows)
    write_atomically(archive.output / "ranks.svg", critical_difference.picture(ranking).svg)
    yield critical_difference.caption(ranking)
    for row in rows:
        against = f"  ours: {row['wins']} won, {row['ties']} tied, {row['losses']} lost" if "wins" in row else ""
        said = f"  p {row['p']:.2g}" if "p" in row else ""
        yield f"  {row['mean_rank']:.2f}  {row['method']}  mean accuracy {row['mean_accuracy']:.4f}{against}{said}"


def _table(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    text = io.StringIO()
    head = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(text, head, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: row[name] for name in row} for row in rows)
    write_atomically(path, text.getvalue())


def run() -> None:
    """Entry point."""
    run_tool(main, FLAGS, __doc__)


if __name__ == "__main__":
    run()
