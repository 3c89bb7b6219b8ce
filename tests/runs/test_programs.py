"""seqjax.runs.programs: a second start compiles nothing, with the same bits; and nothing about it can stop a run."""

import os
import subprocess
import sys
import time

import pytest

from places import ROOT
from seqjax import folders, runtime
from seqjax.runs import programs
from seqjax.runs.programs import keep_programs, prune

WORK = """
import hashlib, sys
from seqjax.runs.programs import keep_programs
keep_programs()
import jax, numpy as np
hits = []
jax.monitoring.register_event_listener(lambda name, **_: hits.append(name) if name.endswith("cache_hits") else None)
from seqjax.layers.recurrent import LSTM
model, x = LSTM(24), np.random.default_rng(0).normal(size=(32, 20, 14)).astype(np.float32)
params = jax.jit(model.init)(jax.random.key(0), x)
gradient = jax.jit(jax.grad(lambda params, x: (model.apply(params, x) ** 2).sum()))(params, x)
leaves = jax.tree.leaves((params, gradient))
print(hashlib.sha256(b"".join(np.asarray(leaf).tobytes() for leaf in leaves)).hexdigest(), len(hits))
"""


@pytest.fixture
def work(tmp_path, monkeypatch):
    """Runs WORK in a process of its own with an empty cache folder: (digest of its results, programs not compiled)."""
    native = folders.cache_dir() / "native"
    (tmp_path / "seqjax").mkdir()
    if native.is_dir():  # compiled once is enough
        (tmp_path / "seqjax" / "native").symlink_to(native)

    def run(**changed):
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(tmp_path), **changed}
        environment["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
        environment.pop("JAX_COMPILATION_CACHE_DIR", None)
        command = [sys.executable, "-W", "default", "-c", WORK]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=120)
        assert (done.returncode, done.stderr) == (0, "")
        digest, hits = done.stdout.split()
        return digest, int(hits)

    return run


def entries(tmp_path):
    return sorted(tmp_path.glob("seqjax/programs/*/*-cache"))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="kept on Linux alone")
def test_kept_programs_compute_the_same_bits_and_damaged_ones_are_compiled_again(work, tmp_path):
    compiled = work(JAX_ENABLE_COMPILATION_CACHE="false")
    assert compiled[1] == 0
    assert entries(tmp_path) == []
    assert work() == compiled
    kept = entries(tmp_path)
    assert len(kept) >= 2
    again = work()
    assert again[0] == compiled[0]
    assert again[1] >= len(kept)
    for file in kept:
        os.truncate(file, file.stat().st_size // 2)
    assert work() == compiled


@pytest.fixture
def before_jax(monkeypatch, tmp_path):
    """As if JAX were not imported yet, with an empty cache folder and nothing said in the environment."""
    monkeypatch.delitem(sys.modules, "jax")
    for name in [name for name in os.environ if name.startswith("JAX_") and "CACHE" in name]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(os, "environ", dict(os.environ))
    os.environ["XDG_CACHE_HOME"] = str(tmp_path)
    monkeypatch.setattr(sys, "platform", "linux")
    return monkeypatch


def test_they_are_kept_in_the_cache_folder_apart_for_each_kind_of_processor(before_jax, tmp_path):
    keep_programs()
    (folder,) = (tmp_path / "seqjax" / "programs").iterdir()
    assert os.environ["JAX_COMPILATION_CACHE_DIR"] == str(folder)
    del os.environ["JAX_COMPILATION_CACHE_DIR"]
    before_jax.setattr(runtime, "processor", lambda: "another")
    keep_programs()
    assert len(list((tmp_path / "seqjax" / "programs").iterdir())) == 2


@pytest.mark.parametrize(
    ("name", "value"), [("JAX_COMPILATION_CACHE_DIR", "/somewhere"), ("JAX_ENABLE_COMPILATION_CACHE", "0")]
)
def test_the_users_own_choice_stands(before_jax, tmp_path, name, value):
    os.environ[name] = value
    before = dict(os.environ)
    keep_programs()
    assert os.environ == before
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("wrong", ["a file in its place", "no home", "another system", "after jax"])
def test_where_it_cannot_be_nothing_is_kept_and_nothing_said(before_jax, tmp_path, capsys, wrong):
    if wrong == "a file in its place":
        (tmp_path / "seqjax").write_text("")
    elif wrong == "no home":
        os.environ["XDG_CACHE_HOME"] = ""
        before_jax.setattr(programs.folders.Path, "expanduser", lambda _: (_ for _ in ()).throw(RuntimeError()))
    elif wrong == "another system":
        before_jax.setattr(sys, "platform", "darwin")
    else:
        before_jax.setitem(sys.modules, "jax", None)
    keep_programs()
    assert "JAX_COMPILATION_CACHE_DIR" not in os.environ
    assert capsys.readouterr() == ("", "")


def test_the_oldest_go_when_there_are_too_many(tmp_path):
    now = time.time()
    for age in range(5):
        (tmp_path / f"{age}-cache").write_bytes(b"x" * 100)
        os.utime(tmp_path / f"{age}-cache", (now - age, now - age))
    (tmp_path / "folder").mkdir()
    prune(tmp_path, 500)
    assert len(list(tmp_path.iterdir())) == 6
    prune(tmp_path, 250)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0-cache", "1-cache", "folder"]
