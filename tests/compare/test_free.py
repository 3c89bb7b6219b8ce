"""Keras's own runs of the rows: repeatable, kept, resumed, and found by the report."""

import json

import numpy as np
import pytest

keras_lecture = pytest.importorskip("keras_lecture", reason="keras is not installed", exc_type=ImportError)
from keras_rows import SMALL, knobs, load  # noqa: E402
from seqjax.compare import __main__ as command  # noqa: E402
from seqjax.compare import free  # noqa: E402
from seqjax.compare.mirror import mirror  # noqa: E402
from seqjax.errors import UserError  # noqa: E402
from seqjax.report import runs, table  # noqa: E402


@pytest.fixture
def free_run(monkeypatch, tmp_path):
    source = type(knobs("jena_dense", [])[0]().source)
    monkeypatch.setattr(source, "load", lambda self, data, data_dir: load(self))

    def run(*settings, seeds=(0,)):
        said = []
        function, options = knobs("jena_dense", [*SMALL, "delay=10", "epochs=2", "units=2", *settings])
        with keras_lecture.allowed():
            found = free.run(
                "jena_dense", function, options, "real", tmp_path, seeds, tmp_path / "k/d.json", said.append
            )
        return found, said

    return run


@pytest.mark.slow
def test_free_runs_differ_by_seed_repeat_themselves_and_resume(free_run, tmp_path):
    first, said = free_run(seeds=[1])
    assert len(said) == 2
    both, said = free_run(seeds=[0, 1])
    assert sum("finished already" in line for line in said) == 1
    assert [row["seed"] for row in both["seeds"]] == [0, 1]
    assert both["seeds"][1] == first["seeds"][0]
    assert both["seeds"][0]["test"] != both["seeds"][1]["test"]
    assert json.loads((tmp_path / "k/d.json").read_text())["seeds"] == both["seeds"]
    row = both["seeds"][0]
    assert set(row["test"]) == {"loss", "mae"}
    best = min(row["history"], key=lambda epoch: epoch["validation"]["loss"])
    assert (row["best_epoch"], row["validation"]) == (best["epoch"], best["validation"])
    assert row["parameters"] == 8 * 14 * 2 + 2 + 3
    (tmp_path / "k/d.json").unlink()
    again, _ = free_run(seeds=[1])
    assert again["seeds"][0]["test"] == pytest.approx(first["seeds"][0]["test"], rel=1e-6)
    with pytest.raises(UserError, match=r"is of options=.* choose another"):
        free_run("units=3")
    older = json.loads((tmp_path / "k/d.json").read_text())
    del older["options"]["purge"]
    (tmp_path / "k/d.json").write_text(json.dumps(older))
    assert free_run(seeds=[1])[0]["seeds"] == older["seeds"]
    (tmp_path / "k/d.json").write_text("[]")
    with pytest.raises(UserError, match="is no result of a comparison"):
        free_run()


@pytest.mark.parametrize(("flags", "folder"), [([], "runs"), (["--output=k.json"], "DIR, a folder above that file")])
def test_free_scores_are_followed_by_the_command_that_shows_ours_beside(monkeypatch, capsys, flags, folder):
    row = {"seed": 0, "test": {"mae": 2.5}, "best_epoch": 7}
    monkeypatch.setattr(free, "run", lambda *arguments: {"seeds": [row]})
    command.FLAGS.unparse_flags()
    assert command.main(command.FLAGS(["compare", "--experiment=jena_dense", "--free", *flags])[1:]) == 0
    scores, _, last = capsys.readouterr().out.splitlines()
    assert scores == "keras jena_dense, seed 0: test mae 2.5000, best epoch 7"
    assert f"python -m seqjax.report --runs={folder}" in last


def test_an_epoch_feeds_every_example_once_in_a_new_order():
    function, options = knobs("jena_dense", [*SMALL, "delay=10", "units=2"])
    experiment = function(**options)
    dataset = load(experiment.source)
    with keras_lecture.allowed():
        found = mirror(experiment, options, dataset.example())
    fed = free.feeder(found, dataset, "train", 64)
    fed.shuffle(3, 1)
    targets = lambda: np.concatenate([fed[k][1] for k in range(len(fed))])
    first = targets()
    fed.shuffle(3, 2)
    second = targets()
    expected = dataset.gather(dataset.arrays, dataset.parts["train"])[1]
    np.testing.assert_array_equal(np.sort(first), np.sort(expected))
    np.testing.assert_array_equal(np.sort(second), np.sort(expected))
    assert not np.array_equal(first, second)
    plain = free.feeder(found, dataset, "train", 64)
    np.testing.assert_array_equal(plain[1][1], expected[64:128])


def test_initial_values_that_keras_has_not_are_refused(tmp_path):
    function, options = knobs("jena_recurrent", ["initializer=torch", "layers=2"])
    with pytest.raises(UserError, match="initializer=torch has no counterpart"):
        free.run("jena_recurrent", function, options, "real", tmp_path, [0], tmp_path / "k.json")


def test_the_report_finds_what_is_written(free_run, tmp_path):
    free_run(seeds=[0])
    found = runs.find(tmp_path)
    assert (len(found.runs), [entry["experiment"] for entry in found.keras]) == (0, ["jena_dense"])
    assert table.rows(runs.group(found.runs), found.keras) == []
