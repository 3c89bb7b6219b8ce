"""The benchmark of classifiers of series: the peers that are installed, on the same split."""

import importlib.util
import json

import numpy as np
import pytest

from benchmark_calls import call
from seqjax import experiment as experiments
from seqjax.benchmark import series
from seqjax.data.dataset import Dataset
from seqjax.data.series.labelled_series import LabelledSeries

__all__ = ["call"]


def rising(count=60, steps=12):
    """Series that rise or fall, equally long."""
    rng = np.random.default_rng(0)
    labels = np.arange(count) % 2
    slopes = np.linspace(-1, 1, steps)[None] * (2 * labels - 1)[:, None]
    arrays = {"values": (slopes + rng.normal(0, 0.3, (count, steps)))[:, :, None].astype(np.float32)}
    arrays["labels"] = labels.astype(np.float32)
    gather = lambda arrays, ids: (arrays["values"][ids], arrays["labels"][ids])
    ids = np.arange(count, dtype=np.int32)
    parts = {"train": ids[:30], "validation": ids[30:40], "test": ids[40:]}
    return Dataset(arrays, gather, parts, "rising", "f00d", classes=("down", "up"))


@pytest.mark.slow  # numba compiles for minutes
def test_peers_learn_from_the_whole_training_file():
    peers = [peer for peer, packages in series.PEERS.items() if all(map(importlib.util.find_spec, packages))]
    for peer in peers:
        row = series._peer("forda", peer, "sample", rising(), 0)
        assert set(row) == set(series.Row.__annotations__)
        assert row["learned_from"] == 40
        assert row["accuracy"] >= 0.9
        assert row["predict_seconds"] >= 0


def test_ours_is_the_row_of_the_table(call, monkeypatch, tmp_path):
    output, found = tmp_path / "rows.json", {"test": {"accuracy": 0.95}}
    monkeypatch.setattr("seqjax.runtime.tune", dict)
    monkeypatch.setattr("seqjax.runs.commands.train", lambda name, workdir, **_: found)
    arguments = ("--series=forda", "--data=sample", f"--output={output}")
    monkeypatch.setattr(LabelledSeries, "load", lambda *_: rising())
    code, out, err = call(*arguments, "--peers=", "--seeds=2")
    assert code == 0, err
    rows = json.loads(output.read_text())
    assert [(row["implementation"], row["seed"], row["accuracy"]) for row in rows] == [
        ("seqjax", k, 0.95) for k in (0, 1)
    ]
    assert out.splitlines()[-1].split()[:4] == ["forda", "seqjax", "1", "0.9500"]
    ragged = rising()
    ragged.arrays["starts"] = np.arange(61)
    monkeypatch.setattr(LabelledSeries, "load", lambda *_: ragged)
    code, _, err = call(*arguments)
    assert (code, "its series are of unlike length" in err) == (2, True)
    assert call("--series=fordb")[0] == 2
    assert call("--series=forda", "--seeds=0")[0] == 2


def test_the_kinds_are_rows():
    for kind in series.KINDS.values():
        assert kind.experiment in experiments.names()
        assert 0 < kind.window < 1
