"""What is refused before anything is read: hosts, origins, sizes, slowness, rates."""

import asyncio

import pytest

from asked import ask, asked
from seqjax.serve.guard import Guard
from seqjax.serve.limits import Limits


async def echo(scope, receive, send):
    """Answers with the body."""
    message = await receive()
    if message["body"] == b"wait":
        await asyncio.sleep(0.3)
    if message["body"] == b"fail":
        raise KeyError("an inside of ours")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": message["body"]})


def guard(hosts=(), **limits):
    return Guard(echo, Limits(**limits), hosts)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:8000", "localhost:8000", "LOCALHOST", "[::1]:8000", "10.0.0.7", "box:80"]
)
def test_addresses_and_names_that_it_was_told(host):
    assert asked(guard(["box"]), "GET", "/", headers={"host": host})[0] == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "", "[::1", "0x7f.1", None]
)
def test_a_name_that_is_bent_to_this_machine(host):
    status, headers, said = asked(guard(), "POST", "/", body={}, headers={"host": host})
    assert status == 421
    assert "error" in said
    assert "content-security-policy" in headers


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9000"},
        {"origin": "file://127.0.0.1"},
        {"sec-fetch-site": "cross-site"},
    ],
)
def test_pages_of_others(headers):
    assert asked(guard(), "POST", "/", body={}, headers={"host": "127.0.0.1:8000", **headers})[0] == 403
    answer = asked(guard(), "POST", "/", body={}, headers={"host": "127.0.0.1:8000", "origin": "http://127.0.0.1:8000"})
    assert answer[0] == 200
    assert not [name for name in answer[1] if name.startswith("access-control")]
    assert asked(guard(), "OPTIONS", "/", headers={"access-control-request-method": "POST"})[0] == 405


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=a", "", None]
)
def test_what_a_form_can_send(kind):
    assert asked(guard(), "POST", "/", body={}, headers={"content-type": kind})[0] == 415
    assert asked(guard(), "POST", "/", body={}, headers={"content-type": "application/json; charset=utf-8"})[0] == 200
    assert asked(guard(), "POST", "/", body={}, headers={"content-encoding": "gzip"})[0] == 415


def test_a_body_is_not_too_large_whatever_is_said_of_it():
    small = guard(max_body=100)
    assert asked(small, "POST", "/", body=b"a" * 100)[0] == 200
    assert asked(small, "POST", "/", body=b"a" * 101)[0] == 413
    assert asked(small, "POST", "/", headers={"content-length": "101"}, pieces=[b"a"])[0] == 413
    assert asked(small, "POST", "/", headers={"content-length": "9" * 30}, pieces=[b"a"])[0] == 413
    assert asked(small, "POST", "/", pieces=[b"a" * 30] * 4)[0] == 413
    assert asked(small, "GET", "/", headers={"x-long": "a" * 70_000})[0] == 431


def test_a_slow_body_and_a_lost_one(monkeypatch):
    app = guard()
    app.limits = Limits()
    object.__setattr__(app.limits, "timeout", 0.05)
    assert asked(app, "POST", "/", pieces=[b"a", 0.2, b"b"])[0] == 408
    assert asked(app, "POST", "/", pieces=[])[0] == 400


def test_rates_and_crowds():
    many = guard(rate=1)
    answers = [asked(many, "GET", "/") for _ in range(3)]
    assert [status for status, _, _ in answers] == [200, 200, 429]
    assert answers[2][1]["retry-after"] == "1"
    assert asked(many, "GET", "/", client=("10.0.0.2", 1))[0] == 200
    full = guard(concurrent=2)

    async def crowd():
        return await asyncio.gather(*(ask(full, "POST", "/", body=b"wait") for _ in range(5)))

    assert sorted(status for status, _, _ in asyncio.run(crowd())) == [200, 200, 429, 429, 429]
    assert full.active == 0


def test_nobody_works_for_a_client_that_has_gone():
    seen = []

    async def long(scope, receive, send):
        await receive()
        try:
            await asyncio.sleep(20)
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    app = Guard(long, Limits(), ())

    async def gone():
        with pytest.raises(IndexError):  # there is no answer
            await ask(app, "POST", "/", pieces=[b"a", 0.05])

    asyncio.run(gone())
    assert seen == ["cancelled"]
    assert app.active == 0


def test_a_fault_is_not_shown(caplog):
    status, _, said = asked(guard(), "POST", "/", body=b"fail")
    assert (status, said) == (500, {"error": "the server could not answer"})
    assert "inside" in caplog.text
