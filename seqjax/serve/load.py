"""Many clients at once: does every request get its answer, the same as alone, and how long does it take?

python -m seqjax.serve --workdir=runs/imdb_bilstm &
python -m seqjax.serve.load --run=imdb_bilstm --requests=10000 --clients=32

Each client asks again as soon as it is answered. Every body is first asked alone; an answer under load that differs
from that in a single bit is wrong. A 429 is asked again after its Retry-After. Exit code 1: an answer was lost, or
wrong.
"""

import asyncio
import dataclasses
import itertools
import json
import time
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from absl import flags

from seqjax.command_line import run_tool
from seqjax.errors import UserError
from seqjax.files import read_json

FLAGS = flags.FlagValues()
URL = flags.DEFINE_string("url", "http://127.0.0.1:8000", "Of the server.", flag_values=FLAGS)
RUN = flags.DEFINE_string("run", None, "Which run is asked; by default the first.", flag_values=FLAGS)
BODIES = flags.DEFINE_string(
    "bodies", None, 'A JSON file: {"bodies": [what /predict is given, ...]}.', flag_values=FLAGS
)
REQUESTS = flags.DEFINE_integer("requests", 10_000, "How many.", 1, flag_values=FLAGS)
CLIENTS = flags.DEFINE_integer("clients", 32, "How many at once.", 1, 4_096, flag_values=FLAGS)
TEXTS = (
    "A wonderful film.",
    "Two hours lost, and not one good line in them.",
    "The first half is slow but the end is worth the wait and more.",
    "bad",
    "I would watch it again with friends, with family, with anyone who has an evening and a heart.",
    "Neither good nor bad.",
)
PATIENCE = 120
"""Seconds until an answer counts as lost."""


@dataclasses.dataclass
class Tally:
    """What came of the requests."""

    seconds: list[float] = dataclasses.field(default_factory=list)
    lost: int = 0
    wrong: int = 0
    again: int = 0
    """Times that the server asked for patience."""

    def said(self, elapsed: float) -> str:
        """For people."""
        found = sorted(self.seconds) or [float("nan")]
        at = lambda share: 1e3 * found[min(len(found) - 1, int(share * len(found)))]
        count = len(self.seconds)
        return (
            f"{count:,} answers in {elapsed:.1f} s, {count / max(elapsed, 1e-9):,.0f} a second; "
            f"p50 {at(0.5):.1f} ms, p95 {at(0.95):.1f} ms, p99 {at(0.99):.1f} ms; {self.lost} lost, "
            f"{self.wrong} wrong, {self.again} asked again"
        )


class Client:
    """One connection, kept open."""

    def __init__(self, url: str):
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise UserError(f"--url={url} is not of the form http://HOST:PORT")
        self.host, self.port = parts.hostname, parts.port or 80
        self.streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, method: str, path: str, body: Any = None) -> tuple[int, dict[str, str], Any]:
        """-> (status, headers, JSON). Raises OSError, EOFError: the connection has ended."""
        self.streams = self.streams or await asyncio.open_connection(self.host, self.port)
        reader, writer = self.streams
        content = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\nContent-Type: application/json\r\n"
        writer.write(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
        try:
            first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (one.partition(":") for one in lines if one)}
            answer = await reader.readexactly(int(headers["content-length"]))
        except (OSError, EOFError):
            self.streams = None
            raise
        if headers.get("connection") == "close":
            writer.close()
            self.streams = None
        return int(first.split()[1]), headers, json.loads(answer)

    def close(self) -> None:
        """End the connection."""
        if self.streams is not None:
            self.streams[1].close()


async def load(url: str, run: str | None, bodies: Sequence[Any] | None, requests: int, clients: int) -> Tally:
    """Ask. Raises UserError: there is no such server, or it does not take the bodies when they come alone."""
    first = Client(url)
    try:
        found = (await first.ask("GET", "/api/runs"))[2]["runs"]
    except (OSError, EOFError, KeyError) as error:
        raise UserError(f"--url={url} does not answer: start python -m seqjax.serve") from error
    about = next((one for one in found if run in (None, one["name"])), None)
    if about is None:
        raise UserError(f"there is no run {run!r}; choices: {', '.join(one['name'] for one in found)}")
    asked = list(bodies or ([{"texts": [text]} for text in TEXTS] if about["expects"]["field"] == "texts" else []))
    if not asked:
        raise UserError(f"--bodies is needed: {about['name']} expects {about['expects']['what']}")
    path, expected = f"/api/runs/{about['name']}/predict", []
    asked = [{**body, "outputs": True} for body in asked]
    for body in asked:
        status, _, answer = await first.ask("POST", path, body)
        if status != 200:
            raise UserError(f"the server does not take a body: {answer.get('error', status)}")
        expected.append(answer)
    first.close()
    tally, numbers = Tally(), iter(range(requests))
    await asyncio.gather(*(_client(url, path, asked, expected, numbers, tally) for _ in range(clients)))
    return tally


async def _client(
    url: str, path: str, asked: Sequence[Any], expected: Sequence[Any], numbers: Iterator[int], tally: Tally
) -> None:
    client = Client(url)
    for number in numbers:
        began, which = time.perf_counter(), number % len(asked)
        try:
            for _ in itertools.count():
                status, headers, answer = await asyncio.wait_for(client.ask("POST", path, asked[which]), PATIENCE)
                if status != 429:
                    break
                tally.again += 1
                await asyncio.sleep(float(headers.get("retry-after", 1)))
        except (OSError, EOFError, TimeoutError, ValueError, KeyError):
            tally.lost += 1
            client = Client(url)
            continue
        tally.lost += status != 200
        tally.wrong += status == 200 and answer != expected[which]
        tally.seconds.append(time.perf_counter() - began)
    client.close()


def main(arguments: Sequence[str]) -> int:
    """Ask, and tell. Raises UserError: a wrong flag, no server."""
    if arguments:
        raise UserError(f"{arguments[0]!r} is not a flag; give --run=NAME")
    bodies = None
    if BODIES.value:
        from pathlib import Path

        bodies = read_json(Path(BODIES.value)).get("bodies")
    began = time.perf_counter()
    tally = asyncio.run(load(URL.value, RUN.value, bodies, REQUESTS.value, CLIENTS.value))
    print(tally.said(time.perf_counter() - began))
    return int(bool(tally.lost or tally.wrong))


if __name__ == "__main__":
    run_tool(main, FLAGS, __doc__)
