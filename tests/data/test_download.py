"""Downloads from a server on this machine that misbehaves on demand."""

import hashlib

import pytest

from file_server import CONTENT, SHA256, destination, fetch, leave_part, part_of, server
from seqjax.errors import UserError

__all__ = ["destination", "server"]


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
