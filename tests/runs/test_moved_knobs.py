"""Knobs moved one at a time: which runs are made, what their scores come to."""

import dataclasses
import json

import numpy as np
import pytest

from many_runs import SETTINGS, folder  # noqa: F401
from seqjax.errors import UserError
from seqjax.runs.moved_knobs import FAILED, LECTURE, LESS, LISTS, MORE, UNDECIDED, MovedKnobs
from seqjax.runs.together import Together


def moved(path, *moves, seeds=2):
    return MovedKnobs("tiny", ["epochs=2"], moves, seeds, path / "knobs", "sample")


def train(plan, path):
    plan.train(lambda below: Together("tiny", below, plan.options, "sample", path, SETTINGS, {}))
    return plan.effects()


@pytest.mark.slow
def test_every_value_is_trained_once_and_what_diverges_is_said(folder, capsys):  # noqa: F811
    found = train(moved(folder, "learning_rate=0.001,1e30"), folder)
    slow, wild = found.each
    assert (slow.value, set(slow.scores["validation"]), wild.verdict) == ("0.001", {0, 1}, FAILED)
    assert found.metric == "mae"
    base = found.base["validation"]
    assert slow.difference is not None
    assert slow.difference.mean == pytest.approx(sum(slow.scores["validation"][k] - base[k] for k in (0, 1)) / 2)
    assert slow.verdict == UNDECIDED, "two seeds decide nothing"
    assert "learning_rate: 2 of 4 runs failed" in capsys.readouterr().out
    results = folder / "knobs" / "learning_rate" / "learning_rate=0.001" / "seed_1" / "results.json"
    written = results.stat().st_mtime_ns
    again = train(moved(folder, "learning_rate=0.001"), folder)
    assert again.each[0].scores == slow.scores
    assert results.stat().st_mtime_ns == written, "nothing is trained twice"
    json.dumps(again.facts())


def write(path, values):
    """value -> scores by seed, of the knob outputs; the key "" is the base."""
    for value, scores in values.items():
        for seed, score in enumerate(scores):
            run = path / "knobs" / (f"outputs/outputs={value}/seed_{seed}" if value else f"base/seed_{seed}")
            run.mkdir(parents=True)
            found = {"loss": 1.0, "mae": score}
            (run / "results.json").write_text(json.dumps({"validation": found, "test": found, "options": {}}))
            options = {"outputs": int(value or 1), "learning_rate": 0.01, "epochs": 2, "seed": seed}
            (run / "config.json").write_text(json.dumps({"experiment": "tiny", "data": "sample", "options": options}))


def test_an_effect_is_judged_beside_the_seeds(folder):  # noqa: F811
    values = {
        "": [1.0, 1.1, 0.9, 1.0],
        "2": [1.5, 1.62, 1.4, 1.5],
        "3": [1.01, 1.11, 0.92, 1.0],
        "4": [1.4, 0.8, 1, 1.1],
        "5": [1.05, 1.151, 0.949, 1.05],
    }
    write(folder, values)
    found = moved(folder, "outputs=2,3,4,5", seeds=4).effects()
    assert [effect.verdict for effect in found.each] == [MORE, LESS, UNDECIDED, LESS]
    assert found.spread == pytest.approx(np.sqrt(np.mean([np.var(own, ddof=1) for own in values.values()])))
    assert found.each[0].difference is not None
    assert found.each[0].difference.mean == pytest.approx(0.505)
    other = dataclasses.replace(moved(folder, "outputs=2,3,4,5", seeds=4), options=["epochs=3"])
    with pytest.raises(UserError, match="epochs=2, not 3"):
        other.effects()


@pytest.mark.parametrize(
    ("moves", "said"),
    [
        (["outputs=1"], "outputs=1 is the base's own value"),
        (["outputs=2", "outputs=3"], "outputs is moved twice"),
        (["output=2"], "did you mean 'outputs'"),
        (["outputs"], "not of the form"),
    ],
)
def test_a_senseless_move_is_refused(folder, moves, said):  # noqa: F811
    with pytest.raises(UserError, match=said):
        moved(folder, *moves).plan()


def test_without_a_run_there_is_nothing_to_say(folder):  # noqa: F811
    with pytest.raises(UserError, match="has finished"):
        moved(folder, "outputs=2").effects()


def test_the_lectures_list_moves_each_of_its_knobs_around_its_lstm(tmp_path):
    plan = MovedKnobs("jena_recurrent", [], LECTURE, 3, tmp_path).plan()
    knobs = {"units", "layers", "dropout", "recurrent_dropout", "dense_layers", "sequence_length", "optimizer"}
    assert set(plan) == knobs | {"base", "learning_rate"}


def test_every_list_moves_knobs_of_its_row(tmp_path):
    for name, moves in LISTS.items():
        around = ["cell=simple_rnn"] if name == "remedies" else []
        plan = MovedKnobs("jena_recurrent", around, moves, 5, tmp_path).plan()
        assert set(plan) == {"base", *(move.partition("=")[0] for move in moves)}
