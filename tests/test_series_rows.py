"""The rows of labelled series: from a file to its classes; predict; the data tell how many classes there are."""

import json

import numpy as np
import pytest

from command_calls import call
from seqjax import experiment as experiments

__all__ = ["call"]


def write(path, count, seed, *, label=True):
    """Series that rise or fall, of 4 to 9 steps in noise."""
    rng = np.random.default_rng(seed)
    lines = ["@classLabel true down up", "@data"] if label else []
    for k in range(count):
        slope = np.linspace(-1, 1, rng.integers(4, 10)) * (1 if k % 2 else -1)
        values = ",".join(f"{value:.3f}" for value in 10 + 3 * slope + rng.normal(0, 0.3, len(slope)))
        lines.append(values + f":{('down', 'up')[k % 2]}" * label)
    path.write_text("\n".join(lines) + "\n")


def test_from_a_file_to_its_classes(call, tmp_path):
    write(tmp_path / "a_TRAIN.ts", 60, 0)
    write(tmp_path / "a_TEST.ts", 20, 1)
    write(tmp_path / "new.csv", 6, 2, label=False)
    flags = ["--experiment=ts_gru", "--set=file=a_TRAIN.ts", "--set=test_file=a_TEST.ts", "--workdir=run"]
    small = [f"--set={knob}" for knob in ("units=8", "epochs=8", "batch_size=8", "shift=0.1", "learning_rate=0.02")]
    code, out, err = call(*flags, *small)
    assert code == 0, err
    assert "48 train, 12 validation, 20 test; 4 to 9 steps of 1 dimension; down 40, up 40" in out + err
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["test"]["accuracy"] >= 0.9
    assert set(results["test"]) > {"balanced_accuracy", "macro_f1", "auroc", "log_loss", "ece"}
    assert set(results["details"]["test"]) == {"f1_of", "confusion", "calibration"}
    told = json.loads((tmp_path / "run" / "config.json").read_text())["told"]
    assert told == {"classes": 2, "examples": 48}
    code, out, err = call("--mode=predict", "--workdir=run", "--input=new.csv")
    assert code == 0, err
    header, *lines = out.splitlines()
    assert header == "class\tdown\tup"
    assert [line.split("\t")[0] for line in lines] == ["down", "up"] * 3
    assert all(float(line.split("\t")[1]) + float(line.split("\t")[2]) == pytest.approx(1, abs=2e-4) for line in lines)
    (tmp_path / "a_TEST.ts").rename(tmp_path / "moved.ts")
    code, _, err = call("--mode=evaluate", "--workdir=run")
    assert (code, "--set=test_file=PATH" in err) == (2, True)
    code, out, err = call("--mode=evaluate", "--workdir=run", "--set=test_file=moved.ts")
    assert code == 0, err


@pytest.mark.slow
def test_class_weights_and_the_decay_are_knobs():
    function = experiments.load(experiments.find("ts_gru"))
    assert function(class_weights="balanced").source.weighted
    ford = experiments.load(experiments.find("forda_gru"))
    rates = [ford(decay=decay, examples=320, epochs=2).optimizer for decay in ("none", "cosine")]
    sizes = []
    for rate in rates:
        state, sums = rate.init(np.zeros(1)), 0.0
        for _ in range(20):  # 10 steps an epoch, twice
            step, state = rate.update(np.ones(1, np.float32) * 0.5, state, np.zeros(1))
            sums -= float(step[0])
        sizes.append(sums)
    assert sizes[1] / sizes[0] == pytest.approx(0.525, abs=0.01)  # half, and half of the first step
