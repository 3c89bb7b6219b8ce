"""Finds the runs below a folder, and groups those that differ only in their seed."""

import ast
import dataclasses
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from absl import logging

from seqjax import experiment as experiments
from seqjax.errors import UserError
from seqjax.experiment import FILE_KNOBS
from seqjax.report import kept
from seqjax.report.claims import FREE_KNOBS
from seqjax.report.run import Run
from seqjax.training import identity
from seqjax.training.workdir import with_numbers


@dataclasses.dataclass(frozen=True)
class Group:
    """Finished runs that differ only in their seed: a row of the table."""

    experiment: str
    label: str
    """The experiment's name and the knobs that are not its defaults: `jena_lstm epochs=60`."""
    data: str
    changed: Mapping[str, Any]
    """The knobs that are not the experiment's defaults, with their values."""
    defaults: Mapping[str, Any]
    options: Mapping[str, Any]
    """As `completed`."""
    runs: Sequence[Run]
    """By seed."""

    @property
    def metric(self) -> str:
        """The one that people quote."""
        return next(name for name in self.first["test"] if name != "loss")

    @property
    def first(self) -> Mapping[str, Any]:
        """Results of the first seed, for what all seeds share."""
        return self.runs[0].results or {}

    @property
    def kept(self) -> bool:
        """Some of its runs are of a row that is kept already."""
        return any(run.kept for run in self.runs)

    @property
    def plain(self) -> bool:
        """No knob is changed but `FREE_KNOBS`: the row as the lecture has it, however long it was trained."""
        return not set(self.changed) - set(FREE_KNOBS)

    @property
    def deterministic(self) -> bool:
        """Nothing is trained, so nothing depends on the seed."""
        return self.first["parameters"] == 0


@dataclasses.dataclass(frozen=True)
class Found:
    """All that lies below a folder, by path."""

    runs: Sequence[Run] = ()
    keras: Sequence[Mapping[str, Any]] = ()
    """What `seqjax.compare --free` has written."""
    speeds: Sequence[Mapping[str, Any]] = ()
    """The rows of every file that `seqjax.benchmark --output` has written, and in `file` which it was."""


def find(folder: Path) -> Found:
    """Every run below a folder, every row that is kept, every Keras result and every row of a benchmark.

    A folder without metrics.jsonl, such as that above the seeds of `--seeds`, is no run.

    Raises:
      UserError: there is no such folder, or no run and no result below it.
    """
    if not folder.is_dir():
        raise UserError(f"--runs={folder} is not a folder" if folder.exists() else f"--runs={folder} does not exist")
    runs, keras, speeds = [], [], []
    for path, folders, files in os.walk(folder, followlinks=True):
        folders[:] = sorted(name for name in folders if name != "checkpoints" and not name.startswith("."))
        if {"config.json", "metrics.jsonl"} <= set(files):
            runs += _run(Path(path))
        elif "config.json" not in files:
            for name in sorted(name for name in files if name.endswith(".json")):
                found = _json(Path(path) / name)
                if isinstance(found, list):
                    speeds += [{**row, "file": str(Path(path) / name)} for row in found if isinstance(row, dict)]
                elif isinstance(found, dict) and found.get("kind") == kept.KIND:
                    runs += _kept(found, Path(path) / name)
                elif isinstance(found, dict) and found.get("kind") == "keras":
                    keras.append(found | {"options": completed(found["experiment"], found["options"])})
    if not runs and not keras:
        raise UserError(f"--runs={folder} holds no run; train one first: python -m seqjax.main --workdir={folder}/NAME")
    return Found(runs, keras, speeds)


def _run(path: Path) -> Iterator[Run]:
    config, results = _read(path / "config.json"), _read(path / "results.json")
    if not config or "experiment" not in config or "folds" in config:  # of a backtest: other data, and no row
        return
    try:
        lines = (path / "metrics.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
        rows = [json.loads(line) for line in lines if line.endswith("\n")]
    except (OSError, ValueError, RecursionError) as error:
        logging.warning("%s is damaged (%s): the run is left out", path / "metrics.jsonl", error)
        return
    if results is not None and not _is_whole(results):
        logging.warning("%s is damaged: the run counts as unfinished", path / "results.json")
        results = None
    finished = results is not None and identity.is_finished(results, config)
    yield Run(path, config, with_numbers(results, "validation", "test") if results and finished else None, rows)


def _kept(found: Mapping[str, Any], path: Path) -> list[Run]:
    try:
        return list(kept.unpacked(found, path))
    except UserError as error:
        logging.warning("%s: the row is left out", error)
        return []


def _is_whole(results: Mapping[str, Any]) -> bool:
    """Whether there are scores of both parts, of a metric besides the loss."""
    return all(isinstance(results.get(part), dict) and set(results[part]) - {"loss"} for part in ("validation", "test"))


def _read(path: Path) -> dict[str, Any] | None:
    """A JSON object; None for anything else."""
    found = _json(path)
    if isinstance(found, dict):
        return found
    if found is not None:
        logging.warning("%s holds no object", path)
    return None


def _json(path: Path) -> Any:
    """What a file holds, or None where it cannot be read (a warning says so)."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        logging.warning("%s cannot be read: %s", path, error)
        return None


def group(runs: Sequence[Run]) -> list[Group]:
    """Finished runs by experiment, data and knobs; a seed that was run twice counts once, as first found."""
    found: dict[str, dict[int, Run]] = {}
    for run in runs:
        if run.results is None:
            continue
        options = completed(run.config["experiment"], run.config["options"])
        identity = [run.config["experiment"], run.config["data"], options, run.config.get("fingerprint")]
        seeds = found.setdefault(json.dumps(identity, sort_keys=True), {})
        if run.seed in seeds:
            logging.warning("%s repeats %s: left out", run.path, seeds[run.seed].path)
        seeds.setdefault(run.seed, run)
    groups = [_group([seeds[seed] for seed in sorted(seeds)]) for seeds in found.values()]
    return _told_apart(sorted(groups, key=lambda row: (row.data, row.experiment, row.label)))


def completed(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The knobs without the seed and those that name a file, and those that came since, at their default."""
    defaults = defaults_of(experiments.find(name)) if name in experiments.names() else {}
    return {knob: value for knob, value in {**defaults, **options}.items() if knob not in ("seed", *FILE_KNOBS)}


def _group(runs: Sequence[Run]) -> Group:
    config = runs[0].config
    defaults = config["defaults"] if runs[0].kept else defaults_of(file_of(runs[0]))
    options = completed(config["experiment"], config["options"])
    changed = {knob: value for knob, value in options.items() if knob in defaults and defaults[knob] != value}
    words = [config["experiment"], *(f"{knob}={value}" for knob, value in changed.items())]
    words += ["[sample]"] if config["data"] == "sample" else []
    return Group(config["experiment"], " ".join(words), config["data"], changed, defaults, options, runs)


def file_of(run: Run) -> Path:
    """The run's own copy of its experiment; where that was not kept, the experiment as it is now, if it still is."""
    copy, name = run.path / "experiment.py", run.config["experiment"]
    return copy if copy.exists() or name not in experiments.names() else experiments.find(name)


def _told_apart(groups: list[Group]) -> list[Group]:
    """Rows on different data files get the fingerprint's beginning into their label."""
    labels = [row.label for row in groups]
    apart = lambda row: f"{row.label} (data {row.runs[0].config.get('fingerprint', '?')[:6]})"
    return [dataclasses.replace(row, label=apart(row)) if labels.count(row.label) > 1 else row for row in groups]


def defaults_of(file: Path) -> dict[str, Any]:
    """The knobs of an experiment file and their defaults, read from its source unrun; none if it cannot be read."""
    try:
        tree = ast.parse(file.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError, RecursionError):
        return {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == "experiment":
            pairs = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
            return {name.arg: _literal(value) for name, value in pairs}
    return {}


def _literal(node: ast.expr | None) -> Any:
    try:
        return None if node is None else ast.literal_eval(node)
    except ValueError:
        return None  # computed: such a knob counts as changed, unless it is None
