"""Seconds from the start of a process to its first finished training step, and to the end of a prediction."""

import contextlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import TypedDict

import numpy as np

import seqjax
from seqjax.benchmark.process import Worker, WorkerDiedError, environment
from seqjax.benchmark.worker import IMPLEMENTATIONS, OURS
from seqjax.errors import UserError

UNKEPT = f"{OURS}, nothing kept"
"""Ours where no program was compiled before; the native library was."""
WORKLOAD = "W1"
RUN = ("--experiment=jena_lstm", "--data=sample")
"""Of the same shape: LSTM 16, a batch of 256 windows of 120 hours and 14 columns."""
PREDICTED_ROWS = 500
POLL_SECONDS = 0.005
PATIENCE = 120.0
"""Seconds after which a process that shows no step is given up."""


class Row(TypedDict):
    """One implementation, median of its blocks."""

    what: str
    """`first step`, `predict`."""
    implementation: str
    seconds: float
    blocks: list[float]
    version: str


def measure(peers: Collection[str], blocks: int, scale: float, say: Callable[[str], None]) -> list[Row]:
    """Start all implementations in turn, `blocks` times.

    Args:
      peers: of `worker.PEERS`, those that are installed.
      blocks: how often each is started.
      scale: of the peers' workload, to try the benchmark.
      say: hears of a peer that dies and is left out.

    Raises:
      UserError: ours has failed.
    """
    taken: dict[tuple[str, str], list[float]] = {}
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        finished = folder / "finished"
        ours(*RUN, "--set=epochs=1", f"--workdir={finished}")  # has compiled what there is to compile
        first_step(folder / "compiled")
        predict(finished, write_table(folder / "weather.csv"))
        alive = [("first step", OURS), ("first step", UNKEPT), ("predict", OURS)]
        alive += [("first step", peer) for peer in peers]
        for block in range(blocks):
            for what, name in list(alive):
                try:
                    if what == "predict":
                        seconds = predict(finished, folder / "weather.csv")
                    elif name in (OURS, UNKEPT):
                        seconds = first_step(folder / f"{name}_{block}", kept=name == OURS)
                    else:
                        seconds = peer_step(name, scale)
                except WorkerDiedError as error:
                    say(f"{name} is left out: {error}")
                    alive.remove((what, name))
                else:
                    taken.setdefault((what, name), []).append(seconds)
    return [_row(*key, taken[key]) for key in alive]


def _row(what: str, implementation: str, seconds: list[float]) -> Row:
    ours = implementation in (OURS, UNKEPT)
    return Row(
        what=what,
        implementation=implementation,
        seconds=round(statistics.median(seconds), 3),
        blocks=[round(each, 3) for each in seconds],
        version=seqjax.__version__ if ours else version(IMPLEMENTATIONS[implementation].packages[0]),
    )


def peer_step(peer: str, scale: float) -> float:
    """Seconds until a peer's process says that its first step is done; batches and model are made meanwhile.

    Raises:
      WorkerDiedError: it has not got so far.
    """
    began = time.monotonic()
    with contextlib.closing(Worker(peer, WORKLOAD, scale, tuned=False)) as worker:
        worker.run("train", worker.ready["steps_at_once"])
        return time.monotonic() - began


def first_step(workdir: Path, kept: bool = True) -> float:
    """Seconds until our command's first dispatch is done: until its checkpoint, the first of a step, is on disk.

    Args:
      workdir: a new one.
      kept: compiled programs are taken from the cache folder.

    Raises:
      UserError: there was none.
    """
    began = time.monotonic()
    latest = workdir / "checkpoints" / "latest"
    with _started(*RUN, "--checkpoint_seconds=0", f"--workdir={workdir}", kept=kept) as process:
        while not any(path.name.isdigit() and int(path.name) for path in (latest.iterdir() if latest.is_dir() else ())):
            if process.poll() is not None or time.monotonic() - began > PATIENCE:
                process.kill()
                raise UserError(f"{OURS}: no step was finished: {_last_line(process)}")
            time.sleep(POLL_SECONDS)
        seconds = time.monotonic() - began
        process.kill()
    return seconds


def predict(workdir: Path, table: Path) -> float:
    """Seconds that our command takes to predict from a finished run. Raises UserError: it has failed."""
    began = time.monotonic()
    ours("--mode=predict", f"--workdir={workdir}", f"--input={table}")
    return time.monotonic() - began


def ours(*flags: str) -> None:
    """Run our command to its end. Raises UserError: it has failed."""
    with _started(*flags) as process:
        said = process.communicate()[1]
    if process.returncode:
        raise UserError(f"{OURS}: {(said.strip().splitlines() or ['no message'])[-1]}")


@contextlib.contextmanager
def _started(*flags: str, kept: bool = True) -> Iterator[subprocess.Popen[str]]:
    """Our command in a process of its own, whose output nobody reads."""
    settings = environment(OURS) | ({} if kept else {"JAX_ENABLE_COMPILATION_CACHE": "false"})
    command = [sys.executable, "-m", "seqjax.main", *flags]
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=settings, text=True
    ) as process:
        yield process


def _last_line(process: subprocess.Popen[str]) -> str:
    return (process.communicate()[1].strip().splitlines() or ["no message"])[-1]


def write_table(path: Path) -> Path:
    """The first rows of the generated weather as a CSV; returns the path."""
    from seqjax.data.series.sample_climate import climate

    table = climate()
    times = np.strings.replace(table.times[:PREDICTED_ROWS].astype("datetime64[s]").astype(str), "T", " ")
    rows = zip(times.tolist(), table.values[:PREDICTED_ROWS].tolist(), strict=True)
    lines = [",".join(["Date Time", *(f'"{name}"' for name in table.columns)])]
    lines += [",".join([time, *map(str, values)]) for time, values in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
