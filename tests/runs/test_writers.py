"""Metrics to TensorBoard and Weights & Biases: what their own readers find is what metrics.jsonl holds."""

import glob
import time
from pathlib import Path

import pytest

from seqjax.errors import UserError
from seqjax.runs import writers

ROWS = [
    {
        "epoch": k + 1,
        "step": 10 * (k + 1),
        "train": {"loss": 1 / (k + 1)},
        "validation": {"loss": 2.0, "mae": k},
        "seconds": 1.5,
    }
    for k in range(3)
]


def folder(path):
    path.mkdir()
    (path / "config.json").write_text('{"experiment": "jena_lstm"}')
    return path


def test_scalars():
    found = dict(writers.scalars(ROWS[1]))
    assert found == {"train/loss": 0.5, "validation/loss": 2.0, "validation/mae": 1, "seconds": 1.5}


@pytest.mark.parametrize(("names", "said"), [(["tensorbord"], "choose of tensorboard, wandb"), (["absent"], "choose")])
def test_unknown_writer(names, said, tmp_path):
    with pytest.raises(UserError, match=said), writers.opened(tmp_path, names):
        pass


def test_missing_package_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(writers.importlib.util, "find_spec", lambda name: None)
    with (
        pytest.raises(UserError, match=r"needs wandb: pip install 'seqjax\[wandb\]'"),
        writers.opened(tmp_path, ["wandb"]),
    ):
        pass


def test_tensorboard_of_a_resumed_run(tmp_path):
    pytest.importorskip("tensorboardX")
    from tensorboardX.proto.event_pb2 import Event

    path = folder(tmp_path / "run")
    with writers.opened(path, ["tensorboard"]) as workdir:
        workdir.append_row(ROWS[0])
    with writers.opened(path, ["tensorboard"]) as workdir:  # resumed
        workdir.append_row(ROWS[1])
        workdir.append_row(ROWS[2])
        workdir.write_results({"test": {"mae": 7.0}})
    found = {}
    for file in sorted(glob.glob(f"{path}/tensorboard/*")):
        data = Path(file).read_bytes()
        while data:  # length, its checksum, event, its checksum
            size = int.from_bytes(data[:8], "little")
            event = Event.FromString(data[12 : 12 + size])
            data = data[16 + size :]
            found |= {(value.tag, event.step): value.simple_value for value in event.summary.value}
    wanted = {(name, row["step"]): value for row in ROWS for name, value in writers.scalars(row)} | {
        ("test/mae", 30): 7.0
    }
    assert found == pytest.approx(wanted)


@pytest.mark.slow
def test_wandb_offline(monkeypatch, tmp_path):
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    path = folder(tmp_path / "run")
    with writers.opened(path, ["wandb"]) as workdir:
        for row in ROWS:
            workdir.append_row(row)
    (file,) = glob.glob(f"{path}/wandb/offline-run-*/run-*.wandb")
    data = Path(file).read_bytes()
    assert b"validation/mae" in data
    time.sleep(1.1)  # their folders are named by the second
    with writers.opened(path, ["wandb"]) as workdir:  # resumed: the same run there too
        workdir.append_row({**ROWS[2], "step": 40})
    names = {Path(name).stem for name in glob.glob(f"{path}/wandb/offline-run-*/run-*.wandb")}
    assert names == {f"run-{(path / 'wandb' / 'id').read_text()}"}
    assert len(glob.glob(f"{path}/wandb/offline-run-*")) == 2
