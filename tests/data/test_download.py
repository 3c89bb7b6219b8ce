"""Downloads from a server on this machine that misbehaves on demand."""

import hashlib
import http.server
import io
import socket
import threading
import time
import zipfile

import numpy as np
import pytest

from seqjax.data.download import check_zip, download
from seqjax.errors import UserError

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


def test_whole_file_and_nothing_beside_it(server, destination, capsys):
    assert fetch(server.url(), destination, sha256=SHA256, size=len(CONTENT)) == destination
    assert destination.read_bytes() == CONTENT
    assert list(destination.parent.iterdir()) == [destination]
    assert server.requests == [("/file.bin", None)]
    assert capsys.readouterr() == ("", "")  # no progress bar without a terminal


def test_a_file_already_there_is_left_alone(server, destination):
    destination.parent.mkdir(parents=True)
    destination.write_bytes(b"mine")
    fetch(server.url(), destination, sha256=SHA256)
    assert destination.read_bytes() == b"mine"
    assert server.requests == []


def test_a_cut_is_resumed_where_it_happened(server, destination):
    server.cuts = [100_000, 150_000]
    fetch(server.url(), destination, sha256=SHA256)
    assert destination.read_bytes() == CONTENT
    assert [wanted for _, wanted in server.requests] == [None, "bytes=100000-", "bytes=250000-"]


def test_a_cut_without_a_check_begins_anew(server, destination):
    server.cuts = [100_000]
    fetch(server.url(), destination)
    assert destination.read_bytes() == CONTENT
    assert [wanted for _, wanted in server.requests] == [None, None]


def test_cut_every_time_leaves_only_the_part_for_the_next_run(server, destination):
    server.cuts = [100_000, 0]
    with pytest.raises(UserError, match=r"cut off after 100,000 of 300,000 bytes") as caught:
        fetch(server.url(), destination, sha256=SHA256, attempts=2)
    message = str(caught.value)
    assert server.url() in message
    assert str(destination) in message
    assert "--data=sample" in message
    assert "\n" not in message
    assert list(destination.parent.iterdir()) == [part_of(destination)]
    fetch(server.url(), destination, sha256=SHA256)  # the next run
    assert destination.read_bytes() == CONTENT
    assert server.requests[-1][1] == "bytes=100000-"


@pytest.mark.parametrize("announce", [True, False])
def test_a_server_without_ranges_sends_all_again(server, destination, announce):
    server.ranges, server.announce = False, announce
    leave_part(destination, CONTENT[:1000])
    fetch(server.url(), destination, sha256=SHA256)
    assert destination.read_bytes() == CONTENT
    assert server.requests == [("/file.bin", "bytes=1000-")]


def test_a_cut_that_nothing_announced_is_found_by_the_size(server, destination):
    server.announce, server.cuts = False, [1000]
    fetch(server.url(), destination, size=len(CONTENT))
    assert destination.read_bytes() == CONTENT


@pytest.mark.parametrize(("shift", "silent"), [(7, False), (0, True)])
def test_a_server_that_resumes_elsewhere_is_asked_for_all(server, destination, shift, silent):
    server.shift, server.silent = shift, silent
    leave_part(destination, CONTENT[:1000])
    fetch(server.url(), destination, sha256=SHA256)
    assert destination.read_bytes() == CONTENT
    assert [wanted for _, wanted in server.requests] == ["bytes=1000-", None]


@pytest.mark.parametrize("size", [None, len(CONTENT)])
def test_a_complete_part_needs_no_second_transfer(server, destination, size):
    leave_part(destination, CONTENT)
    fetch(server.url(), destination, sha256=SHA256, size=size)
    assert destination.read_bytes() == CONTENT
    assert len(server.requests) == (1 if size is None else 0)  # one 416 tells that nothing follows


@pytest.mark.parametrize("size", [None, len(CONTENT)])
def test_a_part_longer_than_the_file_is_thrown_away(server, destination, size):
    leave_part(destination, CONTENT + b"more")
    fetch(server.url(), destination, sha256=SHA256, size=size, attempts=1)
    assert destination.read_bytes() == CONTENT


@pytest.mark.parametrize("length", [1000, len(CONTENT)])
def test_a_part_of_another_file_is_found_out(server, destination, length):
    leave_part(destination, bytes(length))
    fetch(server.url(), destination, sha256=SHA256)
    assert destination.read_bytes() == CONTENT


def test_corrupted_content_is_refused_and_removed(server, destination):
    server.content = CONTENT[:-1] + bytes([CONTENT[-1] ^ 1])
    with pytest.raises(UserError, match=f"damaged: its sha256 is {hashlib.sha256(server.content).hexdigest()}"):
        fetch(server.url(), destination, sha256=SHA256)
    assert list(destination.parent.iterdir()) == []
    assert len(server.requests) == 1  # it came in one piece: asking again would bring the same


def test_another_size_is_refused_before_the_transfer(server, destination):
    with pytest.raises(UserError, match="300,000 bytes instead of 300,001"):
        fetch(server.url(), destination, size=300_001)
    assert list(destination.parent.iterdir()) == []


def test_missing_goes_to_the_mirror_at_once(server, destination):
    fetch([server.url("missing"), server.url("mirror")], destination, sha256=SHA256)
    assert destination.read_bytes() == CONTENT
    assert [path for path, _ in server.requests] == ["/missing", "/mirror"]


def test_missing_everywhere_names_every_address(server, destination):
    urls = [server.url("missing"), server.url("missing_too")]
    with pytest.raises(UserError) as caught:
        fetch(urls, destination)
    assert all(f"{url}: HTTP 404" in str(caught.value) for url in urls)
    assert len(server.requests) == 2  # not tried again
    assert list(destination.parent.iterdir()) == []


def test_a_busy_server_is_asked_again(server, destination):
    server.codes = [503, 429]
    fetch(server.url(), destination)
    assert destination.read_bytes() == CONTENT


def test_a_silent_server_times_out(server, destination):
    server.gate.clear()
    with pytest.raises(UserError, match="timed out"):
        fetch(server.url(), destination, timeout=0.1, attempts=1)


def test_refused_connection(destination):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/file.bin"
        with pytest.raises(UserError, match=r"refused.*download it by hand and put it at"):
            fetch(url, destination)
    assert list(destination.parent.iterdir()) == []


def test_an_address_that_is_none(destination):
    with pytest.raises(UserError, match="unknown url type"):
        fetch("file.bin", destination)


def test_a_folder_that_cannot_be_made(server, tmp_path):
    (tmp_path / "occupied").write_text("a file")
    with pytest.raises(UserError, match=r"occupied.*--data_dir"):
        fetch(server.url(), tmp_path / "occupied/file.bin")


def test_two_at_once_transfer_once(server, destination, capsys):
    server.gate.clear()
    threads = [
        threading.Thread(target=fetch, args=(server.url(), destination), kwargs={"sha256": SHA256}) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    threading.Timer(0.3, server.gate.set).start()
    for thread in threads:
        thread.join()
    assert destination.read_bytes() == CONTENT
    assert len(server.requests) == 1
    assert list(destination.parent.iterdir()) == [destination]
    assert "waiting for another process" in capsys.readouterr().err


def test_the_lock_of_a_killed_process_does_not_bar_the_way(server, destination):
    leave_part(destination, CONTENT[:1000])
    destination.with_name("file.bin.lock").touch()
    fetch(server.url(), destination, sha256=SHA256)
    assert destination.read_bytes() == CONTENT
    assert list(destination.parent.iterdir()) == [destination]


def test_a_lock_that_its_holder_removed_does_not_count(server, destination):
    fcntl = pytest.importorskip("fcntl")
    destination.parent.mkdir(parents=True)
    lock = destination.with_name("file.bin.lock")
    with lock.open("ab") as first:
        fcntl.flock(first, fcntl.LOCK_EX)
        waiting = threading.Thread(target=fetch, args=(server.url(), destination))
        waiting.start()
        time.sleep(0.2)
        lock.unlink()  # as a holder does whose download failed ...
        second = lock.open("ab")
        fcntl.flock(second, fcntl.LOCK_EX)  # ... and a third process is quicker than the one that waits
    with second:
        time.sleep(0.2)
        assert server.requests == []
    waiting.join()
    assert destination.read_bytes() == CONTENT


@pytest.fixture
def archive():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("table.csv", "1,2,3\n" * 10_000)
    return stream.getvalue()


def test_a_whole_zip_passes(server, destination, archive):
    server.content = archive
    fetch(server.url(), destination, check=check_zip)
    assert destination.read_bytes() == archive


@pytest.mark.parametrize("damage", ["truncated", "flipped", "a page"])
def test_a_damaged_zip_does_not(server, destination, archive, damage):
    middle = archive.index(b"table.csv") + 20
    server.content = {
        "truncated": archive[:-30],
        "flipped": archive[:middle] + bytes([archive[middle] ^ 0xFF]) + archive[middle + 1 :],
        "a page": b"<html>please log in</html>",
    }[damage]
    with pytest.raises(UserError, match="what arrived is damaged"):
        fetch(server.url(), destination, check=check_zip)
    assert list(destination.parent.iterdir()) == []
