"""Many runs in one command: the same experiment with several seeds, and with several values of a knob.

Each member is a run of its own, in a folder below the common workdir (`seed_0`, or `learning_rate=0.001/seed_0`). So
members resume themselves, a finished one is not trained again, and more can be asked for later. There are three ways to
train them, which may take turns on the same folders; `choose` takes the first or the second, as suits the device,
--members forces any:

processes   one `python -m seqjax.main` with --devices=1 for each member, bit for bit what that command gives alone; as
            many at once as there are cores. The fastest on a CPU: processes share nothing, and vmap over the seeds is
            slower there than one after the other (PERFORMANCE.md).
vmap        all in one program (`seqjax.runs.together`); values of a knob that decides a shape one after the other. For
            accelerators: their memory belongs to one process; one small model should leave them idle (not measured).
shared      by any number of workers on any machines, each of which gives the same command (`seqjax.runs.shared`).
"""

import dataclasses
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent import futures
from pathlib import Path
from typing import Any

from seqjax import experiment as experiments
from seqjax import runtime
from seqjax.errors import RunStoppedError, UserError, check_least
from seqjax.runs import commands
from seqjax.runs.summary import Results, summary
from seqjax.training import identity
from seqjax.training.interrupt import Interrupt
from seqjax.training.workdir import Workdir


@dataclasses.dataclass(frozen=True)
class Member:
    """One run of the many."""

    seed: int
    value: str | None
    """Of the swept knob, as it was given."""
    knob: str | None

    @property
    def folder(self) -> str:
        """Below the common workdir."""
        seed = f"seed_{self.seed}"
        return seed if self.knob is None else f"{self.knob}={self.value}/{seed}"

    @property
    def settings(self) -> list[str]:
        """As --set takes them."""
        swept = [] if self.knob is None else [f"{self.knob}={self.value}"]
        return [*swept, f"seed={self.seed}"]


def plan(function: Any, options: Sequence[str], seeds: int, sweep: str | None) -> list[Member]:
    """The members, seed by seed, so that a stop leaves every value with about as many seeds.

    Args:
      function: the experiment's.
      options: `knob=value` each, for all.
      seeds: how many, counted from the knob `seed`.
      sweep: `knob=value,value,...`, or None.

    Raises:
      UserError: a number below 1, a sweep that is not of that form, or of an unknown knob or wrong values.
    """
    check_least("seeds", seeds, 1)
    knobs = experiments.options(function, options)
    knob, values = None, [None]
    if sweep is not None:
        knob, equals, text = sweep.partition("=")
        values = text.split(",")
        if not equals or "" in values:
            raise UserError(f"--sweep={sweep} is not of the form --sweep=knob=value,value")
        if knob == "seed":
            raise UserError("--sweep=seed: give --seeds=N instead")
        parsed = [experiments.options(function, [*options, f"{knob}={value}"])[knob] for value in values]
        if len(set(parsed)) < len(parsed):
            raise UserError(f"--sweep={sweep} has a value twice")
    first = int(knobs["seed"] or 0)
    return [Member(seed, value, knob) for seed in range(first, first + seeds) for value in values]


def check(name: str, members: Sequence[Member], options: Sequence[str], data: str, data_dir: Path) -> None:
    """Build the model of every swept value, so that none is trained before a senseless one is met.

    In a process of its own: here JAX would hold the accelerator's memory, and the data this process's.

    Raises:
      UserError: a value that the experiment, its data or its model refuses; nothing has been touched.
    """
    first = {member.value: member for member in reversed(members)}.values()
    settings = [[*options, *member.settings] for member in first]
    with futures.ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        pool.submit(commands.check, name, settings, data, data_dir).result()


def choose(way: str, processes: int | None) -> tuple[str, int]:
    """Which way to train members, and how many processes at once.

    Args:
      way: `auto`, `processes` or `vmap`. auto is processes on a CPU or where a number of them is given, else vmap.
      processes: how many at once; None: one for each core, on accelerators one, because they have one memory.

    Raises:
      UserError: a number below 1, or one with vmap.
    """
    if processes is not None:
        check_least("processes", processes, 1)
        if way == "vmap":
            raise UserError(f"--processes={processes} is for --members=processes, not --members=vmap")
        return "processes", processes
    on_cpu = way != "vmap" and _platform() == "cpu"
    if way == "auto":
        way = "processes" if on_cpu else "vmap"
    return way, runtime.cores() if on_cpu else 1


def _platform() -> str:
    # JAX is asked in a process of its own: here it would hold the accelerator's memory, which the runs may need.
    code = "import jax; print(jax.default_backend())"
    asked = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True)
    return asked.stdout.strip()


def train(
    name: str,
    function: Any,
    workdir: Workdir,
    members: Sequence[Member],
    *,
    options: Sequence[str],
    data: str,
    run: Callable[[Sequence[Member]], Mapping[str, int]],
) -> Results:
    """Train or resume every member, then write the common results.json.

    Args:
      name: of the experiment.
      function: of its file.
      workdir: the common one: free, or of the same experiment, data and options.
      members: of `plan`.
      options: `knob=value` each, for all.
      data: `real` or `sample`.
      run: trains them: `Processes` or `seqjax.runs.together.Together`; returns the exit code of each folder.

    Returns:
      what results.json holds.

    Raises:
      UserError: the workdir holds something else.
      RunStoppedError: a signal came, or a member failed; the others have been trained all the same.
    """
    config = config_of(name, members, options, data, function)
    workdir.check(config)
    check_folders(workdir, members, function, options)
    with workdir.lock():
        workdir.claim(config, {})
        codes = run(members)
        failed = {folder: code for folder, code in codes.items() if code}
        if failed:
            folder, code = next(iter(failed.items()))
            raise RunStoppedError(
                f"{len(failed)} of {len(codes)} runs failed: {folder} with exit code {code}; see above", 1
            )
        results = {"experiment": name, "options": config["options"], "data": data}
        results |= summary(workdir.path, members)
        workdir.write_results(results)
    return results


def config_of(name: str, members: Sequence[Member], options: Sequence[str], data: str, function: Any) -> dict[str, Any]:
    """What the config.json of the common workdir holds, and `given`; the arguments are those of `train`."""
    knobs = experiments.options(function, options)
    shared = {knob: value for knob, value in knobs.items() if knob not in ("seed", members[0].knob)}
    defaults = {knob: value for knob, value in experiments.options(function, []).items() if knob in shared}
    config = {"kind": "members", "experiment": name, "data": data, "options": shared, "defaults": defaults}
    return config | {"swept": members[0].knob, "given": sorted(commands.names(options))}


def check_folders(workdir: Workdir, members: Sequence[Member], function: Any, options: Sequence[str]) -> None:
    """Look at every member's folder, before any is trained.

    Raises:
      UserError: one holds another run; or more epochs are asked for, but not for all that are there.
    """
    old = workdir.config() or {}
    asked = {member.folder: experiments.options(function, [*options, *member.settings]) for member in members}
    config = {"defaults": experiments.options(function, []), "given": sorted(commands.names(options))}
    for folder, knobs in asked.items():
        if (workdir.path / folder / "config.json").exists():
            Workdir(workdir.path / folder).check(config | {"options": knobs})
    first = asked[members[0].folder]
    if identity.grows(old.get("options", {}), config | {"options": first}):
        found = [file.parent for kind in ("seed_*", "*=*/seed_*") for file in workdir.path.glob(f"{kind}/config.json")]
        left = sorted(str(folder.relative_to(workdir.path)) for folder in found)
        left = [folder for folder in left if folder not in asked]
        if left:
            raise UserError(
                f"workdir {workdir.path} holds a run with epochs={old['options']['epochs']}, not {first['epochs']}, in "
                f"{left[0]}, which is not asked for: train all its runs on, or choose another --workdir"
            )


def stopped(number: int) -> RunStoppedError:
    """What to raise after signal `number`, once every run is saved."""
    name = signal.Signals(number).name
    return RunStoppedError(f"stopped by {name}, every run saved; the same command resumes", 128 + number)


@dataclasses.dataclass(frozen=True)
class Processes:
    """Trains members each in a process of its own."""

    name: str
    """Of the experiment."""
    path: Path
    """The common workdir's."""
    options: Sequence[str]
    """`knob=value` each, for all."""
    data: str
    flags: Sequence[str]
    """More for each."""
    count: int
    """How many run at once."""

    def __call__(self, members: Sequence[Member]) -> dict[str, int]:
        """Exit codes by folder. Raises RunStoppedError: a signal came."""
        return run_all([(member.folder, self._command(member)) for member in members], self.count)

    def _command(self, member: Member) -> list[str]:
        command = [sys.executable, "-m", "seqjax.main", f"--experiment={self.name}", f"--data={self.data}"]
        command += ["--devices=1", *self.flags, f"--workdir={self.path / member.folder}"]
        return [*command, *(f"--set={setting}" for setting in (*self.options, *member.settings))]


def run_all(
    commands: Sequence[tuple[str, list[str]]], processes: int, last: dict[str, str] | None = None
) -> dict[str, int]:
    """Run the commands, so many at once; their lines are printed under their names. Returns the exit codes.

    last: gets the last line that each has printed.

    The first signal is passed on to those that run, and no more are started. Each has its share of the cores; two
    threads at least, because some of XLA's sums have other bits on one than on several.
    """
    environment = {**os.environ, "NPROC": str(max(2, runtime.cores() // processes))}
    running: set[subprocess.Popen[str]] = set()
    lock = threading.Lock()

    def run(name: str, command: list[str]) -> int:
        with lock:
            if interrupt.signal is not None:
                return 0
            # A group of its own: Ctrl-C in a terminal reaches this process alone, which passes it on once.
            process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, process_group=0, env=environment
            )
            running.add(process)
        assert process.stdout is not None
        for line in process.stdout:
            print(f"{name}: {line}", end="", flush=True)
            if last is not None and line.strip():
                last[name] = line.strip()
        code = process.wait()
        with lock:
            running.remove(process)
        return code

    with Interrupt() as interrupt, futures.ThreadPoolExecutor(processes) as pool:
        codes = {name: pool.submit(run, name, command) for name, command in commands}
        while interrupt.signal is None and futures.wait(codes.values(), timeout=0.2).not_done:
            pass
        if interrupt.signal is not None:
            with lock:
                for process in running:
                    process.send_signal(interrupt.signal)
        futures.wait(codes.values())
    if interrupt.signal is not None:
        raise stopped(interrupt.signal)
    return {name: code.result() for name, code in codes.items()}
