"""Start a process per implementation, run their blocks in turn, and make the rows of the result.

Nothing heavy is imported here: the parent stays small and idle.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypedDict, cast

from seqjax.benchmark.process import Worker, WorkerDiedError, threads
from seqjax.benchmark.worker import IMPLEMENTATIONS, OURS

MODES = ("train", "infer")


class Row(TypedDict):
    """One implementation on one workload in one mode."""

    workload: str
    implementation: str
    mode: str
    milliseconds: float
    """Of one step, the median over blocks."""
    tuned: bool
    """With the memory setting that we use ourselves."""
    page_faults: float
    """In one step, the median over blocks."""
    peak_memory_mb: float
    """Of the whole process up to the end of this mode; `infer` is run before `train`."""
    seconds_to_first_step: float
    """From the start of the process: imports, model, batches, compilation, one step."""
    repeats: int
    """Blocks."""
    steps: int
    """In a block."""
    batch: int
    scale: float
    threads: int
    device: str
    version: str


class Measurement:
    """All implementations on one workload."""

    def __init__(
        self,
        workload: Any,
        *,
        scale: float = 1.0,
        blocks: int = 7,
        block_seconds: float = 1.0,
        say: Callable[[str], None] = print,
    ):
        """Args: workload: a `workloads.Workload`, unscaled. say: hears of what goes wrong."""
        self.workload, self.scale, self.blocks, self.block_seconds = workload, scale, blocks, block_seconds
        self.say = say

    def rows(self, peers: Iterable[str], modes: Sequence[str]) -> list[Row]:
        """Measure ours and the peers; whoever dies is told of and left out."""
        workers = self._start(self._variants([OURS]))
        variants = self._variants(peers)
        groups = [[variant] for variant in variants] if self.workload.alone else [variants]
        rows: list[Row] = []
        try:
            for group in groups:
                beside = self._start(group)
                try:
                    # infer first: its memory is the smaller one
                    for mode in sorted(modes):
                        self._run_in_turn([*workers, *beside], mode)
                    rows += self._collect(beside, modes)
                finally:
                    for worker in beside:
                        worker.close()
            return self._collect(workers, modes) + rows
        finally:
            for worker in workers:
                worker.close()

    def _variants(self, implementations: Iterable[str]) -> list[tuple[str, bool]]:
        """As it comes and tuned; ours in models tuned alone, as a run of ours is."""
        whole = self.workload.group in ("lecture", "sequence", "decoding")
        always = lambda name: IMPLEMENTATIONS[name].ours and whole
        return [(name, tuned) for name in implementations for tuned in (False, True) if tuned or not always(name)]

    def _start(self, variants: Sequence[tuple[str, bool]]) -> list[Worker]:
        workers = []
        for implementation, tuned in variants:
            try:
                worker = Worker(implementation, self.workload.name, self.scale, tuned)
            except WorkerDiedError as error:
                self._tell(implementation, error)
                continue
            if tuned and not worker.ready["tuned"] and (implementation, False) in variants:
                worker.close()  # nothing can be set here: it is the same as untuned
            else:
                workers.append(worker)
        return workers

    def _run_in_turn(self, workers: list[Worker], mode: str) -> None:
        alive = [worker for worker in workers if mode in worker.steps or self._attempt(worker, mode, warm=True)]
        for _ in range(self.blocks):
            alive = [worker for worker in alive if self._attempt(worker, mode, warm=False)]

    def _attempt(self, worker: Worker, mode: str, warm: bool) -> bool:
        if worker.process.poll() is not None:
            return False
        try:
            if warm:
                worker.warm_up(mode, self.block_seconds)
            else:
                worker.blocks[mode].append(worker.run(mode, worker.steps[mode]))
        except WorkerDiedError as error:
            self._tell(worker.implementation, error)
            return False
        return True

    def _collect(self, workers: Iterable[Worker], modes: Sequence[str]) -> list[Row]:
        batch = (self.workload if self.scale == 1 else self.workload.scaled(self.scale)).batch
        known = {"workload": self.workload.name, "batch": batch, "scale": self.scale, "threads": threads()}
        return [cast(Row, known | worker.row(mode)) for worker in workers for mode in modes if worker.blocks.get(mode)]

    def _tell(self, implementation: str, error: Exception) -> None:
        self.say(f"{self.workload.name}: {implementation} is left out: {error}")
