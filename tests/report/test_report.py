"""The report's page is one page that a browser shows, and its command."""

import html.parser
import json
import subprocess
import sys

import numpy as np
import pytest
from matplotlib.image import imread

import browser
import report_runs
from report_folders import folder, grouped, make, report, report_apart
from seqjax.errors import UserError
from seqjax.report import forecasts, gallery, runs
from seqjax.report.claims import CLAIMS
from seqjax.runs import commands
from seqjax.training.program import Settings
from seqjax.training.workdir import Workdir

__all__ = ["folder"]


class Checker(html.parser.HTMLParser):
    """Every tag is closed in order; collects addresses and headings."""

    VOID = ("meta", "img", "br", "link", "hr")

    def __init__(self):
        super().__init__()
        self.open, self.addresses, self.tags = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_whole_and_needs_nothing_else(folder, tmp_path):
    report_runs.write(folder / "odd", "jena_lstm", 0, 2.3, units="<b>&")
    assert "8 finished runs, 1 unfinished" in make(folder, tmp_path / "out")
    text = (tmp_path / "out/index.html").read_text()
    checker = Checker()
    checker.feed(text)
    checker.close()
    assert checker.open == []
    assert {"title", "table", "img"} <= set(checker.tags)
    assert "script" not in checker.tags
    assert "b" not in checker.tags
    assert checker.addresses[0] == "architectures.html"
    assert all(address.startswith("data:image/svg+xml;base64,") for address in checker.addresses[1:])
    assert (tmp_path / "out/architectures.html").is_file()
    written = json.loads((tmp_path / "out/report.json").read_text())
    assert len(written["claims"]) == len(CLAIMS)
    assert [row["epochs_done"] for row in written["unfinished"]] == [3]
    markdown = (tmp_path / "out/report.md").read_text()
    assert "| jena_lstm | test mae | 2.53 | 2.450 ± 0.051 (5) | - | - | 2,001 | 6 s |" in markdown
    assert "| Finally beat the naïve forecaster. | jena_lstm better than jena_naive, test mae | **held** |" in markdown
    assert "The Jena file is not in" in markdown


def test_relations_of_vectors_are_drawn_and_what_is_not_kept_is_said(tmp_path):
    for name in ("word2vec", "imdb_glove"):
        (report_runs.write(tmp_path / "runs" / name, name, 0, 0.8, metric="accuracy") / "experiment.py").unlink()
    words = sorted(gallery.WORDS)
    lines = [f"{word} {' '.join(map(str, row))}\n" for word, row in zip(words, np.eye(100), strict=False)]
    (tmp_path / "glove.6B.100d.txt").write_text("".join(lines))
    made, notes = gallery.figures(list(grouped(tmp_path / "runs").values()), [], tmp_path)
    assert "Relations: glove.6B.100d.txt" in [figure.title for figure in made]
    picture = next(figure.svg for figure in made if figure.title.startswith("Relations"))
    assert all(f"<!-- {word} -->" in picture for word in ("queen", "madrid", "swam"))
    assert any(note.startswith("No picture of the relations of word2vec") for note in notes)


@pytest.mark.slow  # CI makes the report of real runs
def test_forecasts_of_real_runs(tmp_path):
    """A run on the generated climate, made here."""
    path = Workdir(tmp_path / "runs/jena_naive")
    commands.train("jena_naive", path, data="sample", data_dir=tmp_path, settings=Settings())
    make(tmp_path / "runs", tmp_path / "out")
    text = (tmp_path / "out/index.html").read_text()
    for title in ("Temperature in the first 10 days", "Forecasts against truth", "Error by hour of day and by season"):
        assert f"<h3>{title}</h3>" in text
    assert "generated climate (not the lecture's data)" in (tmp_path / "out/report.md").read_text()
    (naive,) = (row for row in runs.group(runs.find(tmp_path / "runs").runs) if row.experiment == "jena_naive")
    found = forecasts.of(naive, tmp_path)
    assert found.error.mean() == pytest.approx(naive.first["test"]["mae"], abs=1e-5)
    # What is forecast is what was measured a day before.
    table_, _ = forecasts.weather([naive], tmp_path)
    before = np.searchsorted(table_.times, found.times[[0, 99]] - np.timedelta64(1, "D"))
    np.testing.assert_allclose(table_.values[before, 1], found.forecast[[0, 99]], rtol=1e-6)
    (tmp_path / "runs/jena_naive/experiment.py").write_text("import nothing_of_this_name")
    with pytest.raises(UserError, match="does not run"):
        forecasts.of(naive, tmp_path)


def test_a_wrong_call_is_one_line_and_exit_code_2(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    wrong = {
        f"--runs={tmp_path}/none": "does not exist",
        f"--runs={tmp_path}/file": "is not a folder",
        f"--runs={tmp_path}/empty": "holds no run; train one first",
        "--runz=x": "runz",
        "x": "'x' is not a flag",
    }
    calls = [(report, argument) for argument in wrong] + [(report_apart, f"--runs={tmp_path}/empty")]
    for call, argument in calls:
        done = call(argument)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
        assert wrong[argument] in done.stderr


def test_help_needs_no_heavy_library():
    code = (
        "import sys, atexit\n"
        "names = ('jax', 'flax', 'tensorflow', 'numpy', 'matplotlib', 'scipy')\n"
        "atexit.register(lambda: print('LOADED', [name for name in names if name in sys.modules]))\n"
        "from seqjax.report.__main__ import run\nrun()\n"
    )
    done = subprocess.run([sys.executable, "-c", code, "--help"], capture_output=True, text=True, timeout=60)
    assert "--runs" in done.stdout
    assert "LOADED []" in done.stdout


@pytest.mark.skipif(browser.find() is None, reason="no browser found: set SEQJAX_BROWSER")
def test_a_browser_shows_the_page(folder, tmp_path):
    make(folder, tmp_path / "out")
    with browser.opened(tmp_path / "out/index.html", tmp_path / "profile") as (page, asked):
        assert page.evaluate("document.title") == "seqjax: results"
        assert page.evaluate("document.querySelectorAll('tbody tr').length") == 2 * 3 + len(CLAIMS)
        widths = page.evaluate("[...document.images].map(image => image.naturalWidth)")
        assert len(widths) >= 3
        assert all(width > 500 for width in widths)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        (tmp_path / "page.png").write_bytes(page.screenshot())
    assert {address.partition(":")[0] for address in asked} == {"file", "data"}
    picture = imread(tmp_path / "page.png")
    assert picture.shape[0] > 1000
    assert picture[..., :3].std() > 0.05
