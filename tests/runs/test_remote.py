"""A run's folder in an object store: a store in memory behind gs://, and Amazon's protocol from a server of moto's."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from command_calls import call
from places import ROOT
from seqjax.errors import UserError
from seqjax.runs import remote
from tiny_experiment import TINY

__all__ = ["call"]

fsspec = pytest.importorskip("fsspec")


class Store(fsspec.get_filesystem_class("memory")):
    """What fsspec takes for gs://, here: an object store of this process."""

    protocol = "gs"
    store = {}  # noqa: RUF012 - fsspec's own way
    pseudo_dirs = [""]  # noqa: RUF012

    def __init__(self, *_, finalize_on_close=True, **__):
        super().__init__()

    @classmethod
    def _strip_protocol(cls, path):
        path = str(path).removeprefix("gs://")
        return "/" + path.strip("/") if path.strip("/") else ""


@pytest.fixture
def store(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    fsspec.register_implementation("gs", Store, clobber=True)
    Store.store.clear()
    Store.pseudo_dirs[:] = [""]
    yield Store.store
    Store.store.clear()


NAME = "gs://bucket/runs/tiny"


def names(store):
    return {path.removeprefix("/bucket/runs/tiny/") for path in store}


def write(folder, **texts):
    for name, text in texts.items():
        path = folder / name.replace("__", "/").replace("_json", ".json")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_what_is_written_here_is_there_and_comes_back(store):
    with remote.working_copy(NAME, trains=True, seconds=60) as folder:
        write(folder, config_json="{}", checkpoints__latest__3__state="abc")
        (folder / ".lock").touch()
        (folder / "results.json.tmp").touch()
        (folder / "checkpoints/latest/4.orbax-checkpoint-tmp-1").mkdir()
        write(folder, **{"checkpoints__latest__4.orbax-checkpoint-tmp-1__state": "half"})
    assert names(store) == {"config.json", "checkpoints/latest/3/state", "owner.txt"}
    assert not folder.exists()
    with remote.working_copy(NAME, trains=False, seconds=60) as again:
        assert (again / "checkpoints/latest/3/state").read_text() == "abc"
        assert not (again / "owner.txt").exists()
    assert not again.exists()


def test_what_is_gone_here_is_deleted_there(store):
    with remote.working_copy(NAME, trains=True, seconds=60) as folder:
        write(folder, config_json="{}", checkpoints__latest__3__state="abc")
    with remote.working_copy(NAME, trains=True, seconds=60) as folder:
        (folder / "checkpoints/latest/3/state").unlink()
        write(folder, checkpoints__latest__5__state="def")
    assert names(store) == {"config.json", "checkpoints/latest/5/state", "owner.txt"}


def test_rows_go_before_the_checkpoints_that_need_them_and_results_last(store, tmp_path):
    mirror = remote.Mirror(NAME, tmp_path / "here")
    write(mirror.local, results_json="{}", checkpoints__latest__3__state="", checkpoints__best__3__state="")
    write(mirror.local, config_json="{}", **{"metrics.jsonl": "", "experiment.py": ""})
    order = mirror._here()
    assert order[0] == "config.json"
    assert order[-3:] == ["checkpoints/best/3/state", "checkpoints/latest/3/state", "results.json"]


def test_who_is_taken_over_leaves_and_writes_nothing_more(store):
    first = remote.working_copy(NAME, trains=True, seconds=60)
    folder = first.__enter__()
    with remote.working_copy(NAME, trains=True, seconds=60) as second:
        write(second, config_json="second")
    write(folder, config_json="first")
    with pytest.raises(UserError, match=r"another process, on .*, has taken over gs://bucket/runs/tiny"):
        first.__exit__(None, None, None)
    assert store["/bucket/runs/tiny/config.json"].getvalue() == b"second"


def test_who_is_taken_over_gets_a_sigterm(store):
    came = []
    before = signal.signal(signal.SIGTERM, lambda *_: came.append(1))
    first = remote.working_copy(NAME, trains=True, seconds=0.05)
    try:
        first.__enter__()
        remote.Mirror(NAME, remote.folders.cache_dir() / "other").take()
        deadline = time.monotonic() + 10
        while not came and time.monotonic() < deadline:
            time.sleep(0.05)
        with pytest.raises(UserError, match="taken over"):
            first.__exit__(None, None, None)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert came


def test_a_store_that_cannot_be_written_leaves_everything_here(store, monkeypatch):
    copy = remote.working_copy(NAME, trains=True, seconds=60)
    folder = copy.__enter__()
    write(folder, config_json="{}")
    monkeypatch.setattr(Store, "put_file", lambda *_, **__: (_ for _ in ()).throw(OSError("no network")))
    with pytest.raises(UserError, match="no network; all of the run lies in") as caught:
        copy.__exit__(None, None, None)
    kept = re.search(r"lies in (\S+):", str(caught.value))
    assert kept
    assert (Path(kept[1]) / "config.json").read_text() == "{}"
    assert not folder.exists()
    with remote.working_copy(NAME, trains=False, seconds=60):
        assert (Path(kept[1]) / "config.json").exists()


def test_copies_of_killed_processes_go(store):
    parent = remote.folders.cache_dir() / "remote"
    write(parent / "left", config_json="{}")
    (parent / "left.lock").touch()
    with remote.working_copy(NAME, trains=True, seconds=60) as folder:
        assert {path.name for path in parent.iterdir()} == {folder.parent.name, f"{folder.parent.name}.lock"}
        with remote.working_copy("gs://bucket/another", trains=False, seconds=60):
            assert folder.exists()
    assert list(parent.iterdir()) == []


def test_a_neighbour_whose_name_begins_alike_is_no_part_of_it(store):
    with remote.working_copy(NAME + "2", trains=True, seconds=60) as folder:
        write(folder, config_json="{}")
    with remote.working_copy(NAME, trains=False, seconds=60) as folder:
        assert list(folder.iterdir()) == []


def test_messages_name_the_store_and_not_the_copy(store):
    copy = remote.working_copy(NAME, trains=False, seconds=60)
    folder = copy.__enter__()
    said = UserError(f"workdir {folder} holds no run")
    assert not copy.__exit__(UserError, said, None)  # it goes on
    assert str(said) == "workdir gs://bucket/runs/tiny holds no run"


def test_a_name_that_leads_out_of_the_folder_is_refused(store, monkeypatch):
    monkeypatch.setattr(Store, "find", lambda self, folder: [f"/{folder}/../../evil"])
    with pytest.raises(UserError, match="outside of it"):
        remote.working_copy(NAME, trains=False, seconds=60).__enter__()


@pytest.mark.parametrize("name", ["gs://", "s3://", "gs:///"])
def test_a_name_without_a_bucket_is_refused(name, store):
    with pytest.raises(UserError, match="names no bucket"), remote.working_copy(name, trains=True, seconds=60):
        pass


SERVER = """
from moto.server import ThreadedMotoServer
import boto3, sys, time
server = ThreadedMotoServer(port=0)
server.start()
host, port = server.get_host_and_port()
boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port}", region_name="us-east-1").create_bucket(Bucket="bucket")
print('port', port, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def amazon(tmp_path):
    """The environment of a process that finds an S3 here."""
    pytest.importorskip("moto")
    pytest.importorskip("s3fs")
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_DEFAULT_REGION": "us-east-1"}
    environment = {**os.environ, **keys, "PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )
    assert server.stdin is not None
    assert server.stdout is not None
    port = next(line.split()[1] for line in server.stdout if line.startswith("port"))
    yield environment | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "NO_PROXY": "127.0.0.1"}
    server.stdin.close()
    server.wait(20)
    server.stdout.close()


@pytest.mark.slow
def test_a_run_killed_in_the_middle_resumes_from_s3_bit_for_bit(amazon, tmp_path):
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments/tiny.py").write_text(TINY)
    command = [sys.executable, "-m", "seqjax.main", "--experiment=tiny", "--notune", "--checkpoint_seconds=0.2"]
    command += ["--set=epochs=250", "--devices=1"]
    call = lambda *flags: subprocess.run(
        [*command, *flags], cwd=tmp_path, env=amazon, capture_output=True, text=True, timeout=300
    )

    def there(name):
        try:
            with urllib.request.urlopen(f"{amazon['AWS_ENDPOINT_URL']}/bucket/runs/tiny/{name}") as found:
                return found.read().decode()
        except urllib.error.HTTPError:
            return ""

    done = call("--workdir=plain")
    assert done.returncode == 0, done.stderr
    for rows in (1,):
        began = subprocess.Popen(
            [*command, "--workdir=s3://bucket/runs/tiny"], cwd=tmp_path, env=amazon, stdout=subprocess.DEVNULL
        )
        while len(there("metrics.jsonl").splitlines()) < rows:
            assert began.poll() is None, "it has to be killed in the middle"
            time.sleep(0.1)
        began.kill()
        began.wait()
    done = call("--workdir=s3://bucket/runs/tiny")
    assert done.returncode == 0, done.stderr
    done = call("--mode=evaluate", "--workdir=s3://bucket/runs/tiny")
    assert done.returncode == 0, done.stderr
    mine = [json.loads(line) for line in there("metrics.jsonl").splitlines()]
    plain = [json.loads(line) for line in (tmp_path / "plain/metrics.jsonl").read_text().splitlines()]
    timed = ("seconds", "examples_per_second")
    bare = lambda rows: [{name: value for name, value in row.items() if name not in timed} for row in rows]
    assert bare(mine) == bare(plain)
    mine, theirs = json.loads(there("results.json")), json.loads((tmp_path / "plain/results.json").read_text())
    assert (mine["test"], mine["best_epoch"]) == (theirs["test"], theirs["best_epoch"])


@pytest.mark.parametrize(
    "flags",
    [
        ["--seeds=2", "--members=shared"],
        ["--coordinator=127.0.0.1:9999", "--process_count=2", "--process_id=0"],
    ],
)
def test_several_processes_are_told_to_mount_the_store(call, flags):
    code, _, error = call("--experiment=jena_lstm", "--data=sample", "--workdir=gs://bucket/runs/x", *flags)
    assert code == 2
    assert "mount the store" in error
