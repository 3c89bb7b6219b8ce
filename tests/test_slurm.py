"""launch/slurm.sbatch and launch/mpirun.sh by the real Slurm and the real Open MPI, on this machine.

A run that Slurm requeues in the middle, and that is warned of its limit later on, ends as one that nobody disturbed.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest

import slurm_here
from places import ROOT
from seqjax.training.best import restore_best
from seqjax.training.workdir import Workdir
from several_processes import wait_for

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(bool(slurm_here.missing()), reason=slurm_here.missing() or "it is here"),
]
RUN = ["--experiment=jena_lstm", "--data=sample", "--set=epochs=3", "--notune", "--checkpoint_seconds=1"]
SEQJAX = {"SEQJAX_VENV": str(Path(sys.executable).parents[1]), "SEQJAX_ROOT": str(ROOT), "JAX_PLATFORMS": "cpu"}


class Cluster:
    """Slurm, and the folder that jobs are submitted from."""

    def __init__(self, environment, folder):
        self.environment, self.folder = {**environment, **SEQJAX}, folder

    def call(self, *command, check=True):
        done = subprocess.run(command, env=self.environment, cwd=self.folder, capture_output=True, text=True)
        assert done.returncode == 0 or not check, done.stdout + done.stderr
        return done.stdout

    def submit(self, *options_and_flags):
        return self.call("sbatch", "--parsable", *options_and_flags).strip()

    def state(self, job):
        return re.findall(r"JobState=(\w+)", self.call("scontrol", "show", "job", job))

    def restarts(self, job):
        return int(re.search(r"Restarts=(\d+)", self.call("scontrol", "show", "job", job))[1])

    def wait(self, job, state, seconds=300):
        until = time.monotonic() + seconds
        while set(self.state(job)) != {state}:
            told = self.call("scontrol", "show", "job", job)
            assert time.monotonic() < until, f"job {job} is not {state}: {told}\n{self.logs()}"
            time.sleep(0.5)

    def logs(self):
        return "\n".join(f"{path}:\n{path.read_text()[-3000:]}" for path in sorted(self.folder.rglob("*.log")))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with slurm_here.slurm(tmp_path_factory.mktemp("slurm")) as environment:
        yield Cluster(environment, tmp_path_factory.mktemp("submitted"))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The same run by mpirun: no scheduler, two processes, from start to end."""
    if shutil.which("mpirun") is None:
        pytest.skip("no mpirun: apt-get install openmpi-bin")
    folder = tmp_path_factory.mktemp("mpirun")
    command = [str(ROOT / "launch" / "mpirun.sh"), "--allow-run-as-root", "--oversubscribe", "-np", "2", "--", *RUN]
    environment = {**os.environ, **SEQJAX}
    done = subprocess.run([*command, "--workdir=run"], cwd=folder, env=environment, capture_output=True, text=True)
    logs = [(folder / "logs" / f"rank.{rank}.log").read_text() for rank in (0, 1)]
    assert done.returncode == 0, done.stderr + "".join(logs)
    assert "jena_lstm: test mae" in logs[0]
    assert "jena_lstm: test mae" not in logs[1]  # process 0 speaks for both
    assert json.loads((folder / "run" / "config.json").read_text())["device"].endswith(", 2 processes")
    return folder / "run"


def rows(run):
    found = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{name: row[name] for name in ("epoch", "step", "train", "validation")} for row in found]


def saved(run):
    """Whether there is a checkpoint, and no result yet."""
    return any(run.glob("checkpoints/latest/*/")) and not (run / "results.json").exists()


def test_a_run_that_slurm_requeues_ends_as_if_nobody_had_disturbed_it(cluster, undisturbed):
    script = str(ROOT / "launch" / "slurm.sbatch")
    run = cluster.folder / "run"
    job = cluster.submit("--ntasks-per-node=2", "--time=30", script, *RUN, f"--workdir={run}")
    log = cluster.folder / "logs" / f"{job}.0.log"
    wait_for(lambda: saved(run), 300)
    cluster.call("scontrol", "requeue", job)  # as where a node is wanted for somebody else's job
    wait_for(lambda: "resuming at step" in log.read_text(), 300)
    assert cluster.restarts(job) == 1
    assert "stopped by SIGTERM and saved" in log.read_text()
    wait_for(lambda: len(rows(run)) >= 2, 300)
    cluster.call("scancel", "--signal=TERM", job)  # to the tasks alone, as --signal=TERM@300 before the limit of time
    cluster.wait(job, "COMPLETED")
    assert cluster.restarts(job) == 2
    assert "the limit of time is near: back into the queue" in (cluster.folder / f"seqjax.{job}.log").read_text()
    assert log.read_text().count("resuming at step") == 2
    assert (cluster.folder / "logs" / f"{job}.1.log").exists()
    assert rows(run) == rows(undisturbed)
    assert_same_parameters(run, undisturbed)


def assert_same_parameters(one, other):
    (first, mine), (second, theirs) = (restore_best(Workdir(run)) for run in (one, other))
    assert first == second
    jax.tree.map(np.testing.assert_array_equal, mine, theirs)


def test_a_job_that_is_cancelled_stays_so(cluster):
    script = str(ROOT / "launch" / "slurm.sbatch")
    run = cluster.folder / "cancelled"
    job = cluster.submit("--ntasks-per-node=2", script, *RUN[:2], "--set=epochs=50", *RUN[3:], f"--workdir={run}")
    wait_for(lambda: saved(run), 300)
    cluster.call("scancel", job)
    cluster.wait(job, "CANCELLED")
    assert cluster.restarts(job) == 0
    assert not (run / "results.json").exists()
