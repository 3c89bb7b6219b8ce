"""An ASGI application asked within the tests' own process."""

import asyncio
import json


async def ask(app, method, path, body=None, headers=None, client=("127.0.0.1", 5), pieces=None):
    """-> (status, headers, content). body: JSON, or bytes. pieces: what comes instead, seconds to wait among them; then
    the client goes."""
    data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    given = {"host": "127.0.0.1", "content-type": "application/json", **(headers or {})}
    raw = [(name.encode(), value.encode("latin-1")) for name, value in given.items() if value is not None]
    path, _, query = path.partition("?")
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": query.encode(), "headers": raw, "client": client,
        "server": ("127.0.0.1", 8000), "root_path": "",
    }  # fmt: skip
    left, said = [data] if pieces is None else list(pieces), []

    async def receive():
        while left and isinstance(left[0], float):
            await asyncio.sleep(left.pop(0))
        if not left and pieces is None:
            await asyncio.Event().wait()  # the client stays
        if not left:
            return {"type": "http.disconnect"}
        piece = left.pop(0)
        return {"type": "http.request", "body": piece, "more_body": any(isinstance(one, bytes) for one in left)}

    async def send(message):
        said.append(message)

    await app(scope, receive, send)
    start = said[0]
    found = {name.decode().lower(): value.decode("latin-1") for name, value in start["headers"]}
    return start["status"], found, b"".join(message.get("body", b"") for message in said[1:])


def asked(app, *arguments, **options):
    """As `ask`, of one request; JSON is read."""
    status, headers, content = asyncio.run(ask(app, *arguments, **options))
    return status, headers, json.loads(content) if headers.get("content-type") == "application/json" else content
