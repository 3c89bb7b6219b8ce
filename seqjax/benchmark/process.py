"""The parent's end of a worker: start the process, tell it what to run, hear what it took."""

import json
import math
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, cast

import seqjax
from seqjax.benchmark.worker import IMPLEMENTATIONS, Block, Ready


class WorkerDiedError(Exception):
    """The message says how, with the last error that the process has printed."""


class Worker:
    """One implementation's process."""

    def __init__(self, implementation: str, workload: str, scale: float, tuned: bool, count: int | None = None):
        """Starts it, and waits until all is built.

        Args:
          implementation: of `worker.IMPLEMENTATIONS`.
          workload: its name.
          scale: of its sizes.
          tuned: with the memory setting that we use ourselves.
          count: of threads; None: as many as there are cores.

        Raises:
          WorkerDiedError: it ended before that.
        """
        self.implementation = implementation
        self.began = time.monotonic()
        self.stderr = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115 - close() closes it
        self.process = subprocess.Popen(
            [sys.executable, "-m", "seqjax.benchmark.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.stderr,
            env=environment(implementation, count),
            text=True,
        )
        order = {"implementation": implementation, "workload": workload, "scale": scale}
        try:
            self.ready = cast(Ready, self._ask({**order, "tuned": tuned, "threads": count or threads()}))
        except BaseException:
            self.close()
            raise
        self.seconds_to_ready = time.monotonic() - self.began
        self.first: dict[str, Block] = {}
        self.steps: dict[str, int] = {}
        self.blocks: dict[str, list[Block]] = {}

    def change(self, **fields: Any) -> None:
        """Build the workload anew with other fields. Raises WorkerDiedError: the process has ended."""
        self.ready = cast(Ready, self._ask({"changed": fields}))

    def warm_up(self, mode: str, block_seconds: float) -> None:
        """The first step, which compiles, and others, from which the steps of a block follow."""
        unit = self.ready["steps_at_once"]
        self.first[mode] = self.run(mode, unit)
        again = self.run(mode, unit)["seconds"]
        if again < block_seconds:  # the second call may still be slow, but a long one need not be repeated
            again = self.run(mode, unit)["seconds"]
        self.blocks[mode] = []
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
            "milliseconds": float(f"{1000 * seconds:.5g}"),
            "tuned": self.ready["tuned"],
            "page_faults": round(statistics.median(block["page_faults"] / block["steps"] for block in blocks), 1),
            "peak_memory_mb": blocks[-1]["peak_memory_mb"],
            "seconds_to_first_step": round(to_first, 2),
            "repeats": len(blocks),
            "steps": self.steps[mode],
            "device": self.ready["device"],
            "version": seqjax.__version__ if IMPLEMENTATIONS[self.implementation].ours else self.ready["version"],
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
        errors = [line for line in lines if re.match(r"[\w.]+(Error|Exception)\b", line)]
        return f"its process ended with code {code}: {(errors or lines or ['no message'])[-1]}"


def threads() -> int:
    """The cores that this process, and so its children, may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def environment(implementation: str, count: int | None = None) -> dict[str, str]:
    """Of a worker: the same number of threads for all, and no library that takes a whole GPU for itself.

    XLA's pool is as large as $NPROC says, which is set where another number than that of the cores is asked for.
    """
    package = str(Path(seqjax.__file__).resolve().parent.parent)
    path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
    settings = {"TF_CPP_MIN_LOG_LEVEL": "3", "OMP_NUM_THREADS": str(count or threads()), "PYTHONPATH": path}
    settings |= {} if count is None else {"NPROC": str(count)}
    settings |= {"XLA_PYTHON_CLIENT_PREALLOCATE": "false", "TF_FORCE_GPU_ALLOW_GROWTH": "true"}
    return {**os.environ, **settings, **IMPLEMENTATIONS[implementation].environment}
