"""`seqjax.load` and `seqjax.train` give what the commands print, as values."""

import csv
import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import seqjax
from command_calls import SMALL, call, write_weather
from seqjax import interface
from seqjax.runs.examples import as_text

__all__ = ["call"]
KNOBS = {"units": 4, "sequence_length": 24, "epochs": 3}


@pytest.fixture(autouse=True)
def _nothing_is_set(monkeypatch):
    monkeypatch.setattr(interface, "settle", dict)  # not in the tests' process


def test_importing_it_imports_little():
    said = "import sys, seqjax; seqjax.UserError; print({'jax', 'numpy', 'tensorflow', 'absl'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", said], capture_output=True, text=True).stdout == "set()\n"
    assert {"load", "train", "Run"} <= set(dir(seqjax))
    with pytest.raises(AttributeError, match="no attribute 'lod'"):
        seqjax.lod  # noqa: B018


def test_a_run_is_the_commands(call, tmp_path):
    """Trained, predicted, evaluated and streamed."""
    rows = []
    run = seqjax.train("jena_lstm", data="sample", workdir="mine", on_epoch=rows.append, **KNOBS)
    assert rows == run.epochs
    assert len(rows) == 3
    assert run.results is not None
    code, said, error = call(*SMALL, "--workdir=mine")
    assert code == 0, error
    assert "mine is finished already" in said, "the same knobs are the same run"
    assert f"test mae {run.results['test']['mae']:.3f}"[:-1] in said
    assert run.params["layer"]["cell"]["kernel"].shape == (14, 16)
    assert run.model.layer.units == 4
    assert repr(run) == "seqjax.Run('mine': jena_lstm, finished)"
    assert (run._repr_png_() or b"").startswith(b"\x89PNG")
    assert run.evaluate()["test"]["mae"] == pytest.approx(run.results["test"]["mae"], rel=1e-6)

    weather = tmp_path / "weather.csv"
    write_weather(weather, 200)
    found = run.predict(weather)
    code, printed, error = call("--mode=predict", "--workdir=mine", f"--input={weather}")
    assert code == 0, error
    assert [found.header, *found.lines] == printed.splitlines()[-len(found.lines) - 1 :]
    assert found.outputs.shape == (len(found.lines),)
    names, *cells = csv.reader(io.StringIO(weather.read_text()))
    again = run.predict(dict(zip(names, zip(*cells, strict=True), strict=True)))
    assert again.lines == found.lines
    table = found.table()
    assert list(table) == found.header.split(",")
    last = list(table.values())[-1]
    np.testing.assert_allclose(last, found.outputs, atol=0.01)

    live = run.stream()
    lines = [line for row in [names, *cells] for line in live.step(row)] + live.end()
    assert lines == found.lines
    first = run.stream()
    before = [line for row in [names, *cells[:150]] for line in first.step(row)]
    first.save("state")
    second = run.stream()
    assert second.restore("state")
    assert before + [line for row in cells[150:] for line in second.step(row)] == lines


def test_texts_and_what_pandas_holds(call, tmp_path):
    pandas = pytest.importorskip("pandas")
    run = seqjax.train("imdb_unigram", data="sample", workdir="run", epochs=1)
    found = run.predict(["A wonderful film,\nI loved it.", "Dull."])
    assert found.outputs.shape == (2,)
    one = run.predict(["A wonderful film, I loved it."])
    np.testing.assert_allclose(one.outputs, found.outputs[:1], rtol=1e-6)
    with pytest.raises(seqjax.UserError, match="must be texts, a table or a file's path, not float"):
        run.predict([1.0])
    with pytest.raises(seqjax.UserError, match="must be texts, a table or a file's path, not NoneType"):
        run.predict(None)
    with pytest.raises(seqjax.UserError, match=r"columns are of different lengths: \{'a': 2, 'b': 1\}"):
        run.predict({"a": [1, 2], "b": [3]})
    with pytest.raises(seqjax.UserError, match=r"'A film\.' cannot be read as a file: .*; give texts as a list"):
        run.predict("A film.")
    with pytest.raises(seqjax.UserError, match="--beam is for runs that translate"):
        run.predict(["A film."], beam=5)
    frame = pandas.DataFrame({"text": ["good", None, 'so "so", they say'], "n": [1.5, float("nan"), 2]})
    columns = {name: list(frame[name]) for name in frame}
    assert as_text(frame)[0].read() == as_text(columns)[0].read()
    column = pandas.Series(["A wonderful film, I loved it."], name="text")
    np.testing.assert_array_equal(run.predict(column).outputs, one.outputs)
    with pytest.raises(seqjax.UserError, match="have no header"):
        found.frame()
    dated = pandas.DataFrame({"v": [1.0, 2.0]}, pandas.date_range("2024", periods=2))
    assert as_text(dated)[0].read().splitlines() == ["date,v", "2024-01-01,1.0", "2024-01-02,2.0"]
    assert "<pre>" in found._repr_html_()


def test_what_is_wrong_is_said_as_by_the_commands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for wrong, message in (
        (lambda: seqjax.load("nowhere"), "workdir nowhere holds no run"),
        (lambda: seqjax.train("jena_lstn"), "there is no experiment 'jena_lstn'"),
        (lambda: seqjax.train("jena_lstm", data="sample", unit=3), "there is no knob 'unit'"),
        (lambda: seqjax.train("jena_lstm", data="sample", repair=None), "repair"),
    ):
        with pytest.raises(seqjax.UserError, match=message):
            wrong()
    assert not Path("runs").exists()
