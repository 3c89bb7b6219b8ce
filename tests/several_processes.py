"""Several processes of one run on this machine, over 127.0.0.1, as users start them."""

import dataclasses
import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from places import ROOT


@dataclasses.dataclass
class Ended:
    """A process that has ended."""

    code: int
    out: str
    err: str


def free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return trial.getsockname()[1]


def environment(devices: int = 1, **more: str) -> dict[str, str]:
    """Of a process with so many simulated devices; its numbers as a user's would be."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("SLURM_", "OMPI_"))}
    flags = kept.get("XLA_FLAGS", "").split()
    flags = [flag for flag in flags if "device_count" not in flag]
    flags += [f"--xla_force_host_platform_device_count={devices}"] if devices > 1 else []
    return {**kept, "XLA_FLAGS": " ".join(flags), "PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu", **more}


def begin(
    command: Sequence[str], count: int, folder: Path, devices: int = 1, port: int | None = None, **more: str
) -> list[subprocess.Popen]:
    """Start `count` processes of `python -m COMMAND`, with the flags that join them; what they say goes to files."""
    port, started = port or free_port(), []
    for index in range(count):
        joined = [f"--coordinator=127.0.0.1:{port}", f"--process_count={count}", f"--process_id={index}"]
        with (folder / f"out.{index}").open("w") as out, (folder / f"err.{index}").open("w") as err:
            line = [sys.executable, *command, *(joined if count > 1 else [])]
            env = environment(devices, **more)
            started.append(subprocess.Popen(line, stdout=out, stderr=err, env=env, cwd=folder))
    return started


def end(started: Sequence[subprocess.Popen], folder: Path, seconds: float = 300) -> list[Ended]:
    """Wait for all of them; kills what has not ended in time."""
    until, ended = time.monotonic() + seconds, []
    for index, process in enumerate(started):
        try:
            code = process.wait(max(0.1, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        ended.append(Ended(code, (folder / f"out.{index}").read_text(), (folder / f"err.{index}").read_text()))
    return ended


def wait_for(found, seconds: float = 120) -> None:
    """Return when `found()` is true."""
    until = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < until, "it did not come"
        time.sleep(0.05)
