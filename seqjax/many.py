"""--seeds and --sweep: many runs in one command, or by any number of workers that give the same command."""

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from absl import flags

from seqjax import cluster, runtime
from seqjax import experiment as experiments
from seqjax.errors import UserError
from seqjax.runs import writers
from seqjax.runs.lines import result_lines
from seqjax.training.workdir import Workdir

if TYPE_CHECKING:
    from seqjax.runs.members import Member, Processes
    from seqjax.runs.shared import Worker
    from seqjax.runs.together import Together

SEEDS = flags.DEFINE_integer("seeds", None, "Train so many seeds, from the knob seed on, each in WORKDIR/seed_N.")
SWEEP = flags.DEFINE_string("sweep", None, "knob=value,value,...: train each value, in WORKDIR/knob=value/seed_N.")
MEMBERS = flags.DEFINE_enum(
    "members",
    "auto",
    ["auto", "processes", "vmap", "shared"],
    "How --seeds and --sweep train: a process for each run, or all seeds in one program (auto: processes on CPUs, "
    "vmap on accelerators). shared: as one of any number of workers, on any machines, that share WORKDIR.",
)
PROCESSES = flags.DEFINE_integer(
    "processes", None, "Of --members=processes, at once (default: one for each CPU core, one on accelerators)."
)
LEASE = flags.DEFINE_float(
    "lease", 120.0, "Of --members=shared: seconds without a sign of life after which others take over a worker's run."
)


@dataclasses.dataclass(frozen=True)
class Asked:
    """What the command's other flags say."""

    name: str
    """Of the experiment."""
    options: Sequence[str]
    """`knob=value` each, for all."""
    data: str
    data_dir: Path
    steps_per_dispatch: int | None
    checkpoint_seconds: float
    tune: bool
    write_to: Sequence[str]


def check(mode: str) -> bool:
    """Whether many runs are asked for. Raises UserError: the flags contradict each other."""
    many = SEEDS.value is not None or SWEEP.value is not None
    if many and mode != "train":
        raise UserError(f"--seeds and --sweep are for --mode=train, not --mode={mode}")
    if not many and (flags.FLAGS["members"].present or PROCESSES.value is not None):
        raise UserError("--members and --processes are for --seeds and --sweep")
    if flags.FLAGS["lease"].present and MEMBERS.value != "shared":
        raise UserError("--lease is for --members=shared")
    if MEMBERS.value == "shared" and PROCESSES.value is not None:
        raise UserError("--processes is for --members=processes; with --members=shared start so many workers")
    return many


def write(asked: Asked, path: Path, settle: Callable[[], Mapping[str, str]]) -> None:
    """Train or resume the members, and print their lines.

    Args:
      asked: the command's other flags.
      path: of the common folder.
      settle: settles the runtime, where this process trains; returns what it has tuned.

    Raises:
      UserError, RunStoppedError: as `seqjax.runs.members.train`.
    """
    from seqjax.runs import members

    if MEMBERS.value != "shared":
        cluster.join("train", True, False)
    function = experiments.load(experiments.find(asked.name))
    planned = members.plan(function, asked.options, 1 if SEEDS.value is None else SEEDS.value, SWEEP.value)
    workdir = Workdir(path)
    old = workdir.config()
    way, processes = ("shared", 1) if MEMBERS.value == "shared" else members.choose(MEMBERS.value, PROCESSES.value)
    writers.check(asked.write_to)
    if asked.write_to and way != "processes":
        raise UserError("--write_to is for single runs and --members=processes")
    if SWEEP.value is not None and (way != "shared" or old is None):
        members.check(asked.name, planned, asked.options, asked.data, asked.data_dir)
    if way == "shared":
        results = _worker(asked, workdir, planned, settle).train(function)
    else:
        run = _all_in_one(asked, path, settle) if way == "vmap" else _each_alone(asked, path, processes)
        known = {"options": asked.options, "data": asked.data, "run": run}
        results = members.train(asked.name, function, workdir, planned, **known)
    print("\n".join(result_lines(results)))


def _worker(
    asked: Asked, workdir: Workdir, planned: "Sequence[Member]", settle: Callable[[], Mapping[str, str]]
) -> "Worker":
    # As `members.run_all` has it: some of XLA's sums have other bits on one thread than on several.
    os.environ.setdefault("NPROC", str(max(2, runtime.cores())))
    tuned = settle()
    import jax

    from seqjax.runs.shared import Worker
    from seqjax.training.program import Settings

    settings = Settings(asked.steps_per_dispatch, asked.checkpoint_seconds, devices=1)
    return Worker(
        asked.name,
        workdir,
        planned,
        options=asked.options,
        data=asked.data,
        data_dir=asked.data_dir,
        settings=settings,
        tuned=tuned,
        lease=LEASE.value,
        clear=jax.clear_caches,  # of ten thousand members too, memory holds one's programs
    )


def _all_in_one(asked: Asked, path: Path, settle: Callable[[], Mapping[str, str]]) -> "Together":
    tuned = settle()
    from seqjax.runs.together import Together
    from seqjax.training.program import Settings

    settings = Settings(asked.steps_per_dispatch, asked.checkpoint_seconds, devices=1)
    return Together(asked.name, path, asked.options, asked.data, asked.data_dir, settings, tuned)


def _each_alone(asked: Asked, path: Path, processes: int) -> "Processes":
    from seqjax.runs import members

    each = [f"--data_dir={asked.data_dir}", f"--checkpoint_seconds={asked.checkpoint_seconds}"]
    each += [f"--{'' if asked.tune else 'no'}tune"]
    each += [f"--write_to={','.join(asked.write_to)}"] if asked.write_to else []
    each += [] if asked.steps_per_dispatch is None else [f"--steps_per_dispatch={asked.steps_per_dispatch}"]
    return members.Processes(asked.name, path, asked.options, asked.data, each, processes)
