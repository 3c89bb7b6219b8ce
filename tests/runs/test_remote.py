"""A run's folder in an object store: a store in memory behind gs://."""

import re
import signal
import time
from pathlib import Path

import pytest

from command_calls import call
from seqjax.errors import UserError
from seqjax.runs import remote

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
