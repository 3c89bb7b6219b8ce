"""Slurm on this machine: munged, slurmctld and slurmd in a folder and on ports of their own, as root."""

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from several_processes import free_port

NEEDED = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scontrol", "squeue", "scancel")
SBIN = f"{os.environ['PATH']}:/usr/sbin"
CONFIG = """\
ClusterName=here
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={daemon}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
KillWait=60
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP OverSubscribe=FORCE:4
"""
"""A requeued job begins after cred_expire; on a real cluster after two minutes."""


def missing() -> str:
    """What keeps Slurm from being started here, in words; "" if nothing does."""
    absent = [name for name in NEEDED if shutil.which(name, path=SBIN) is None]
    if absent:
        return f"no {absent[0]}: apt-get install slurm-wlm munge"
    return "" if os.geteuid() == 0 else "not root"


@contextlib.contextmanager
def slurm(folder: Path) -> Iterator[dict[str, str]]:
    """The environment in which sbatch and its kin reach it."""
    for name in ("state", "spool"):
        (folder / name).mkdir()
    key = folder / "munge.key"
    key.touch(0o600)
    key.write_bytes(os.urandom(128))
    config = folder / "slurm.conf"
    ports = {"controller": free_port(), "daemon": free_port()}
    config.write_text(CONFIG.format(folder=folder, host=socket.gethostname(), cpus=os.cpu_count(), **ports))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM_", "OMPI_"))}
    environment = {**kept, "PATH": SBIN, "SLURM_CONF": str(config)}
    started = []
    try:
        for command in (
            ["munged", "--foreground", "--force", f"--key-file={key}", f"--socket={folder}/munge.socket",
             f"--pid-file={folder}/munged.pid", f"--seed-file={folder}/munged.seed", f"--log-file={folder}/munged.log"],
            ["slurmctld", "-D", "-f", str(config)],
            ["slurmd", "-D", "-f", str(config)],
        ):  # fmt: skip
            with (folder / f"{command[0]}.out").open("w") as out:
                started.append(subprocess.Popen(command, env=environment, stdout=out, stderr=out))
            if command[0] == "munged":
                _wait_for_file(folder / "munge.socket")
        _wait_until_idle(environment, folder)
        yield environment
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait(30)


def _wait_for_file(path: Path) -> None:
    until = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < until, f"{path} did not come"
        time.sleep(0.1)


def _wait_until_idle(environment: dict[str, str], folder: Path) -> None:
    until = time.monotonic() + 60
    while True:
        done = subprocess.run(["sinfo", "-h", "-o", "%t"], env=environment, capture_output=True, text=True)
        if done.stdout.strip() == "idle":
            return
        logs = "".join(path.read_text()[-1000:] for path in folder.glob("slurm*.log"))
        assert time.monotonic() < until, f"no node is idle: {done.stdout}{done.stderr}\n{logs}"
        time.sleep(0.5)
