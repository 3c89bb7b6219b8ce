"""A run in a folder whose every call takes its time, as one that other machines share."""

import json
import os
import subprocess
import sys

import pytest

from places import ROOT
from tiny_experiment import TINY

SLOW = """
import os, random, time

def slowly(function):
    def called(*arguments, **options):
        time.sleep(random.uniform(0, 0.04))
        return function(*arguments, **options)
    return called

if os.environ.get("SLOW"):
    for name in ("fsync", "replace", "rename", "unlink", "mkdir", "rmdir", "listdir", "scandir"):
        setattr(os, name, slowly(getattr(os, name)))
"""


@pytest.mark.slow
def test_a_slow_folder_changes_no_bit(tmp_path):
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments/tiny.py").write_text(TINY)
    (tmp_path / "sitecustomize.py").write_text(SLOW)
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"}
    command = [sys.executable, "-m", "seqjax.main", "--experiment=tiny", "--notune", "--checkpoint_seconds=0"]
    found = []
    for slow in ("", "1"):
        folder = tmp_path / f"run{slow}"
        done = subprocess.run(
            [*command, f"--workdir={folder}"],
            cwd=tmp_path, env=environment | {"SLOW": slow}, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
        found.append([(row["train"], row["validation"]) for row in rows])
        found.append(json.loads((folder / "results.json").read_text())["test"])
    assert found[:2] == found[2:]
