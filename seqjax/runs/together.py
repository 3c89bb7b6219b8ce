"""Many runs of an experiment trained by one program: the train step, vmapped over their states.

The runs are seeds, and the values of a swept knob wherever the number decides no shape (`seqjax.runs.swept`), such as a
learning rate or a rate of dropout; other knobs are trained value by value. Each run is an ordinary one
(`fit.Training`) in its own folder, with its own initial values, order of batches and dropout, its own checkpoints and
end. It asks for what is to be computed next, and those that ask for the same at the same step are answered by one
call. Those behind, because an earlier process left them so, come first until they have caught up. So a set of runs
that one way of training has begun the other can go on with.

What one program of many computes, and how near it comes to single runs: `seqjax.runs.many_program`. Meant for
accelerators; see `seqjax.runs.members` for which way is taken when.
"""

import contextlib
import dataclasses
import functools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from seqjax import experiment as experiments
from seqjax.data.dataset import Dataset
from seqjax.errors import RunStoppedError, UserError
from seqjax.experiment import Experiment
from seqjax.runs import commands
from seqjax.runs.many_program import ManyProgram, outcomes
from seqjax.runs.members import Member, stopped
from seqjax.runs.swept import Sweep
from seqjax.training.fit import Training
from seqjax.training.interrupt import Interrupt
from seqjax.training.program import Settings, shared_by
from seqjax.training.progress import Progress
from seqjax.training.workdir import Workdir


@dataclasses.dataclass(frozen=True)
class Together:
    """Trains members in this process: all together, or value by value where one program cannot hold them."""

    name: str
    """Of the experiment."""
    path: Path
    """The common workdir's."""
    options: Sequence[str]
    """`knob=value` each, for all."""
    data: str
    data_dir: Path
    settings: Settings
    tuned: Mapping[str, str]
    """What `seqjax.runtime.tune` has applied."""

    def __call__(self, members: Sequence[Member]) -> dict[str, int]:
        """Exit codes by folder. Raises RunStoppedError: a signal came."""
        codes = {}
        with Interrupt() as interrupt:
            for source_file, group, sweep in self._groups(members):
                if interrupt.signal is None:
                    codes |= self._train(source_file, group, sweep, interrupt)
        if interrupt.signal is not None:
            raise stopped(interrupt.signal)
        return {member.folder: codes[member.folder] for member in members}

    def _groups(self, members: Sequence[Member]) -> Iterator[tuple[Path, list[Member], Sweep | None]]:
        """Members of the same experiment file, which a run keeps as it began; by value, unless a `Sweep` holds all."""
        current = experiments.find(self.name)
        files: dict[bytes, tuple[Path, list[Member]]] = {}
        for member in members:
            source_file = commands.own_copy(self._workdir(member), current)
            files.setdefault(source_file.read_bytes(), (source_file, []))[1].append(member)
        for source_file, group in files.values():
            values = _by_value(group)
            sweep = self._sweep(source_file, [of_value[0] for of_value in values])
            for together in values if sweep is None else [group]:
                yield source_file, together, sweep

    def _sweep(self, source_file: Path, firsts: Sequence[Member]) -> Sweep | None:
        """What holds all values in one program, of which `firsts` are one member each; None if nothing does."""
        if len(firsts) == 1 or firsts[0].knob is None:
            return None
        try:
            function = experiments.load(source_file)
            knobs = [experiments.options(function, [*self.options, *member.settings]) for member in firsts]
            dataset = function(**knobs[0]).source.load(self.data, self.data_dir)
            knobs = [experiments.knobs({"options": own, "told": dataset.knobs}) for own in knobs]
            found = [function(**own) for own in knobs]
        except UserError:
            return None  # it is said of the values that it is true of, when their turn comes
        values: Any = [own[firsts[0].knob] for own in knobs]
        sweep = Sweep(function, knobs[0], firsts[0].knob, values)
        return sweep if sweep.fits(found, dataset) else None

    def _workdir(self, member: Member) -> Workdir:
        return Workdir(self.path / member.folder)

    def _train(
        self, source_file: Path, members: Sequence[Member], sweep: Sweep | None, interrupt: Interrupt
    ) -> dict[str, int]:
        """Exit codes by folder; what went wrong is printed."""
        codes = {member.folder: 0 for member in members}
        with contextlib.ExitStack() as stack:
            try:
                function = experiments.load(source_file)
                each = {m.folder: [*self.options, *m.settings] for m in members}
                asked = {f: commands.asked(self.name, function, each[f], self.data, self.settings) for f in codes}
                found = {folder: function(**asked[folder]["options"]) for folder in codes}
                dataset = found[members[0].folder].source.load(self.data, self.data_dir)
                found = {folder: commands.as_told(function, asked[folder]["options"], dataset) for folder in codes}
                for alike in _by_value(members):
                    _check_seeds([found[member.folder] for member in alike])
                    commands.check_model(found[alike[0].folder], dataset)
            except UserError as error:
                return {folder: _failed(folder, error) for folder in codes}
            configs = {}
            for member in members:
                try:
                    mesh = shared_by(found[member.folder], self.settings.devices)
                    config = asked[member.folder] | commands.found(found[member.folder], dataset, mesh, self.tuned)
                    self._claim(member, config, dataset, source_file, stack)
                except UserError as error:
                    codes[member.folder] = _failed(member.folder, error)
                    continue
                if self._workdir(member).results() is None:
                    configs[member.folder] = config
                else:
                    print(f"{member.folder}: is finished already", flush=True)
            return codes | self._fit({folder: found[folder] for folder in configs}, configs, dataset, sweep, interrupt)

    def _claim(self, member: Member, config: Any, dataset: Dataset, source_file: Path, stack: Any) -> None:
        """Make the member's folder its own and hold it until `stack` is closed."""
        workdir = self._workdir(member)
        workdir.check(config)
        stack.enter_context(workdir.lock())
        commands.claim(workdir, config, dataset, source_file)

    def _fit(
        self,
        found: Mapping[str, Experiment],
        configs: Mapping[str, Any],
        dataset: Dataset,
        sweep: Sweep | None,
        interrupt: Interrupt,
    ) -> dict[str, int]:
        """Train what is not finished."""
        if not found:
            return {}
        codes = {}
        experiment = next(iter(found.values()))
        program = ManyProgram(experiment, dataset, self.settings, sweep)
        values = {folder: 0.0 if sweep is None else configs[folder]["options"][sweep.knob] for folder in found}
        print(f"{self.name}: {len(found)} runs in one program; {dataset.description}; {commands.device()}", flush=True)
        examples = len(found) * experiment.epochs * len(dataset.parts["train"])
        with contextlib.ExitStack() as stack:
            progress, noted = Progress(examples, 0), Interrupt()
            stack.callback(progress.close)
            share = functools.partial(Share, progress, {})
            runs = {}
            for folder, own in found.items():
                try:
                    workdir = Workdir(self.path / folder)
                    runs[folder] = Training(own, program, workdir, noted, functools.partial(share, folder))
                except (RunStoppedError, UserError) as error:
                    codes[folder] = _failed(folder, error)
                    continue
                stack.callback(runs[folder].close)
            for folder, outcome in outcomes(runs, values, program, interrupt, noted):
                codes[folder] = _failed(folder, outcome) if isinstance(outcome, Exception) else 0
                if not isinstance(outcome, Exception):
                    commands.finish(found[folder], dataset, Workdir(self.path / folder), configs[folder], outcome)
        return codes


def _by_value(members: Sequence[Member]) -> list[list[Member]]:
    groups: dict[str | None, list[Member]] = {}
    for member in members:
        groups.setdefault(member.value, []).append(member)
    return list(groups.values())


def _check_seeds(found: Sequence[Experiment]) -> None:
    """Raises UserError: they do not differ in their seed alone."""
    first, *others = found
    for name in ("source", "model", "epochs", "batch_size"):
        if any(getattr(other, name) != getattr(first, name) for other in others):
            raise UserError(f"{name} depends on the seed: train these seeds with --members=processes")


def _failed(folder: str, error: Exception) -> int:
    print(f"{folder}: {error}", flush=True)
    return getattr(error, "exit_code", 1)


class Share:
    """A run's part in the common progress: its examples count, its lines come under its name."""

    def __init__(self, common: Progress, done: dict[str, int], name: str, examples: int, already: int):
        """Args: common: of all. done: examples by run, shared. name: the run's. examples: its own. already: done."""
        del examples
        self._common, self._done, self._name = common, done, name
        done[name] = already

    def update(self, examples: int, title: str, values: Mapping[str, float]) -> None:
        """As `Progress.update`."""
        self._done[self._name] = examples
        self._common.update(sum(self._done.values()), f"{self._name}: {title}", values)

    def line(self, text: str) -> None:
        """As `Progress.line`."""
        self._common.line(f"{self._name}: {text}")

    def close(self) -> None:
        """The common progress is closed when all runs are."""
