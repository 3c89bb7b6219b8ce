"""`python -m seqjax.serve`: what is wrong is one line and exit code 2, before anything heavy is imported."""

import importlib.util
import socket
import subprocess
import sys

import pytest

from places import ROOT
from seqjax.errors import UserError
from seqjax.serve import __main__ as command

pytest.importorskip("uvicorn")


def serve(*flags):
    done = subprocess.run(
        [sys.executable, "-m", "seqjax.serve", *flags], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith("seqjax: ")
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr


def test_a_port_that_is_taken(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, said = serve(f"--workdir={tmp_path}", f"--port={port}")
    assert code == 2
    assert f"--port={port} of 127.0.0.1 cannot be had: Address already in use" in said


def test_what_is_missing(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r'not installed: starlette and uvicorn: pip install "seqjax\[serve\]"'):
        command.check_needed()


def test_an_address_is_told():
    from seqjax.serve import connections

    with connections.bound("127.0.0.1", 0) as one:
        assert connections.address_of(one) == f"http://127.0.0.1:{one.getsockname()[1]}/"
    for host in ("no.such.host.invalid", "256.1.1.1"):
        with pytest.raises(UserError, match=f"--host={host} is no address"):
            connections.bound(host, 0)
    with pytest.raises(UserError, match=r"--port=0 of 203\.0\.113\.7 cannot be had"):  # an address of nobody here
        connections.bound("203.0.113.7", 0)


def test_the_pip_command_is_the_extra():
    assert "\nserve = [" in (ROOT / "pyproject.toml").read_text()
