"""A folder of data sets, each of a training and a test file, and one experiment trained on all of them.

DIR/NAME_TRAIN.ts and DIR/NAME_TEST.ts, or each in a folder of its own, DIR/NAME/; .tsv, .txt and .arff as well.
"""

import dataclasses
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from seqjax import experiment as experiments
from seqjax.errors import UserError
from seqjax.runs import commands, members
from seqjax.training import identity
from seqjax.training.workdir import Workdir

KINDS = (".ts", ".tsv", ".txt", ".arff")
"""Of two files of one data set the first of these is taken."""
PACKED = ("", ".gz", ".xz", ".bz2", ".zip")
KNOBS = ("file", "test_file")
"""What an experiment must have to be trained so."""


@dataclasses.dataclass(frozen=True)
class DataSet:
    """Two files."""

    name: str
    train: Path
    test: Path

    @property
    def size(self) -> int:
        """In bytes."""
        return self.train.stat().st_size + self.test.stat().st_size


def find(folder: Path) -> list[DataSet]:
    """The data sets of a folder, the smallest first.

    Raises:
      UserError: no such folder, none in it, one twice, or a training file without its test file.
    """
    if not folder.is_dir():
        raise UserError(f"--folder={folder} is no folder" if folder.exists() else f"--folder={folder} does not exist")
    found: dict[str, DataSet] = {}
    for place in (folder, *sorted(path for path in folder.iterdir() if path.is_dir())):
        for one in _in(place, None if place == folder else place.name):
            if one.name in found:
                raise UserError(f"--folder={folder} has {one.name} twice: {found[one.name].train} and {one.train}")
            found[one.name] = one
    if not found:
        wanted = ", ".join(f"*_TRAIN{kind}" for kind in KINDS)
        raise UserError(f"--folder={folder} holds no data set; looked for {wanted} there and in NAME/NAME_TRAIN.*")
    return sorted(found.values(), key=lambda one: (one.size, one.name))


def _in(place: Path, only: str | None) -> Iterator[DataSet]:
    """Those of one folder; only: of that name, for beside it may lie the same by dimensions."""
    files = {path.name: path for path in place.iterdir() if path.is_file()}
    endings = [kind + pack for kind in KINDS for pack in PACKED]
    seen = set()
    for ending in endings:
        for name in sorted(file.removesuffix(f"_TRAIN{ending}") for file in files if file.endswith(f"_TRAIN{ending}")):
            if name in seen or (only is not None and name != only):
                continue
            seen.add(name)
            test = next((f"{name}_TEST{one}" for one in (ending, *endings) if f"{name}_TEST{one}" in files), None)
            if test is None:
                raise UserError(f"{files[f'{name}_TRAIN{ending}']} has no {name}_TEST{ending} beside it")
            yield DataSet(name, files[f"{name}_TRAIN{ending}"], files[test])


@dataclasses.dataclass(frozen=True)
class Run:
    """A data set and a seed."""

    data: DataSet
    seed: int
    path: Path
    """Its folder."""

    @property
    def title(self) -> str:
        """What it is called in what is printed."""
        return f"{self.data.name}/seed_{self.seed}"


@dataclasses.dataclass(frozen=True)
class Archive:
    """An experiment on every data set, a folder for each run below `output`."""

    experiment: str
    options: Sequence[str]
    """`knob=value` each, for all."""
    output: Path

    def plan(self, found: Sequence[DataSet], seeds: int) -> list[Run]:
        """Seed by seed, so that a stop leaves every data set with about as many.

        Raises:
          UserError: the experiment takes no files, or a folder holds another run.
        """
        function = experiments.load(experiments.find(self.experiment))
        knobs = experiments.options(function, self.options)
        for knob in KNOBS:
            if knob not in knobs:
                raise UserError(f"--experiment={self.experiment} has no knob {knob}: it cannot be trained on files")
            if knob in commands.names(self.options):
                raise UserError(f"--set={knob}: the files are those of --folder")
        first = int(knobs["seed"] or 0)
        runs = [
            Run(one, seed, self.output / one.name / f"seed_{seed}")
            for seed in range(first, first + seeds)
            for one in found
        ]
        for run in runs:
            if (run.path / "config.json").exists():
                Workdir(run.path).check(self._asked(function, run))
        return runs

    def results(self, run: Run) -> Mapping[str, Any] | None:
        """Of a finished run of all the epochs that are asked for, of files as they are; else None."""
        file, workdir = run.path / "results.json", Workdir(run.path)
        if not file.exists() or any(
            path.stat().st_mtime > file.stat().st_mtime for path in (run.data.train, run.data.test)
        ):
            return None
        asked = self._asked(experiments.load(experiments.find(self.experiment)), run)
        config = workdir.config() or {}
        return None if identity.grows(config.get("options", {}), asked) else workdir.results()

    def train(
        self,
        runs: Sequence[Run],
        processes: int,
        flags: Sequence[str] = (),
        run_all: Callable[..., dict[str, int]] = members.run_all,
    ) -> dict[str, str]:
        """Train what is not finished, a process each. Returns why, for each that failed: what it printed last.

        Raises:
          RunStoppedError: a signal came; every run is saved.
        """
        last: dict[str, str] = {}
        todo = [(run.title, self._command(run, flags)) for run in runs if self.results(run) is None]
        codes = run_all(todo, processes, last)
        return {name: last.get(name) or f"exit code {code}" for name, code in codes.items() if code}

    def _asked(self, function: Any, run: Run) -> dict[str, Any]:
        options = experiments.options(function, [*self.options, f"seed={run.seed}"])
        defaults, given = experiments.options(function, []), sorted(commands.names(self.options))
        return {"experiment": self.experiment, "data": "real", "options": options, "defaults": defaults, "given": given}

    def _command(self, run: Run, flags: Sequence[str]) -> list[str]:
        files = (f"file={run.data.train.resolve()}", f"test_file={run.data.test.resolve()}")
        settings = [*self.options, *files, f"seed={run.seed}"]
        command = [sys.executable, "-m", "seqjax.main", f"--experiment={self.experiment}", f"--workdir={run.path}"]
        return [*command, "--devices=1", *flags, *(f"--set={setting}" for setting in settings)]
