"""Which processes make a run: what flags and schedulers say, and what is refused in a line."""

import importlib.util
import subprocess
import sys

import pytest
from absl import flags

from places import ROOT
from seqjax import cluster, peers
from seqjax.errors import RunStoppedError, UserError

SLURM = {"SLURM_JOB_ID": "7", "SLURM_STEP_NODELIST": "a[1-2]", "SLURM_PROCID": "0", "SLURM_LOCALID": "0"}
OMPI = {"OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_LOCAL_RANK": "1"}


@pytest.fixture
def given():
    """Sets flags for one test."""
    kept = {name: (flags.FLAGS[name].value, flags.FLAGS[name].present) for name in NAMES}
    if not flags.FLAGS.is_parsed():
        flags.FLAGS.mark_as_parsed()

    def give(**values):
        for name, value in values.items():
            flags.FLAGS[name].value = value

    yield give
    for name, (value, present) in kept.items():
        flags.FLAGS[name].value, flags.FLAGS[name].present = value, present


NAMES = ("coordinator", "process_count", "process_id", "distributed", "process_timeout")
WHOLE = {"coordinator": "127.0.0.1:2000", "process_count": 2, "process_id": 1}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"process_count": 2, "process_id": 0}, "--coordinator is missing"),
        ({"coordinator": "a:1"}, "--process_count is missing"),
        ({**WHOLE, "process_id": 2}, r"process_id=2 is not in 0..1, of process_count=2"),
        ({**WHOLE, "process_id": -1}, r"process_id=-1 is not in"),
        ({**WHOLE, "process_count": 0}, "process_count must be at least 1"),
        ({**WHOLE, "coordinator": "host"}, "not of the form HOST:PORT"),
        ({**WHOLE, "coordinator": "http://host:80"}, "not of the form HOST:PORT"),
        ({**WHOLE, "coordinator": "host:0"}, "no such port"),
        ({**WHOLE, "coordinator": "host:99999"}, "no such port"),
        ({**WHOLE, "distributed": "off"}, "--distributed=off contradicts"),
        ({"process_timeout": 0.0}, "process_timeout must be at least 1"),
    ],
)
def test_wrong_flags_are_refused_in_a_line(given, values, said):
    given(**values)
    with pytest.raises(UserError, match=said):
        cluster.check("train", False, False)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(("train", True, False), "--seeds and --sweep"), (("train", False, True), "--backtest")]
    + [((mode, False, False), f"--mode={mode}") for mode in ("evaluate", "predict")],
)
def test_several_processes_train_one_run_and_nothing_else(given, arguments, said):
    given(**WHOLE)
    with pytest.raises(UserError, match=f"{said}: several processes .*--distributed=off"):
        cluster.check(*arguments)


def test_a_plain_process_joins_nobody(given, monkeypatch):
    monkeypatch.setattr(cluster, "_start", lambda *_: pytest.fail("joined"))
    cluster.check("train", False, False)
    cluster.join("train", False, False)
    given(**{**WHOLE, "process_count": 1, "process_id": 0})
    cluster.join("train", False, False)
    given(distributed="off", coordinator=None, process_count=None, process_id=None)
    for name, value in {**SLURM, "SLURM_NTASKS": "2"}.items():
        monkeypatch.setenv(name, value)
    cluster.join("train", False, False)
    given(distributed="auto")
    cluster.join("evaluate", False, False)  # each process for itself
    with pytest.raises(UserError, match=r"--seeds and --sweep: several processes \(Slurm, 2 tasks\)"):
        cluster.join("train", True, False)


def test_schedulers_are_told_from_a_plain_process():
    assert cluster.found({}) is None
    assert cluster.found({**SLURM, "SLURM_NTASKS": "1"}) is None
    assert cluster.found({"SLURM_JOB_ID": "7", "SLURM_NTASKS": "2", "SLURM_PROCID": "0"}) is None  # sbatch without srun
    assert cluster.found({**SLURM, "SLURM_NTASKS": "2"}) == "Slurm, 2 tasks"
    assert cluster.found({**OMPI, "OMPI_MCA_orte_hnp_uri": "1.0;tcp://10.0.0.1:5"}) == "Open MPI, 4 processes"
    assert cluster.found({"OMPI_COMM_WORLD_SIZE": "1"}) is None
    with pytest.raises(UserError, match="mpirun has started 4 processes"):  # of version 5
        cluster.found(OMPI)
    assert cluster.found({"TPU_WORKER_HOSTNAMES": "a,b"}) == "Cloud TPU, several workers"
    assert cluster.found({"TPU_WORKER_HOSTNAMES": "a"}) is None


def test_a_plain_pod_is_a_plain_process(monkeypatch):
    pod = {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}
    assert cluster.found(pod) is None
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="pip install kubernetes"):
        cluster.found({**pod, "JOB_COMPLETION_INDEX": "0"})
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name == "kubernetes" or None)
    assert cluster.found({**pod, "JOB_COMPLETION_INDEX": "0"}) == "Kubernetes, an indexed job"


@pytest.mark.parametrize(
    ("environ", "devices"),
    [
        ({}, None),
        ({"CUDA_VISIBLE_DEVICES": "0,1"}, None),
        # JAX would take GPU 0 of four: a task that is alone on its node
        ({**SLURM, "SLURM_TASKS_PER_NODE": "1(x2)", "CUDA_VISIBLE_DEVICES": "0,1,2,3"}, "0,1,2,3"),
        ({**SLURM, "SLURM_STEP_TASKS_PER_NODE": "1", "SLURM_GPUS_ON_NODE": "2"}, "0,1"),
        # JAX would take GPU 1 of one: a task that sees its own alone
        ({**SLURM, "SLURM_LOCALID": "1", "SLURM_TASKS_PER_NODE": "2", "CUDA_VISIBLE_DEVICES": "1"}, "0"),
        # a GPU of the task's number is right
        ({**SLURM, "SLURM_TASKS_PER_NODE": "2(x3),1", "CUDA_VISIBLE_DEVICES": "0,1"}, None),
        ({**SLURM, "SLURM_TASKS_PER_NODE": "2(x3),1", "SLURM_NODEID": "3", "CUDA_VISIBLE_DEVICES": "0,1"}, "0,1"),
        ({**SLURM, "SLURM_TASKS_PER_NODE": "1"}, None),  # no GPU
        ({**OMPI, "OMPI_COMM_WORLD_LOCAL_SIZE": "1", "CUDA_VISIBLE_DEVICES": "0,1"}, "0,1"),
        ({**SLURM, "SLURM_TASKS_PER_NODE": "1", "CUDA_VISIBLE_DEVICES": "0,1", "JAX_LOCAL_DEVICE_IDS": "1"}, None),
    ],
)
def test_a_task_takes_the_gpus_that_are_its_own(environ, devices):
    assert cluster.local_devices(environ).get("JAX_LOCAL_DEVICE_IDS") == devices


def test_what_differs_is_named_with_the_process():
    same = {"knob units": "16", "source of seqjax": "f00d"}
    peers.compare({0: same, 1: dict(same), 2: same})
    with pytest.raises(UserError, match="process 2 differs from process 0 in source of seqjax: beef there, f00d here"):
        peers.compare({0: same, 1: same, 2: {**same, "source of seqjax": "beef"}})
    with pytest.raises(UserError, match="process 1 differs from process 0 in knob units: nothing there, 16 here"):
        peers.compare({0: same, 1: {"source of seqjax": "f00d"}})


def test_alone_nobody_waits():
    peers.meet("nowhere")
    peers.agree("nothing", {"a": "b"})
    assert peers.is_first()
    assert peers.count() == 1


class Service:
    """Stands for JAX's client: processes 0 and 2 of 3 have come."""

    def __init__(self):
        self.values = {}

    def key_value_set(self, key, value, allow_overwrite=False):
        self.values[key] = value
        self.values[f"{key.rpartition('/')[0]}/2"] = value

    def key_value_dir_get(self, folder):
        return [(key, value) for key, value in self.values.items() if key.startswith(folder)]

    def wait_at_barrier(self, barrier_id, timeout_in_ms):
        assert timeout_in_ms == 5000
        raise RuntimeError("DEADLINE_EXCEEDED")


def test_who_does_not_come_to_a_meeting_is_named(monkeypatch):
    service = Service()
    monkeypatch.setattr(peers, "client", lambda: service)
    monkeypatch.setattr(peers, "_here", peers.Here(0, 3, 5.0))
    with pytest.raises(RunStoppedError, match="process 1 of 3 did not come within 5 s to the data"):
        peers.meet("the data")


def test_help_tells_of_the_flags_and_imports_neither_jax_nor_numpy():
    code = """
import sys
import seqjax.main
sys.argv = ["main", "--help"]
try:
    seqjax.main.run()
except SystemExit:
    print(sorted({"jax", "numpy"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert all(f"--{name}" in done.stdout.replace("--[no]", "--") for name in NAMES)
    assert done.stdout.splitlines()[-1] == "[]"
