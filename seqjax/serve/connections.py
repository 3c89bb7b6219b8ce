"""The server's socket, its protocol and its end.

uvicorn waits for ever for the head of a request: a client that sends a byte a minute holds a connection as long as it
likes. Here a head has to come in time.
"""

import asyncio
import contextlib
import logging
import signal
import socket
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from seqjax.errors import UserError
from seqjax.serve.guard import HEAD

GRACE = 60
"""Seconds that the answers in flight have, once the server is to end."""


def bound(host: str, port: int) -> socket.socket:
    """A listening socket; port 0: any that is free. Raises UserError: it cannot be had."""
    try:
        kinds = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (socket.gaierror, UnicodeError) as error:
        raise UserError(f"--host={host} is no address of this machine") from error
    family, kind, protocol, _, address = kinds[0]
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind(address)
        made.listen(1_024)  # at once, so that no other server takes the port meanwhile
    except OSError as error:
        made.close()
        raise UserError(f"--port={port} of {host} cannot be had: {error.strerror or error}; port 0 is any") from error
    return made


def address_of(listening: socket.socket) -> str:
    """`http://127.0.0.1:8000/`."""
    host, port = listening.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"


def protocol_of(seconds: float) -> type[H11Protocol]:
    """uvicorn's protocol, whose connections are closed unless the head of a request comes in so many seconds."""

    class Timed(H11Protocol):
        timer: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._wait()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self.conn.their_state is h11.IDLE:
                self._wait()
            else:
                self._stop()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop()
            super().connection_lost(exc)

        def _wait(self) -> None:
            if self.timer is None:
                self.timer = self.loop.call_later(seconds, self._end)

        def _end(self) -> None:
            self.timer = None
            if self.conn.their_state is h11.IDLE and (self.cycle is None or self.cycle.response_complete):
                self.transport.close()

        def _stop(self) -> None:
            if self.timer is not None:
                self.timer.cancel()
                self.timer = None

    return Timed


def serve(app: Any, listening: socket.socket, timeout: float) -> None:
    """Answer until SIGTERM or Ctrl-C, and then what has been asked already."""
    config = uvicorn.Config(
        app,
        http=protocol_of(timeout),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE,
        h11_max_incomplete_event_size=HEAD,
        backlog=1_024,
    )
    logging.getLogger("uvicorn").setLevel(logging.ERROR)  # not a line for every malformed request
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)  # uvicorn raises it anew once all is answered: that is a good end
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listening])
