"""What a notebook shows of a run, and that a real one runs: in a kernel, its event loop, and threads."""

import re
import signal
import threading
import types
from xml.etree import ElementTree

import pytest

from seqjax import notebook
from seqjax.errors import RunStoppedError
from seqjax.training.interrupt import Interrupt

ROWS = [
    {"epoch": k + 1, "train": {"loss": 3.0 - k}, "validation": {"loss": [2.0, 1.0, 1.5][k], "mae": 1.0}}
    for k in range(3)
]


def finished():
    """What `of_run` reads of a `seqjax.Run`."""
    options, defaults = {"units": 4, "epochs": 3}, {"units": 32, "epochs": 3}
    results = {"best_epoch": 2, "parameters": 1234, "validation": {"mae": 1.0}, "test": {"mae": 2.345678}}
    config = {"experiment": "jena_lstm", "options": options, "defaults": defaults}
    return types.SimpleNamespace(path="runs/<b>", config=config, epochs=ROWS, results=results)


def test_a_run_is_a_small_table_and_a_curve_without_scripts():
    found = notebook.of_run(finished())
    assert "<script" not in found
    assert "runs/&lt;b&gt;" in found, "nothing of a run is HTML of its own"
    assert "<td>units=4</td>" in found
    assert "<td>mae 2.346</td>" in found
    assert "<td>1,234</td>" in found
    drawn = ElementTree.fromstring(re.search(r"<svg.*</svg>", found)[0].replace("&#160;", " "))
    train, validation = (line.get("points").split() for line in drawn.iter("polyline"))
    height = lambda place: float(place.split(",")[1])
    assert height(train[0]) < height(train[1]) < height(train[2]), "a loss that falls goes down"
    assert max(map(height, validation)) == height(validation[1]) == height(train[2])
    marked = [circle for circle in drawn.iter("circle") if circle.get("r") == "6"]
    assert [float(circle.get("cx")) for circle in marked] == [float(validation[1].split(",")[0])]
    assert notebook.curve([]) == ""
    assert "nan" not in notebook.curve([{"train": {"loss": float("nan")}, "validation": {"loss": 1.0}}])


def test_a_bar_counts_what_is_done_and_lines_are_printed_but_those_of_epochs(capsys):
    cell = notebook.Cell("jena_lstm")
    for row in ROWS:
        cell.row(row)
    cell._total = 100
    cell.update(40, "epoch 2/3", {"loss": 0.5})
    assert 'value="40" max="100"' in cell._repr_html_()
    assert repr(cell) == "jena_lstm: 40 of 100 examples  epoch 2/3  loss 0.5"
    cell.line("epoch 1/3  loss 1")
    cell.line("resuming at step 3 of 9")
    assert capsys.readouterr().out == "resuming at step 3 of 9\n"
    assert not notebook.is_there()


def test_in_another_thread_no_signal_is_noted_and_none_is_left_behind():
    before = signal.getsignal(signal.SIGINT)
    wrong = []

    def enter():
        try:
            with Interrupt() as interrupt:
                assert interrupt.signal is None
        except BaseException as error:
            wrong.append(error)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert not wrong
    assert signal.getsignal(signal.SIGINT) is before
    stopped = notebook.StoppedError("stopped", 130)
    assert isinstance(stopped, RunStoppedError)
    assert stopped._render_traceback_() == ["StoppedError: stopped"]


CELLS = [
    "import seqjax\n"
    "knobs = dict(data='sample', units=4, sequence_length=24, epochs=3)\n"
    "run = seqjax.train('jena_lstm', workdir='first', **knobs)\n"
    "run",
    "seqjax.load('first')",
    # interrupted as the stop button does, then the same call
    "import os, signal\n"
    "rows = []\n"
    "def stop(row):\n"
    "    rows.append(row)\n"
    "    if len(rows) == 1:\n"
    "        os.kill(os.getpid(), signal.SIGINT)\n"
    "seqjax.train('jena_lstm', workdir='second', on_epoch=stop, **knobs)",
    "run = seqjax.train('jena_lstm', workdir='second', on_epoch=stop, **knobs)\n"
    "assert [row['epoch'] for row in rows] == [1, 2, 3]\n"
    "print(run)",
    # inside the event loop, and in a thread of it
    "import asyncio\n"
    "async def both():\n"
    "    here = seqjax.train('jena_lstm', workdir='third', **knobs)\n"
    "    there = await asyncio.to_thread(seqjax.train, 'jena_lstm', workdir='fourth', **knobs)\n"
    "    return here.results['test'] == there.results['test']\n"
    "assert await both()",
    "from seqjax.estimators import SeriesClassifier\n"
    "import numpy as np\n"
    "X = np.random.default_rng(0).normal(size=(30, 8, 1))\n"
    "SeriesClassifier(units=4, epochs=3, random_state=0).fit(X, X.sum((1, 2)) > 0)",
]


@pytest.mark.slow
def test_a_real_notebook(tmp_path):
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    cells = [nbformat.v4.new_code_cell(cell) for cell in CELLS]
    cells[2].metadata["tags"] = ["raises-exception"]
    book = nbformat.v4.new_notebook(cells=cells)
    resources = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(book, timeout=600, kernel_name="python3", resources=resources).execute()
    shown = [[output.get("data", {}).get("text/html", "") for output in cell.outputs] for cell in cells]
    bar, table = [text for text in shown[0] if text]
    assert re.search(r'<progress value="(\d+)" max="\1"', bar), "the bar is at its end"
    assert bar.count("<circle") == 6, "three epochs of two curves"
    assert "<td>jena_lstm</td>" in table
    assert any("<svg" in text for text in shown[1])
    printed = "".join(output.get("text", "") for output in cells[0].outputs)
    assert "epoch 1/3" not in printed
    (error,) = [output for output in cells[2].outputs if output.output_type == "error"]
    assert error.ename == "StoppedError"
    assert "stopped by SIGINT and saved at step" in error.evalue
    assert error.evalue.endswith("the same call of seqjax.train goes on")
    assert len(error.traceback) == 1
    assert "'second': jena_lstm, finished" in "".join(output.get("text", "") for output in cells[3].outputs)
    assert not any(output.output_type == "error" for cell in cells[3:] for output in cell.outputs)
    assert not any("<script" in text for each in shown[:5] for text in each)
