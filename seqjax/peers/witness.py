"""Last words: where JAX's C++ ends this process by `abort`, a child that outlives it says why in a line.

JAX does so at once where process 0, which has the coordination service, is gone, and gives no program a say.
"""

import subprocess
import sys

CHILD = """
import signal, socket, sys, time
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
said, address = "", ""
for line in sys.stdin:
    said, _, address = line.rstrip("\\n").partition("\\t")
if address:
    host, _, port = address.rpartition(":")
    try:
        time.sleep(0.5)
        socket.create_connection((host.strip("[]"), int(port)), timeout=5).close()
        said = ""
    except OSError:
        pass
if said:
    print("seqjax: " + said, file=sys.stderr, flush=True)
"""
"""Reads sentences until its parent ends; the last one is said, if no one listens any more at its address."""


class Witness:
    """The child."""

    def __init__(self, words: str):
        """Args: words: what to say if this process ends without `dismiss`."""
        command = [sys.executable, "-S", "-E", "-c", CHILD]
        self._child = subprocess.Popen(command, stdin=subprocess.PIPE, text=True, start_new_session=True)
        self.remember(words)

    def remember(self, words: str, address: str = "") -> None:
        """Other words. address: HOST:PORT; say them only if nobody listens there."""
        assert self._child.stdin is not None
        self._child.stdin.write(f"{words}\t{address}\n")
        self._child.stdin.flush()

    def dismiss(self) -> None:
        """This process ends by itself: there is nothing to say."""
        assert self._child.stdin is not None
        self.remember("")
        self._child.stdin.close()
        self._child.wait()
