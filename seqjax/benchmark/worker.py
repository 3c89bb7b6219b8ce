"""The process of one implementation: makes model and batches, then runs the blocks of steps that it is told to.

One line of JSON per message. First the order (implementation, workload, scale, tuned, threads) comes in, and when all
is built `Ready` goes out; then for each block {"mode", "steps"} comes in and a `Block` goes out. Whatever libraries
print goes to stderr.
"""

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypedDict

from seqjax.runtime import tune


class Implementation(Protocol):
    """A model with its batches."""

    steps_at_once: int
    """Steps are asked for in multiples of it."""
    device: str

    def train(self, steps: int) -> None:
        """Train for so many steps, and return when they are done."""
        ...

    def infer(self, steps: int) -> None:
        """Compute the outputs of so many batches, and return when they are there."""
        ...


class Ready(TypedDict):
    """All is built."""

    tuned: bool
    """Any setting was applied."""
    steps_at_once: int
    device: str
    version: str


class Block(TypedDict):
    """What a block of steps took."""

    steps: int
    seconds: float
    page_faults: int
    peak_memory_mb: float
    """Of the process, since it began."""


class Peer(NamedTuple):
    """How an implementation is called."""

    module: str
    """Of this package."""
    class_name: str
    packages: tuple[str, ...]
    """What it imports, the one that names its version first."""
    environment: dict[str, str]
    workloads: tuple[str, ...] | None = None
    """All that it can run; None: all there are."""
    nvidia: bool = False
    """Only with a GPU of theirs."""
    ours: bool = False
    """Ourselves, always tuned; no peer to compare with."""


OURS = "seqjax"
PEERS = {
    "keras-jax": Peer("peer_keras", "Keras", ("keras", "jax"), {"KERAS_BACKEND": "jax"}),
    "keras-tf": Peer("peer_keras", "Keras", ("keras", "tensorflow"), {"KERAS_BACKEND": "tensorflow"}),
    "torch": Peer("peer_torch", "Torch", ("torch",), {}),
    "flax": Peer("peer_flax", "Flax", ("flax", "optax"), {}),
    "jax-rnn": Peer("peer_cudnn", "CuDNN", ("jax", "flax", "optax"), {}, ("W1", "W3", "W6"), nvidia=True),
    "seqjax-pallas": Peer("ours", "Pallas", ("jax",), {}, ("W1", "W2", "W3", "W3m", "W3b"), nvidia=True, ours=True),
}
IMPLEMENTATIONS = {OURS: Peer("ours", "Ours", ("jax",), {}, ours=True), **PEERS}


def build(name: str, workload: Any, threads: int) -> Implementation:
    """Import and make an implementation."""
    import importlib

    peer = IMPLEMENTATIONS[name]
    module = importlib.import_module(f"seqjax.benchmark.{peer.module}")
    return getattr(module, peer.class_name)(workload, workload.dataset(), threads)


def peak_memory_mb() -> float:
    """The most memory that this process has held, in MB (10^6 bytes)."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage's figure survives exec, so it may be the parent's
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


def run_block(run: Callable[[int], None], steps: int) -> Block:
    """Time a block."""
    faults = _page_faults()
    began = time.perf_counter()
    run(steps)
    seconds = time.perf_counter() - began
    return Block(
        steps=steps, seconds=seconds, page_faults=_page_faults() - faults, peak_memory_mb=round(peak_memory_mb(), 1)
    )


def _page_faults() -> int:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_minflt + usage.ru_majflt


def main() -> None:
    """Serve until stdin ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    os.dup2(2, 1)
    order = json.loads(sys.stdin.readline())
    tuned = bool(tune()) if order["tuned"] else False
    from seqjax.benchmark.workloads import find

    workload = find(order["workload"])
    if order["scale"] != 1:
        workload = workload.scaled(order["scale"])
    implementation = build(order["implementation"], workload, order["threads"])
    ready = Ready(
        tuned=tuned,
        steps_at_once=implementation.steps_at_once,
        device=implementation.device,
        version=version(IMPLEMENTATIONS[order["implementation"]].packages[0]),
    )
    answers.write(json.dumps(ready) + "\n")
    for line in sys.stdin:
        block = json.loads(line)
        run = {"train": implementation.train, "infer": implementation.infer}[block["mode"]]
        answers.write(json.dumps(run_block(run, block["steps"])) + "\n")


if __name__ == "__main__":
    main()
