"""The process of one implementation: makes model and batches, then runs the blocks of steps that it is told to.

One line of JSON per message. First the order (implementation, workload, scale, tuned, threads) comes in, and when all
is built `Ready` goes out; then for each block {"mode", "steps"} comes in and a `Block` goes out. {"changed"}, fields of
the workload, builds it anew with other sizes, and `Ready` goes out again. Whatever libraries print goes to stderr.
"""

import dataclasses
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
        """Train for so many steps, and return when they are done; not there where the workload is not trained."""
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
    groups: tuple[str, ...] = ("lecture",)
    """Of workloads."""
    workloads: tuple[str, ...] | None = None
    """All that it can run of them; None: all there are."""
    nvidia: bool = False
    """Only with a GPU of theirs."""
    ours: bool = False
    """Ourselves, in models always tuned; no peer to compare with."""

    def runs(self, workload: Any) -> bool:
        """Whether it can."""
        return workload.group in self.groups and workload.name in (self.workloads or (workload.name,))


OURS = "seqjax"
ALL_GROUPS = ("lecture", "sequence", "decoding", "library", "stream")
CLASSES = {"lecture": "", "sequence": "", "decoding": "", "library": "Layer", "stream": "Stream"}
"""Ends of their names, by the workload's group."""
FOLDERS = {"sequence": "sequences.", "decoding": "decoding."}
"""Of the modules below this package, by the workload's group."""
_JAX, _TF = {"KERAS_BACKEND": "jax"}, {"KERAS_BACKEND": "tensorflow"}
PEERS = {
    "keras-jax": Peer("peer_keras", "Keras", ("keras", "jax"), _JAX, ("lecture", "sequence", "stream")),
    "keras-tf": Peer("peer_keras", "Keras", ("keras", "tensorflow"), _TF, ("lecture", "sequence", "stream")),
    "torch": Peer("peer_torch", "Torch", ("torch",), {}, ALL_GROUPS),
    "flax": Peer("peer_flax", "Flax", ("flax", "optax"), {}, ("lecture", "sequence", "library", "stream")),
    "jax-rnn": Peer("peer_cudnn", "CuDNN", ("jax", "flax", "optax"), {}, workloads=("W1", "W3", "W6"), nvidia=True),
    "seqjax-pallas": Peer(
        "ours", "Pallas", ("jax",), {}, workloads=("W1", "W2", "W3", "W3m", "W3b"), nvidia=True, ours=True
    ),
    "onnxruntime": Peer("peer_onnx", "Onnx", ("onnxruntime", "onnx"), {}, ("stream",)),
}
IMPLEMENTATIONS = {OURS: Peer("ours", "Ours", ("jax",), {}, ALL_GROUPS, ours=True), **PEERS}


def build(name: str, workload: Any, threads: int) -> Implementation:
    """Import and make an implementation."""
    import importlib

    peer = IMPLEMENTATIONS[name]
    module = importlib.import_module(f"seqjax.benchmark.{FOLDERS.get(workload.group, '')}{peer.module}")
    made = getattr(module, peer.class_name + CLASSES[workload.group])
    return made(workload, workload.dataset(), threads)


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
    implementation = _built(order, {})
    answers.write(json.dumps(_ready(order, implementation, tuned)) + "\n")
    for line in sys.stdin:
        block = json.loads(line)
        if "changed" in block:
            implementation = None  # its memory first
            implementation = _built(order, block["changed"])
            answer: Any = _ready(order, implementation, tuned)
        else:
            answer = run_block(getattr(implementation, block["mode"]), block["steps"])
        answers.write(json.dumps(answer) + "\n")


def _built(order: dict[str, Any], changed: dict[str, Any]) -> Implementation:
    from seqjax.benchmark.workloads import find

    workload = dataclasses.replace(find(order["workload"]), **changed)
    if order["scale"] != 1:
        workload = workload.scaled(order["scale"])
    return build(order["implementation"], workload, order["threads"])


def _ready(order: dict[str, Any], implementation: Implementation, tuned: bool) -> Ready:
    return Ready(
        tuned=tuned,
        steps_at_once=implementation.steps_at_once,
        device=implementation.device,
        version=version(IMPLEMENTATIONS[order["implementation"]].packages[0]),
    )


if __name__ == "__main__":
    main()
