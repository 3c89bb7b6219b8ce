"""Forecasts of rows that came after training, from several origins: an experiment on a table's windows, rolled forward.

The last origin is the experiment as it is: half of the rows train it, a quarter chooses the epoch, the last quarter is
forecast. The origin before is the same on a table that ends where that quarter begins, and so on. So every row that is
forecast comes after all that its model has seen, and the forecasts of all origins are one stretch of time.

Every run is an ordinary one in a folder of its own, `origin_1/seed_0`: the same command resumes.

Legend: N rows of a table, W windows, S seeds.
"""

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seqjax import experiment as experiments
from seqjax.data.series import windows
from seqjax.data.series.table import Table
from seqjax.data.series.table_windows import TableWindows
from seqjax.errors import UserError
from seqjax.runs import commands
from seqjax.scoring.judgement import LAST, Errors
from seqjax.training.workdir import Workdir

PASSES = 100_000
"""Windows that a run sees in all, as far as `EPOCHS` allow."""
EPOCHS = (3, 40)
LONGEST = 120
"""Samples of a window by default; fewer in a short table."""


@dataclasses.dataclass(frozen=True)
class Forecasts:
    """In the target's own unit, of one origin or of several."""

    last: np.ndarray
    """[W] what was known."""
    came: np.ndarray
    """[W]"""
    model: np.ndarray
    """[S, W]"""
    simple: Mapping[str, np.ndarray]
    """Name -> [W]; the last value first."""
    chosen: Sequence[str]
    """[W] see `Errors`."""

    def errors(self, horizon: int) -> Errors:
        """Absolute."""
        simple = {name: np.abs(own - self.came) for name, own in self.simple.items()}
        return Errors(np.abs(self.model - self.came), simple, self.chosen, horizon)


@dataclasses.dataclass(frozen=True)
class Origins:
    """Trains an experiment of a table's windows, such as csv_lstm, from several origins."""

    experiment: str
    options: Sequence[str]
    """`knob=value` each."""
    output: Path
    data: str = "real"
    data_dir: Path = Path()

    def table(self) -> tuple[Table, str]:
        """The table, its target first, and what messages call it.

        Raises:
          UserError: an experiment of another kind, several series, or what the source says.
        """
        source = experiments.build(self._function(), self._knobs(self.options)).source
        if not isinstance(source, TableWindows):
            raise UserError(f"--experiment={self.experiment} is not one of a user's own table, as csv_lstm is")
        table, name = source.table(self.data, self.data_dir)
        if table.series is not None:
            raise UserError(f"{name}: {len(table.names)} series: give a table of one")
        return table, name

    def settings(self, rows: int, given: Sequence[str]) -> list[str]:
        """The options, and what fits a table of so many rows where it was not given: sequence_length and epochs."""
        fits = {"sequence_length": max(2, min(LONGEST, rows // 8))}
        least, most = EPOCHS
        fits["epochs"] = min(max(PASSES // max(windows.train_rows(rows), 1), least), most)
        known = commands.names(given)
        return [*self.options, *(f"{knob}={value}" for knob, value in fits.items() if knob not in known)]

    def forecasts(
        self, table: Table, name: str, ends: Sequence[int], seeds: int, say: Callable[[str], Any] = print
    ) -> list[Forecasts]:
        """Train what is not finished, from each origin; ends: of the tables, see `ends_of`.

        Raises:
          UserError: too few rows, or a folder that holds something else.
          RunStoppedError: a signal came; the same call resumes.
        """
        found = []
        for k, end in enumerate(ends, start=1):
            part = dataclasses.replace(table, times=table.times[:end], values=table.values[:end])
            found.append(self._origin(part, name, f"origin_{k}", seeds, say))
        return found

    def _function(self) -> Any:
        return experiments.load(experiments.find(self.experiment))

    def _knobs(self, options: Sequence[str]) -> dict[str, Any]:
        return experiments.options(self._function(), options)

    def _origin(self, table: Table, name: str, folder: str, seeds: int, say: Callable[[str], Any]) -> Forecasts:
        from seqjax.training.best import restore_best, shapes
        from seqjax.training.program import Program, Settings

        options = self.settings(len(table.times), self.options)
        experiment = experiments.build(self._function(), self._knobs(options))
        dataset = experiment.source.dataset(table, name)
        program, outputs = Program(experiment, dataset, Settings(devices=1)), []
        for seed in range(seeds):
            workdir = Workdir(self.output / folder / f"seed_{seed}")
            began = time.monotonic()
            self._run(workdir, [*options, f"seed={seed}"], dataset, program)
            _, params = restore_best(workdir, shapes(experiment, dataset.example()))
            outputs.append(program.answers(params, "test").outputs)
            scores = workdir.results() or {}
            said = f"{len(dataset.parts['train']):,} windows, best epoch {scores.get('best_epoch')}"
            say(f"{folder}, seed {seed}: {said}, {time.monotonic() - began:.0f} s")
        return _in_units(experiment.source, dataset, table, np.array(outputs, np.float64))

    def _run(self, workdir: Workdir, options: Sequence[str], dataset: Any, program: Any) -> None:
        """Train a run, or its rest, unless it is finished."""
        from seqjax.training.fit import Training
        from seqjax.training.interrupt import Interrupt
        from seqjax.training.progress import Silent

        source_file = commands.own_copy(workdir, experiments.find(self.experiment))
        function = experiments.load(source_file)
        config = commands.asked(self.experiment, function, options, self.data, program.settings)
        experiment = experiments.build(function, config["options"])
        config |= commands.found(experiment, dataset, program.mesh, {})
        workdir.check(config)
        with workdir.lock():
            commands.claim(workdir, config, dataset, source_file)
            if workdir.results() is not None:
                return
            with Interrupt() as interrupt:
                training = Training(experiment, program, workdir, interrupt, Silent)
                try:
                    scores = training.run()
                finally:
                    training.close()
            commands.finish(experiment, dataset, workdir, config, scores)


def ends_of(rows: int, origins: int) -> list[int]:
    """Where the tables of so many origins end, the last at the end: each but that where the next one's test begins."""
    ends = [rows]
    while len(ends) < origins:
        ends.insert(0, _before_test(ends[0]))
    return ends


def _before_test(rows: int) -> int:
    """As `windows.split_by_target` has it."""
    return windows.train_rows(rows) + int(0.25 * rows)


def _in_units(source: TableWindows, dataset: Any, table: Table, outputs: np.ndarray) -> Forecasts:
    """outputs: [S, W] of the model, for the windows of the test part."""
    values = windows.filled(table, [(0, len(table.times))], "")[0][:, 0]
    std = float(dataset.arrays["unit"][0])
    seasons = dataset.baselines.get("seasonal_naive", {}).get("season")
    ids = dataset.parts["test"]
    last, came = values[ids + source.span.reach], values[ids + source.span.delay]
    forecast = lambda part, before: simple(
        values, dataset.parts[part] + source.span.delay, source.horizon, seasons, before
    )
    judged = forecast("test", _before_test(len(values)))
    tried = forecast("validation", windows.train_rows(len(values)))
    truth = values[dataset.parts["validation"] + source.span.delay]
    best = min(tried, key=lambda name: float(np.abs(tried[name] - truth).mean()))
    return Forecasts(last, came, last + std * outputs, judged, [best] * len(ids))


def simple(
    values: np.ndarray, rows: np.ndarray, horizon: int, season: int | None, before: int
) -> dict[str, np.ndarray]:
    """What needs no model.

    Args:
      values: [N] without gaps.
      rows: [W] to be forecast.
      horizon: rows from what is last known.
      season: in rows, if there is one.
      before: the first row of which mean and drift may know nothing.
    """
    known, last = values[:before], values[rows - horizon]
    found = {LAST: last}
    if season is not None:
        found["seasonal value"] = values[rows - -(-horizon // season) * season]
    found["mean"] = np.full(len(rows), known.mean())
    found["drift"] = last + horizon * (known[-1] - known[0]) / max(len(known) - 1, 1)
    return found


def together(found: Sequence[Forecasts]) -> Forecasts:
    """All origins as one stretch. A simple forecast that one of them lacks is left out."""
    names = [name for name in found[0].simple if all(name in own.simple for own in found)]
    joined = lambda get: np.concatenate([get(own) for own in found], axis=-1)
    simple_ones = {name: joined(lambda own, name=name: own.simple[name]) for name in names}
    chosen = [name if name in names else LAST for own in found for name in own.chosen]
    return Forecasts(
        joined(lambda own: own.last), joined(lambda own: own.came), joined(lambda own: own.model), simple_ones, chosen
    )
