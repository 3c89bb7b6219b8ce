"""How the time of a gradient grows with each size of a layer, with the number of members and with that of threads.

A process of each implementation for each number of threads, which builds one size after the other; the blocks of each
point are run in turn. All as they come, without a memory setting.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypedDict

from seqjax.benchmark.process import Worker, WorkerDiedError, threads
from seqjax.benchmark.worker import OURS
from seqjax.benchmark.workloads import find

BASE = find("L64")
"""What does not grow stays as it is here."""
PEERS = ("torch", "flax")
FIELDS = {"units": "units", "length": "steps", "batch": "batch", "seeds": "members"}
"""Axis -> field of the workload; seeds are layers in one `jax.vmap`, with torch one after the other."""
AXES: Mapping[str, Sequence[int]] = {
    "units": (8, 16, 32, 64, 128, 256, 512, 1024),
    "length": (25, 50, 100, 200, 400, 800, 1600),
    "batch": (1, 4, 16, 64, 256, 1024),
    "seeds": (1, 2, 4, 8, 16),
    "threads": (1, 2, 4, 8, 16, 32, 64),
}
"""As many threads as there are cores at most."""
BLOCKS, BLOCK_SECONDS = 3, 0.2
MODE = "train"


class Point(NamedTuple):
    """One size."""

    axis: str
    value: int
    count: int
    """Of threads."""
    changed: dict[str, int]
    """Of the workload."""


class Row(TypedDict):
    """One implementation at one point, in the forms of `measure.Row`."""

    axis: str
    value: int
    implementation: str
    milliseconds: float
    units: int
    length: int
    batch: int
    seeds: int
    features: int
    threads: int
    peak_memory_mb: float
    """Of the whole process so far: the points before are in it."""
    repeats: int
    steps: int
    scale: float
    device: str
    version: str


def points(axes: Collection[str]) -> list[Point]:
    """Of the axes in their order; those of one number of threads beside each other."""
    most = threads()
    found = []
    for axis in (axis for axis in AXES if axis in axes):
        for value in AXES[axis]:
            if axis != "threads":
                found.append(Point(axis, value, most, {FIELDS[axis]: value}))
            elif value <= most:
                found.append(Point(axis, value, value, {}))
    return found


class Growth:
    """The implementations that are measured."""

    def __init__(
        self,
        peers: Sequence[str],
        *,
        blocks: int = BLOCKS,
        block_seconds: float = BLOCK_SECONDS,
        scale: float = 1.0,
        say: Callable[[str], None] = print,
    ):
        """Args: peers: of `PEERS`, those that are installed. say: hears of what goes wrong."""
        self.names, self.blocks, self.block_seconds = [OURS, *peers], blocks, block_seconds
        self.scale, self.say = scale, say

    def rows(self, axes: Collection[str], keep: Callable[[list[Row]], None]) -> list[Row]:
        """Measure all points; whoever dies is told of and left out from there on, for that number of threads.

        Args:
          axes: of `AXES`.
          keep: is given the rows so far, after every point.
        """
        rows: list[Row] = []
        workers: list[Worker] = []
        count = None
        try:
            for point in points(axes):
                if point.count != count:
                    _close(workers)
                    workers, count = self._start(point.count), point.count
                rows += self._point(workers, point)
                keep(rows)
        finally:
            _close(workers)
        return rows

    def _start(self, count: int) -> list[Worker]:
        workers = []
        for name in self.names:
            try:
                workers.append(Worker(name, BASE.name, self.scale, False, count))
            except WorkerDiedError as error:
                self.say(f"{name} is left out: {error}")
        return workers

    def _point(self, workers: list[Worker], point: Point) -> Iterator[Row]:
        steps: list[Callable[[Worker], Any]] = [
            lambda worker: worker.change(**point.changed),
            lambda worker: worker.warm_up(MODE, self.block_seconds),
        ]
        steps += [lambda worker: worker.blocks[MODE].append(worker.run(MODE, worker.steps[MODE]))] * self.blocks
        for step in steps:
            for worker in list(workers):
                try:
                    step(worker)
                except WorkerDiedError as error:
                    self.say(f"{point.axis} {point.value}: {worker.implementation} is left out: {error}")
                    worker.close()
                    workers.remove(worker)
        return (self._row(worker, point) for worker in workers)

    def _row(self, worker: Worker, point: Point) -> Row:
        sizes = {axis: point.changed.get(field, getattr(BASE, field)) for axis, field in FIELDS.items()}
        measured = worker.row(MODE)
        kept = ("implementation", "milliseconds", "peak_memory_mb", "repeats", "steps", "device", "version")
        known: Any = {"axis": point.axis, "value": point.value, **sizes, **{name: measured[name] for name in kept}}
        return Row(**known, features=BASE.features, threads=point.count, scale=self.scale)


def _close(workers: list[Worker]) -> None:
    for worker in workers:
        worker.close()
