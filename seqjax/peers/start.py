"""How the processes of a run find one another: by `jax.distributed.initialize`, within a limit, with errors in words.

JAX ends a process by `abort` where the others do not come; so a limit of our own is a little shorter than its.
"""

import contextlib
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator

from seqjax import peers
from seqjax.command_line import complain
from seqjax.errors import UserError
from seqjax.peers import Here
from seqjax.peers.watch import WATCH
from seqjax.peers.witness import Witness

PROXIES = ("grpc_proxy", "https_proxy", "http_proxy", "all_proxy")
"""By which gRPC would look for the coordinator, who is never behind one."""


def start(seconds: float, address: str | None = None, count: int | None = None, index: int | None = None) -> None:
    """Join the other processes; to be called before JAX makes its devices.

    Args:
      seconds: the limit.
      address: HOST:PORT of process 0. None, as count and index: JAX asks the scheduler.
      count: of processes.
      index: this process's.

    Raises:
      UserError: the coordinator cannot be reached, or its port is taken.
    """
    until = time.monotonic() + seconds
    if address is not None:
        _check_port(address) if index == 0 else _await_port(address, until)
    os.environ.setdefault("JAX_ENABLE_PREEMPTION_SERVICE", "false")  # it would swallow SIGTERM
    import jax

    if jax.config.jax_cpu_collectives_implementation is None:
        jax.config.update("jax_cpu_collectives_implementation", "gloo")
    where = address or "the address that the scheduler tells"
    witness = Witness(f"JAX ended this process: has another one the same process_id at {where}?")
    with _without_proxies(), _limit(until, where, count):
        try:
            jax.distributed.initialize(
                address, count, index, initialization_timeout=int(seconds) + 60, shutdown_timeout_seconds=int(seconds)
            )
        except (RuntimeError, ValueError, KeyError, OSError) as error:
            raise UserError(
                f"the processes cannot find one another: {' '.join(str(error).split())[:300]}; give --coordinator, "
                "--process_count and --process_id, or --distributed=off"
            ) from error
    _settle(seconds, witness)


def _settle(seconds: float, witness: Witness) -> None:
    """All have come: remember who this is, begin to watch the others, and let the first alone speak."""
    from jax._src import distributed

    found = distributed.global_state
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # whatever JAX's libraries have made of it
    peers.settle(Here(found.process_id, found.num_processes, seconds, str(found.coordinator_address)))
    _mute()
    if peers.count() == 1:
        witness.dismiss()
        return
    WATCH.begin(witness)
    with WATCH.guarded():
        peers.agree("the start", {"process_count": str(peers.count())})


def _check_port(address: str) -> None:
    """Raise UserError unless process 0 can listen there: gRPC would share a port that is taken."""
    port = int(address.rpartition(":")[2])
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind(("", port))
        except OSError as error:
            raise UserError(
                f"--coordinator={address}: process 0 cannot listen there ({error.strerror}); is another run's process "
                "0 there, or two with --process_id=0? choose another port"
            ) from error


def _await_port(address: str, until: float) -> None:
    """Return when process 0 listens. Raises UserError: it does not in time."""
    host, _, port = address.rpartition(":")
    while True:
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=5).close()
            return
        except OSError as error:
            if time.monotonic() > until:
                reason = error.strerror or error
                raise UserError(
                    f"--coordinator={address} cannot be reached ({reason}): is process 0 started there, and the port "
                    "open between the machines?"
                ) from error
        time.sleep(0.2)


@contextlib.contextmanager
def _without_proxies() -> Iterator[None]:
    names = [name for name in os.environ if name.lower() in PROXIES]
    kept = {name: os.environ.pop(name) for name in names}
    try:
        yield
    finally:
        os.environ.update(kept)


@contextlib.contextmanager
def _limit(until: float, where: str, count: int | None) -> Iterator[None]:
    """End the process with a message where what is done takes longer: JAX waits in C++ and then aborts."""
    done = threading.Event()

    def wait() -> None:
        if not done.wait(max(1.0, until - time.monotonic())):
            who = "not all" if count is None else f"not all {count}"
            complain(f"{who} processes came to {where}: is each started, with a --process_id of its own?")
            sys.stderr.flush()
            os._exit(2)

    threading.Thread(target=wait, daemon=True, name="seqjax limit").start()
    try:
        yield
    finally:
        done.set()


def _mute() -> None:
    """What C++ prints (gloo, at its first collective) goes to stderr; what this program prints is said by process 0."""
    sys.stdout.flush()
    with contextlib.suppress(OSError, ValueError):  # a stdout that is no file has no number
        spoken = os.dup(sys.stdout.fileno()) if peers.is_first() else os.open(os.devnull, os.O_WRONLY)
        os.dup2(sys.stderr.fileno(), 1)
        sys.stdout = os.fdopen(spoken, "w", encoding=sys.stdout.encoding, errors=sys.stdout.errors, buffering=1)
