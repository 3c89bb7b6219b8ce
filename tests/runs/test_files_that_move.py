"""A run's data are known by what is in them: their file may lie elsewhere, but not hold something else."""

import json

import numpy as np
import pytest

from seqjax.errors import UserError
from tiny_runs import evaluate, folder, train


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savetxt(tmp_path / "a.txt", np.random.default_rng(1).normal(size=96))
    return folder(tmp_path)


def test_a_file_that_has_moved_is_the_same_run(here):
    first = train(here / "run", "file=a.txt", "epochs=1")
    config = (here / "run" / "config.json").read_bytes()
    (here / "a.txt").rename(here / "b.txt")
    with pytest.raises(UserError, match=r"file=a\.txt is neither here .*; if it has moved: --set=file=PATH"):
        evaluate(here / "run")
    assert evaluate(here / "run", "file=b.txt")["test"] == first["test"]
    assert train(here / "run", "file=b.txt", "epochs=1")["test"] == first["test"]
    assert (here / "run" / "config.json").read_bytes() == config
    train(here / "run", "file=b.txt", "epochs=2")
    assert json.loads((here / "run" / "config.json").read_text())["options"]["file"] == "a.txt"


def test_a_file_that_has_grown_or_changed_is_refused(here):
    train(here / "run", "file=a.txt", "epochs=1")
    numbers = np.loadtxt(here / "a.txt")
    np.savetxt(here / "a.txt", np.append(numbers, np.zeros(1200)))
    grown = r"the data have grown by 1,200 rows: 96 then, 1,296 now\); choose another --workdir to start anew"
    for again in (lambda: train(here / "run", "file=a.txt", "epochs=1"), lambda: evaluate(here / "run")):
        with pytest.raises(UserError, match=grown):
            again()
    np.savetxt(here / "a.txt", -numbers)
    other = r"holds a run with data=a\.txt: 96 rows, not these with another content; choose"
    with pytest.raises(UserError, match=other) as caught:
        train(here / "run", "file=a.txt", "epochs=1")
    assert "have grown" not in str(caught.value)
