"""A backtest: the origin is rolled on K times by a horizon, and each time the next horizon is forecast.

With refitting every fold is a run of its own, trained on nothing but what had come by then: bit for bit what the same
command gives on data that end there. Without, one model, trained on what had come by the first fold, forecasts all of
them, each from all that had come by then; the scale of MASE is that of its training. Either way the validation part
lies before the fold, as long as ever.

Legend: K folds, N examples.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seqjax import experiment as experiments
from seqjax.errors import UserError, check_least
from seqjax.runs import commands, rolled, statistics
from seqjax.runs.lines import number, quoted
from seqjax.training.workdir import Workdir

if TYPE_CHECKING:
    from seqjax.data.dataset import Dataset
    from seqjax.training.program import Settings

Results = dict[str, Any]
Scores = Mapping[str, float]


@dataclasses.dataclass(frozen=True)
class Backtest:
    """What is asked for."""

    count: int
    """K"""
    refit: bool

    def __post_init__(self):
        check_least("backtest", self.count, 1)


def backtest(
    name: str,
    workdir: Workdir,
    wanted: Backtest,
    *,
    options: Sequence[str],
    data: str,
    data_dir: Path,
    settings: "Settings",
    tuned: Mapping[str, str],
) -> Results:
    """Train or resume what it takes, in folders below the workdir, and score every fold; writes results.json.

    Args:
      name: of the experiment.
      workdir: free, or of the same backtest.
      wanted: how many folds, and how.
      options: `knob=value` each.
      data: `real` or `sample`.
      data_dir: where the real data are.
      settings: how to run.
      tuned: for config.json.

    Returns:
      what results.json holds: of each fold, the first one first, its scores and those of the naive forecasts; and of
      all of them means, deviations and 95 % intervals (Student's t; folds are not quite independent of each other).

    Raises:
      UserError: an experiment of another kind, too few rows, or what `commands.train` raises.
      RunStoppedError: a signal came; the same command goes on.
    """
    function = experiments.load(experiments.find(name))
    config = commands.asked(name, function, options, data, settings)
    experiment = experiments.build(function, config["options"])
    horizon = rolled.windows_of(experiment, name).horizon
    config |= {"kind": "backtest", "folds": wanted.count, "refit": wanted.refit}
    workdir.check(config)

    def train(folder: str, count: int, after: int) -> Results:
        from seqjax.data.series.panel_parts import Folds

        kept = Workdir(workdir.path / folder)
        return commands.train(
            name,
            kept,
            options=options,
            data=data,
            data_dir=data_dir,
            settings=settings,
            tuned=tuned,
            folds=Folds(count, after),
        )

    with workdir.lock():
        workdir.claim(config, {})
        if wanted.refit:
            runs = [train(f"fold_{k + 1}", 1, (wanted.count - 1 - k) * horizon) for k in range(wanted.count)]
            folds = [_scores_of_run(run) for run in runs]
        else:
            train("model", wanted.count, 0)
            folds = _scores_of_folds(Workdir(workdir.path / "model"), wanted.count, horizon, data_dir)
        results = {"experiment": name, "options": config["options"], "data": data, "refit": wanted.refit}
        results |= {"horizon": horizon, "folds": folds, **_summary(folds)}
        workdir.write_results(results)
    return results


def _scores_of_run(run: Results) -> Results:
    """A fold from the results of its run."""
    from seqjax.training.forecast_details import NAME

    details = run.get("details", {}).get("test", {}).get(NAME, {})
    about = {name: details[name] for name in ("forecasts", "origins") if name in details}
    test = {name: value for name, value in run["test"].items() if name != "loss"}
    return {**about, "test": test, "baselines": {name: own["test"] for name, own in run["baselines"].items()}}


def _scores_of_folds(workdir: Workdir, count: int, horizon: int, data_dir: Path) -> list[Results]:
    """The folds of one trained model, each a part of its own."""
    from seqjax.training.forecast_details import about
    from seqjax.training.program import Program
    from seqjax.training.scores import numbers

    _, params, whole = commands.opened(workdir, (), data_dir)
    experiment, dataset = whole.experiment, whole.dataset
    decided = (workdir.results() or {}).get("details", {}).get("validation", {}).get("decided")
    parts = parts_of(dataset, count, horizon)
    program = Program(experiment, dataclasses.replace(dataset, parts=dict(dataset.parts) | parts), whole.settings)
    found = []
    for part, ids in parts.items():
        means = program.evaluate(params, part)
        scores = numbers(experiment, program.answers(params, part), decided) if experiment.scores else {}
        own = dataclasses.replace(dataset, parts=dict(dataset.parts) | {"test": ids})
        baselines = {name: each["test"] for name, each in dataset.kept["baselines"](own).items()}
        test = {**scores, **{name: means[name] for name in experiment.metrics}}
        found.append({**about(dataset, ids), "test": test, "baselines": baselines})
    return found


def parts_of(dataset: "Dataset", count: int, horizon: int) -> dict[str, np.ndarray]:
    """The examples of each fold, by its name.

    Raises:
      UserError: one has none.
    """
    held, ids = dataset.kept, dataset.parts["test"]
    rows = np.asarray(ids, np.int64) // held["values"].shape[1]
    stops = held["edges"][2][held["which"][rows]]
    fold = count - (stops - 1 - rows) // horizon
    found = {f"fold {k + 1}": ids[fold == k] for k in range(count)}
    for name, own in found.items():
        if not len(own):
            raise UserError(f"--backtest={count}: {name} has nothing to be forecast: too few rows, or all are missing")
    return found


def _summary(folds: Sequence[Results]) -> Results:
    """`test` and `baselines` over all folds."""
    common = [name for name in folds[0]["baselines"] if all(name in fold["baselines"] for fold in folds)]
    baselines = {name: {"test": _described([fold["baselines"][name] for fold in folds])} for name in common}
    return {"test": _described([fold["test"] for fold in folds]), "baselines": baselines}


def _described(each: Sequence[Scores]) -> Results:
    found = {}
    for name in each[0]:
        values = [scores[name] for scores in each]
        mean = statistics.mean(values)
        found[name] = {"mean": mean.mean, "std": statistics.deviation(values), "half_interval_95": mean.half}
        found[name]["count"] = mean.count
    return found


def lines(results: Results) -> list[str]:
    """One for each fold, and one for all: the quoted score beside the naive ones."""
    metric = quoted(results)
    said = []
    for k, fold in enumerate(results["folds"], 1):
        beside = [f"{_words(name)} {number(own[metric])}" for name, own in fold["baselines"].items() if metric in own]
        origins = " to ".join(dict.fromkeys(fold.get("origins", ())))
        count = f", {fold['forecasts']:,} forecast{'s' * (fold['forecasts'] > 1)}" if "forecasts" in fold else ""
        about = f"fold {k}{count}{' from ' if origins else ''}{origins}"
        said.append(f"{about}: {metric} {number(fold['test'][metric])} ({'; '.join(beside)}){_covered(fold['test'])}")
    means = {name: own["test"][metric] for name, own in results["baselines"].items() if metric in own["test"]}
    beside = [f"{_words(name)} {_plus_minus(found)}" for name, found in means.items()]
    how = "refitted each time" if results["refit"] else "one model"
    about = f"95 %, {len(results['folds'])} folds of {results['horizon']} rows, {how}"
    score = _plus_minus(results["test"][metric])
    return [*said, f"{results['experiment']}: {metric} {score} ({'; '.join([about, *beside])})"]


def _covered(test: Scores) -> str:
    """What the widest interval covers."""
    name = next((name for name in test if name.startswith("coverage_")), None)
    return "" if name is None else f", {name.removeprefix('coverage_')} % interval covers {100 * test[name]:.1f} %"


def _words(name: str) -> str:
    return name.replace("_", " ")


def _plus_minus(found: Results) -> str:
    half = found["half_interval_95"]
    return number(found["mean"]) + ("" if half is None else f" +- {number(half)}")
