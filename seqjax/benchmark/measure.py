"""Start a process per implementation, run their blocks in turn, and make the rows of the result.

Nothing heavy is imported here: the parent stays small and idle.
"""

import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypedDict, cast

import seqjax
from seqjax.benchmark.worker import IMPLEMENTATIONS, OURS, Block, Ready

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


class WorkerDiedError(Exception):
    """The message is the last line that the process has printed."""


class Worker:
    """One implementation's process."""

    def __init__(self, implementation: str, workload: str, scale: float, tuned: bool):
        """Starts it, and waits until all is built.

        Raises:
          WorkerDiedError: it ended before that.
        """
        self.implementation = implementation
        self.began = time.monotonic()
        self.stderr = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "seqjax.benchmark.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.stderr,
            env=environment(implementation),
            text=True,
        )
        order = {"implementation": implementation, "workload": workload, "scale": scale}
        try:
            self.ready = cast(Ready, self._ask({**order, "tuned": tuned, "threads": threads()}))
        except BaseException:
            self.close()
            raise
        self.seconds_to_ready = time.monotonic() - self.began
        self.first: dict[str, Block] = {}
        self.steps: dict[str, int] = {}
        self.blocks: dict[str, list[Block]] = {mode: [] for mode in MODES}

    def warm_up(self, mode: str, block_seconds: float) -> None:
        """The first step, which compiles, and another one, from which the steps of a block follow."""
        unit = self.ready["steps_at_once"]
        self.first[mode] = self.run(mode, unit)
        again = min(self.run(mode, unit)["seconds"] for _ in range(2))
        self.steps[mode] = unit * max(1, math.ceil(block_seconds / again))

    def run(self, mode: str, steps: int) -> Block:
        """Run a block.

        Raises:
          WorkerDiedError: the process has ended.
        """
        return cast(Block, self._ask({"mode": mode, "steps": steps}))

    def row(self, mode: str) -> Any:
        """The measured part of a `Row`."""
        blocks, first = self.blocks[mode], self.first[mode]
        seconds = statistics.median(block["seconds"] / block["steps"] for block in blocks)
        to_first = self.seconds_to_ready + first["seconds"] - (first["steps"] - 1) * seconds
        return {
            "implementation": self.implementation,
            "mode": mode,
            "milliseconds": round(1000 * seconds, 4),
            "tuned": self.ready["tuned"],
            "page_faults": round(statistics.median(block["page_faults"] / block["steps"] for block in blocks), 1),
            "peak_memory_mb": blocks[-1]["peak_memory_mb"],
            "seconds_to_first_step": round(to_first, 2),
            "repeats": len(blocks),
            "steps": self.steps[mode],
            "device": self.ready["device"],
            "version": seqjax.__version__ if self.implementation == OURS else self.ready["version"],
        }

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.communicate()
        self.stderr.close()

    def _ask(self, message: dict[str, Any]) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write(json.dumps(message) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # its last words are below
        answer = self.process.stdout.readline()
        if not answer:
            raise WorkerDiedError(self._last_words())
        return json.loads(answer)

    def _last_words(self) -> str:
        code = self.process.wait()
        self.stderr.seek(0)
        lines = [line.strip() for line in self.stderr if line.strip()]
        return f"its process ended with code {code}: {lines[-1] if lines else 'no message'}"


def threads() -> int:
    """The cores that this process, and so its children, may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def environment(implementation: str) -> dict[str, str]:
    """Of a worker: the same number of threads for all, and no library that takes a whole GPU for itself."""
    package = str(Path(seqjax.__file__).resolve().parent.parent)
    path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
    settings = {"TF_CPP_MIN_LOG_LEVEL": "3", "OMP_NUM_THREADS": str(threads()), "PYTHONPATH": path}
    settings |= {"XLA_PYTHON_CLIENT_PREALLOCATE": "false", "TF_FORCE_GPU_ALLOW_GROWTH": "true"}
    return {**os.environ, **settings, **IMPLEMENTATIONS[implementation].environment}


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
        workers = self._start([(OURS, True)])
        variants = [(peer, tuned) for peer in peers for tuned in (False, True)]
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

    def _start(self, variants: Iterable[tuple[str, bool]]) -> list[Worker]:
        workers = []
        for implementation, tuned in variants:
            try:
                worker = Worker(implementation, self.workload.name, self.scale, tuned)
            except WorkerDiedError as error:
                self._tell(implementation, error)
                continue
            if tuned and not worker.ready["tuned"] and implementation != OURS:
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
        return [
            cast(Row, known | worker.row(mode)) for worker in workers for mode in modes if worker.blocks[mode]
        ]

    def _tell(self, implementation: str, error: Exception) -> None:
        self.say(f"{self.workload.name}: {implementation} is left out: {error}")
