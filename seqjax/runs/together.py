"""Many runs of an experiment trained by one program: the train step, vmapped over their states.

The runs are seeds, and the values of a swept knob wherever the number decides no shape (`seqjax.runs.swept`), such as a
learning rate or a rate of dropout; other knobs are trained value by value. Each run is an ordinary one
(`fit.Training`) in its own folder, with its own initial values, order of batches and dropout, its own checkpoints and
end. It asks for what is to be computed next, and those that ask for the same at the same step are answered by one
call. Those behind, because an earlier process left them so, come first until they have caught up. So a set of runs
that one way of training has begun the other can go on with.

A run's numbers need not be bit for bit those of its own single one: vmap changes the shapes of the products, and with
them the order of their sums. Measured after 40 steps in float32 on a CPU, as a share of a parameter (of 0.01 for
smaller ones): nothing for jena_dense and jena_lstm_dropout; 1e-5 for jena_conv1d, whose convolutions become one with
groups. The tests allow 1e-4. Differences grow with training, as those of any other order of summation do; what an
accelerator does has not been measured.

Meant for accelerators; see `seqjax.runs.members` for which way is taken when.

Legend: N seeds, K steps in one dispatch, B batch.
"""

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from seqjax import experiment as experiments
from seqjax.data.dataset import Arrays, Dataset
from seqjax.data.pipeline import Batches
from seqjax.errors import RunStoppedError, UserError
from seqjax.experiment import Experiment
from seqjax.layers import composite
from seqjax.runs import commands
from seqjax.runs.members import Member, stopped
from seqjax.runs.swept import Sweep, as_number
from seqjax.training.fit import Request, Train, Training
from seqjax.training.interrupt import Interrupt
from seqjax.training.program import Program, Settings, float_means, no_sums, shared_by
from seqjax.training.progress import Progress
from seqjax.training.workdir import Row, Workdir


def _joined(trees: Sequence[Any]) -> Any:
    """N trees -> one, whose arrays begin with the axis N."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


def _apart(tree: Any, count: int) -> list[Any]:
    """The reverse of `_joined`."""
    return [jax.tree.map(lambda leaf, k=k: leaf[k], tree) for k in range(count)]


class ManyProgram(Program):
    """The program of N runs: it takes and returns lists of N trees where `Program` has one; stacks are [K, B, N].

    A state, or the parameters that are evaluated, come in a pair with the run's value of the swept knob (any number
    where none is swept). It is compiled once for each N: when a run has failed, and when runs have caught up.
    """

    def __init__(self, experiment: Experiment, dataset: Dataset, settings: Settings, sweep: Sweep | None = None):
        """Args: experiment: any run's. dataset, settings: of all. sweep: makes each run's, where they differ."""
        super().__init__(experiment, dataset, settings)
        self.sweep = sweep

    def _experiment(self, value: jax.Array) -> Experiment:
        return self.experiment if self.sweep is None else self.sweep.experiment(value)

    def train_steps(self, states: Any, stack: Any, arrays: Arrays, length: int | None) -> tuple[Any, Any]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """As `Program.train_steps`."""
        one = super().train_steps

        def train(pair: Any, stack: Any) -> tuple[Any, Any]:
            state, report = one(pair[0], stack, arrays, length, self._experiment(pair[1]))
            return (state, pair[1]), report

        stack = jax.tree.map(lambda array: jnp.moveaxis(array, -1, 0), stack)
        pairs, report = self._over_runs(train, _joined(states), stack)
        return _apart(pairs, len(states)), _apart(report, len(states))

    def evaluate_steps(self, sums: Any, stack: Any, params: Any, arrays: Arrays, length: int | None) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """As `Program.evaluate_steps`; every run meets the same batches, [K, B]."""
        one = super().evaluate_steps
        evaluate = lambda sums, pair: one(sums, stack, pair[0], arrays, length, self._experiment(pair[1]))
        return _apart(self._over_runs(evaluate, _joined(sums), _joined(params)), len(sums))

    def _over_runs(self, function: Callable[..., Any], *trees: Any) -> Any:
        # JAX has no rule to vmap cuDNN's LSTM: its runs take turns within the program.
        if any(choice.backend == "cudnn" for _, choice in composite.choices(self.experiment.model)):
            return jax.lax.map(lambda one: function(*one), trees)
        return jax.vmap(function)(*trees)

    def answer(self, requests: Sequence[Request], values: Sequence[float]) -> list[Any]:
        """What N runs want that stand at the same place, computed in one call; values: theirs of the swept knob."""
        first, numbers = requests[0], [as_number(value) for value in values]
        if isinstance(first, Train):
            wanted = [request for request in requests if isinstance(request, Train)]
            pairs = zip((request.state for request in wanted), numbers, strict=True)
            pairs, reports = self.train(list(pairs), side_by_side([request.batch for request in wanted]))
            return list(zip((state for state, _ in pairs), reports, strict=True))
        params = [request.params for request in requests if not isinstance(request, Train)]
        pairs = list(zip(params, numbers, strict=True))
        return [float_means(sums) for sums in self.sums(pairs, first.part, [no_sums(self.experiment)] * len(params))]


def side_by_side(batches: Sequence[Batches]) -> Batches:
    """The k-th batches of N orders as one, ids and weights [K, B, N], cut to the longest example of all."""
    lengths = [batch.length for batch in batches if batch.length is not None]
    ids, weights = (np.stack(arrays, axis=-1) for arrays in zip(*((b.ids, b.weights) for b in batches), strict=True))
    return Batches(batches[0].step, ids, weights, max(lengths, default=None))


def outcomes(
    runs: Mapping[str, Training],
    values: Mapping[str, float],
    program: ManyProgram,
    interrupt: Interrupt,
    noted: Interrupt,
) -> Iterator[tuple[str, Row | Exception]]:
    """Train runs to their ends.

    Args:
      runs: by name; each asks `noted` whether to leave.
      values: of the swept knob, by name.
      program: answers them.
      interrupt: notes signals when they come.
      noted: is told of them here, so that all the runs hear of one at the same step.

    Yields:
      a run's name and what it returned, or the error that ended it, when it ends. After a signal, runs that waited for
      others to catch up do not come: they stand as their checkpoints say.
    """
    work = {name: run.work() for name, run in runs.items()}
    requests: dict[str, Request] = {}
    answers: dict[str, Any] = dict.fromkeys(runs)
    while answers:
        noted.signal = interrupt.signal
        left = False
        for name, answer in answers.items():
            try:
                requests[name] = work[name].send(answer)
            except StopIteration as finished:
                yield name, finished.value
            except (RunStoppedError, UserError) as error:
                left = left or (noted.signal is not None and getattr(error, "exit_code", 0) == 128 + noted.signal)
                yield name, error
        if left or not requests:
            return
        group = _alike(requests)
        answered = program.answer([requests.pop(name) for name in group], [values[name] for name in group])
        answers = dict(zip(group, answered, strict=True))


def _alike(requests: Mapping[str, Request]) -> list[str]:
    """Whose requests can be answered in one call: of those furthest behind, all of the first one's kind."""
    kind = lambda request: (request.place, "train" if isinstance(request, Train) else request.part)
    least = min(map(kind, requests.values()))
    return [name for name, request in requests.items() if kind(request) == least]


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
            found = [function(**own) for own in knobs]
            dataset = found[0].source.load(self.data, self.data_dir)
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
                for alike in _by_value(members):
                    _check_seeds([found[member.folder] for member in alike])
                    commands.check_model(found[alike[0].folder], dataset)
            except UserError as error:
                return {folder: _failed(folder, error) for folder in codes}
            configs = {}
            for member in members:
                try:
                    mesh = shared_by(found[member.folder], dataset, self.settings.devices)
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
