"""Flags of how a run is laid out, and what schedulers say of several processes. Imports JAX only where there are."""

import importlib.util
import os
import re
from collections.abc import Mapping

from absl import flags

from seqjax import peers
from seqjax.errors import UserError, check_least

COORDINATOR = flags.DEFINE_string(
    "coordinator", None, "HOST:PORT of process 0, where several processes on one machine or many make one run."
)
COUNT = flags.DEFINE_integer("process_count", None, "How many processes make the run.")
ID = flags.DEFINE_integer("process_id", None, "Which of them this is, from 0 on; process 0 alone writes and speaks.")
DISTRIBUTED = flags.DEFINE_enum(
    "distributed",
    "auto",
    ["auto", "off"],
    "auto: find the others by the three flags above, or by what Slurm, Open MPI, Kubernetes or Cloud TPU says. "
    "off: each process for itself.",
)
TIMEOUT = flags.DEFINE_float("process_timeout", peers.SECONDS, "Seconds that processes wait for one another.")
SHARD_ROWS = flags.DEFINE_integer(
    "shard_rows",
    None,
    "Parameters with an axis of at least so many entries, as tables of a large vocabulary have, are split along it "
    "over the devices, with their optimizer state (default: every device has all).",
)
DETERMINISTIC = flags.DEFINE_bool(
    "deterministic",
    False,
    "The same bits on 1, 2, 4 or 8 devices of any processes: a batch is computed in 8 blocks, added in a fixed order. "
    "Slower, and another run than without.",
)


def check(mode: str, many: bool, backtest: bool) -> None:
    """Raise UserError where the flags contradict each other, or what is asked for is not done by several processes."""
    given = {flag.name: flag.value for flag in (COORDINATOR, COUNT, ID)}
    missing = [name for name, value in given.items() if value is None]
    for flag in (DETERMINISTIC, SHARD_ROWS):
        if flag.value and (many or backtest or mode != "train"):
            raise UserError(f"--{flag.name} is for the training of a single run")
    if TIMEOUT.value < 1:
        check_least("process_timeout", TIMEOUT.value, 1)
    if missing and len(missing) < len(given):
        raise UserError(f"--{missing[0]} is missing: --coordinator, --process_count and --process_id go together")
    if missing:
        return
    if DISTRIBUTED.value == "off":
        raise UserError("--distributed=off contradicts --coordinator, --process_count and --process_id")
    check_least("process_count", COUNT.value, 1)
    if not 0 <= ID.value < COUNT.value:
        raise UserError(f"process_id={ID.value} is not in 0..{COUNT.value - 1}, of process_count={COUNT.value}")
    if not re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[^\s:/\[\]]+):\d{1,5}", COORDINATOR.value or ""):
        raise UserError(f"--coordinator={COORDINATOR.value} is not of the form HOST:PORT")
    if not 0 < int(COORDINATOR.value.rpartition(":")[2]) < 65536:
        raise UserError(f"--coordinator={COORDINATOR.value}: there is no such port")
    if COUNT.value > 1:
        _check_single(mode, many, backtest, f"--process_count={COUNT.value}")


def layout() -> tuple[bool, int | None]:
    """`deterministic` and `shard_rows` of `seqjax.training.settings.Settings`."""
    return bool(DETERMINISTIC.value), SHARD_ROWS.value


def join(mode: str, many: bool, backtest: bool) -> None:
    """Join the other processes of the run, if there are any; to be called before JAX makes its devices.

    Raises:
      UserError: as `check` and `seqjax.peers.start.start`.
    """
    if DISTRIBUTED.value == "off" or COUNT.value == 1:
        return
    if COORDINATOR.value is not None:
        _start(COORDINATOR.value, COUNT.value, ID.value)
        return
    scheduler = found(os.environ)
    if scheduler is not None and mode == "train":
        _check_single(mode, many, backtest, scheduler)
        os.environ |= local_devices(os.environ)
        _start()


def _start(*arguments: str | int | None) -> None:
    from seqjax.peers.start import start

    start(TIMEOUT.value, *arguments)  # type: ignore[arg-type]


def _check_single(mode: str, many: bool, backtest: bool, why: str) -> None:
    """Raise UserError unless one run is to be trained."""
    asked = "--seeds and --sweep" if many else "--backtest" if backtest else f"--mode={mode}"
    if asked != "--mode=train":
        raise UserError(
            f"{asked}: several processes ({why}) train one run together; start one process, or give --distributed=off "
            "to let each do it for itself"
        )


def found(environ: Mapping[str, str]) -> str | None:
    """Which scheduler has started this process as one of several, in words; None: none.

    Raises:
      UserError: one has, but does not say all that is needed.
    """
    if {"SLURM_JOB_ID", "SLURM_STEP_NODELIST", "SLURM_PROCID", "SLURM_LOCALID"} <= environ.keys():
        tasks = environ.get("SLURM_NTASKS", "1")
        return f"Slurm, {tasks} tasks" if _number(tasks) > 1 else None
    if (size := _number(environ.get("OMPI_COMM_WORLD_SIZE", "1"))) > 1:
        if "OMPI_MCA_orte_hnp_uri" in environ:
            return f"Open MPI, {size} processes"
        raise UserError(
            f"mpirun has started {size} processes, and its version does not tell where: give --coordinator=HOST:PORT "
            "--process_count=$OMPI_COMM_WORLD_SIZE --process_id=$OMPI_COMM_WORLD_RANK, or --distributed=off"
        )
    if "," in environ.get("TPU_PROCESS_ADDRESSES", environ.get("TPU_WORKER_HOSTNAMES", "")):
        return "Cloud TPU, several workers"
    if {"KUBERNETES_SERVICE_HOST", "JOB_COMPLETION_INDEX"} <= environ.keys():
        if importlib.util.find_spec("kubernetes") is not None:
            return "Kubernetes, an indexed job"
        raise UserError(
            "JOB_COMPLETION_INDEX says that this is one of a Kubernetes job's pods: pip install kubernetes, or give "
            "--coordinator, --process_count and --process_id, or --distributed=off"
        )
    on_tpu = importlib.util.find_spec("libtpu") and any(map(os.path.exists, ("/dev/accel0", "/dev/vfio/0")))
    return "Cloud TPU" if on_tpu else None


def local_devices(environ: Mapping[str, str]) -> dict[str, str]:
    """`JAX_LOCAL_DEVICE_IDS` where JAX's own choice for Slurm and Open MPI, the GPU of the task's number, is wrong.

    It is where a task is alone on its node (all GPUs are its), and where each task sees no GPU but its own.
    """
    if "JAX_LOCAL_DEVICE_IDS" in environ or not {"SLURM_LOCALID", "OMPI_COMM_WORLD_LOCAL_RANK"} & environ.keys():
        return {}
    seen = [gpu for gpu in environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if gpu]
    gpus = len(seen) or _number(environ.get("SLURM_GPUS_ON_NODE", "0"))
    alone = _tasks_here(environ) == 1
    return {"JAX_LOCAL_DEVICE_IDS": ",".join(map(str, range(gpus)))} if gpus and (alone or gpus == 1) else {}


def _tasks_here(environ: Mapping[str, str]) -> int:
    """Of this node; 0 where nothing tells. Slurm writes `2(x3),1`: three nodes of 2, then one of 1."""
    if "OMPI_COMM_WORLD_LOCAL_SIZE" in environ:
        return _number(environ["OMPI_COMM_WORLD_LOCAL_SIZE"])
    text = environ.get("SLURM_STEP_TASKS_PER_NODE", environ.get("SLURM_TASKS_PER_NODE", ""))
    nodes: list[int] = []
    for tasks, times in re.findall(r"(\d+)(?:\(x(\d+)\))?", text):
        nodes += [int(tasks)] * int(times or 1)
    place = _number(environ.get("SLURM_NODEID", "0"))
    return nodes[place] if place < len(nodes) else 0


def _number(text: str) -> int:
    return int(text) if text.strip().isdecimal() else 0
