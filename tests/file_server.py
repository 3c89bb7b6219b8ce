"""A server on this machine that misbehaves on demand."""

import hashlib
import http.server
import threading

import numpy as np
import pytest

from seqjax.data.download import download

CONTENT = np.random.default_rng(0).bytes(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(http.server.ThreadingHTTPServer):
    """Serves `content` under any path; the attributes say how badly."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = CONTENT
        self.ranges = True
        self.shift = 0  # resumes so many bytes too late
        self.silent = False  # does not say where it resumes
        self.announce = True  # sends a Content-Length
        self.cuts = []  # for each coming answer: after how many bytes the connection breaks
        self.codes = []  # for each coming answer: an error code instead
        self.requests = []  # of each answer: its path and Range
        self.gate = threading.Event()  # answers wait for it
        self.gate.set()

    def url(self, path="file.bin"):
        return f"http://127.0.0.1:{self.server_address[1]}/{path}"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def log_message(self, format, *args):
        pass

    def do_GET(self):
        server, wanted = self.server, self.headers.get("Range")
        server.requests.append((self.path, wanted))
        server.gate.wait(10)
        content, total = server.content, len(server.content)
        if "missing" in self.path or server.codes:
            self.send_error(404 if "missing" in self.path else server.codes.pop(0))
            return
        if wanted and server.ranges:
            start = int(wanted.removeprefix("bytes=").removesuffix("-")) + server.shift
            if start >= total:
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{total}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            content = content[start:]
            self.send_response(206)
            if not server.silent:
                self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        else:
            self.send_response(200)
        if server.announce:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: server.cuts.pop(0)] if server.cuts else content)


@pytest.fixture
def server():
    with Server() as served:
        thread = threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield served
        served.gate.set()
        served.shutdown()
        thread.join()


@pytest.fixture
def destination(tmp_path):
    return tmp_path / "new/folder/file.bin"


def part_of(destination):
    return destination.with_name(destination.name + ".part")


def leave_part(destination, content):
    destination.parent.mkdir(parents=True)
    part_of(destination).write_bytes(content)


def fetch(urls, destination, **options):
    return download(urls, destination, **{"pause": 0.01, "timeout": 5, **options})
