"""What stands before the application: every request passes here, and what should not go on is answered at once.

A page of another site must not ask in the reader's name: so the Host has to be an address of this machine's or a name
that it was told (a name that is bent to 127.0.0.1 is not), an Origin has to be the server's own, and what changes
anything takes JSON, which no form sends. There is no CORS.
"""

import asyncio
import contextlib
import ipaddress
import logging
from collections.abc import Awaitable, Callable, Collection
from typing import Any

from seqjax.files import to_json
from seqjax.serve.limits import Limits, Rates, RefusedError

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

PATIENCE = 1.0
"""Seconds without a piece of a body that is too large, whose rest is read over so that its sender reads the refusal."""
HEAD = 64 << 10
"""Bytes of a request's head."""
HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"microphone=(self), camera=(), geolocation=()"),
    (b"cache-control", b"no-store"),
)
POLICY = (
    "default-src 'none'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class Guard:
    """ASGI around ASGI."""

    def __init__(self, app: Any, limits: Limits, hosts: Collection[str], policy: str = ""):
        """Args: hosts: names besides addresses and localhost. policy: what the page needs besides `POLICY`."""
        self.app, self.limits, self.rates = app, limits, Rates(limits.rate)
        self.hosts = {"localhost", *(host.lower() for host in hosts)}
        self.active = 0
        policies = "; ".join(filter(None, [POLICY, policy]))
        self.headers = [*HEADERS, (b"content-security-policy", policies.encode())]

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return

        async def headed(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), *self.headers]}
            await send(message)

        counted = False
        try:
            body = await self._let_in(scope, receive)
            if self.active >= self.limits.concurrent:
                raise RefusedError(429, f"{self.active} requests are being answered: ask again later", 1)
            self.active, counted = self.active + 1, True
            await _while_there(lambda again: self.app(scope, again, headed), body, receive)
        except RefusedError as error:
            await refuse(error, headed)
        except (ConnectionError, asyncio.CancelledError):
            raise
        except Exception as error:  # the application has its own net: this one is below it
            logging.getLogger("seqjax.serve").error("%s: %s", type(error).__name__, error)
            with contextlib.suppress(Exception):
                await refuse(RefusedError(500, "the server could not answer"), headed)
        finally:
            self.active -= counted

    async def _let_in(self, scope: Message, receive: Receive) -> bytes:
        """The whole body. Raises RefusedError."""
        if len(scope.get("raw_path") or b"") + sum(len(name) + len(value) for name, value in scope["headers"]) > HEAD:
            raise RefusedError(431, f"the head of the request is above {HEAD:,} bytes")
        headers: dict[bytes, list[bytes]] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name.lower(), []).append(value)
        host = self._host(headers)
        self._check_origin(headers, host)
        self.rates.take((scope.get("client") or ("",))[0])
        if scope["method"] not in ("GET", "HEAD", "POST"):
            raise RefusedError(405, f"{scope['method'][:20]} is not answered here: GET and POST are")
        if scope["method"] == "POST":
            kind = headers.get(b"content-type", [b""])[0].partition(b";")[0].strip().lower()
            if kind != b"application/json":
                raise RefusedError(415, "the body must be JSON: Content-Type: application/json")
            if headers.get(b"content-encoding", [b"identity"])[0].lower() != b"identity":
                raise RefusedError(415, "the body must not be compressed")
        return await _body(receive, headers, self.limits)

    def _host(self, headers: dict[bytes, list[bytes]]) -> str:
        given = headers.get(b"host", [])
        host = given[0].decode("latin-1").strip().lower() if len(given) == 1 else ""
        name = host[1:].rpartition("]")[0] if host.startswith("[") else host.partition(":")[0]
        with contextlib.suppress(ValueError):
            ipaddress.ip_address(name)
            return host
        if name.rstrip(".") not in self.hosts:
            raise RefusedError(421, f"this server is not {name[:60] or 'nobody'!r}: see --allow_host")
        return host

    def _check_origin(self, headers: dict[bytes, list[bytes]], host: str) -> None:
        for origin in headers.get(b"origin", []):
            said = origin.decode("latin-1").strip().lower()
            if said.partition("://")[2] != host or not said.startswith(("http://", "https://")):
                raise RefusedError(403, "pages of other origins are not answered")
        strange = headers.get(b"sec-fetch-site", [b"none"])[0] in (b"cross-site", b"same-site")
        if strange and headers.get(b"sec-fetch-mode", [b""])[0] != b"navigate":
            raise RefusedError(403, "pages of other origins are not answered")


async def _body(receive: Receive, headers: dict[bytes, list[bytes]], limits: Limits) -> bytes:
    """All of it. Raises RefusedError: too large, too slow, or the client has gone."""
    declared = headers.get(b"content-length", [b"0"])[0]
    length = int(declared) if declared.isdigit() and len(declared) < 20 else limits.max_body + 1
    over = RefusedError(413, f"the body is above {limits.max_body:,} bytes")
    pieces, size = [], 0
    try:
        async with asyncio.timeout(limits.timeout):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise RefusedError(400, "the body has ended early")
                size += len(message.get("body", b""))
                if max(size, length) > limits.max_body:
                    await _read_over(receive, message.get("more_body", False), 8 * limits.max_body)
                    raise over
                pieces.append(message.get("body", b""))
                if not message.get("more_body"):
                    return b"".join(pieces)
    except TimeoutError as error:
        raise RefusedError(408, f"the body did not come within {limits.timeout:g} seconds") from error


async def _read_over(receive: Receive, more: bool, most: int) -> None:
    with contextlib.suppress(TimeoutError):
        while more and most > 0:
            message = await asyncio.wait_for(receive(), PATIENCE)
            more = message["type"] == "http.request" and message.get("more_body", False)
            most -= len(message.get("body", b""))


async def _while_there(answering: Callable[[Receive], Awaitable[None]], body: bytes, receive: Receive) -> None:
    """Answer a body that has been read; once the client has gone nobody works for it any more."""
    left, gone = [body], asyncio.Event()

    async def again() -> Message:
        if left:
            return {"type": "http.request", "body": left.pop(), "more_body": False}
        await gone.wait()
        return {"type": "http.disconnect"}

    async def watch() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        gone.set()

    tasks = [asyncio.ensure_future(answering(again)), asyncio.ensure_future(watch())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if not tasks[0].done():
            tasks[0].cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await tasks[0]
    finally:
        for task in tasks:
            task.cancel()


async def refuse(error: RefusedError, send: Send) -> None:
    """Answer with the error, as JSON."""
    content = to_json({"error": error.message}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
    if error.status in (400, 408, 413):
        headers.append((b"connection", b"close"))
    if error.retry is not None:
        headers.append((b"retry-after", str(error.retry).encode()))
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
