"""What ends a download: no such host or folder, another process at it, an archive that is damaged."""

import io
import socket
import threading
import time
import zipfile

import pytest

from file_server import CONTENT, SHA256, destination, fetch, leave_part, server
from seqjax.data.download import check_zip
from seqjax.errors import UserError

__all__ = ["destination", "server"]


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
