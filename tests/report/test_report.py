"""The report: which runs it finds, what it says of them, and that its page is one page that a browser shows."""

import html.parser
import json
import subprocess
import sys

import numpy as np
import pytest
from matplotlib.image import imread

import browser
import report_runs
from seqjax.errors import UserError
from seqjax.report import comparisons, forecasts, gallery, runs, table, verdicts
from seqjax.report.claims import CLAIMS, Claim
from seqjax.runs import commands, curves, statistics
from seqjax.training.program import Settings
from seqjax.training.workdir import Workdir

BEATS = Claim("Finally beat the naïve forecaster.", "jena_lstm", "jena_naive", "mae")


def row(epoch, loss):
    values = {"loss": loss, "mae": loss / 2}
    return {"epoch": epoch, "train": values, "validation": {"loss": loss + 1, "mae": loss}}


def test_curves_are_drawn(tmp_path):
    curves.draw([row(1, 3.0), row(2, 2.0), row(3, 2.5)], 2, "mae", tmp_path / "curves.png")
    curves.draw([], 0, "mae", tmp_path / "empty.png")
    drawn, empty = imread(tmp_path / "curves.png"), imread(tmp_path / "empty.png")
    assert drawn.shape[0] > 300
    assert np.mean(drawn[..., :3].min(axis=-1) < 0.9) > np.mean(empty[..., :3].min(axis=-1) < 0.9)


@pytest.fixture
def folder(tmp_path):
    """Five seeds of the LSTM, two of them below one folder; naive; a row with a knob; one that is not finished."""
    root = tmp_path / "runs"
    for seed, test in enumerate([2.4, 2.5, 2.45]):
        report_runs.write(root / f"lstm_{seed}", "jena_lstm", seed, test)
    for seed, test in enumerate([2.42, 2.48], start=3):
        report_runs.write(root / f"lstm_more/seed_{seed}", "jena_lstm", seed, test)
    (root / "lstm_more/results.json").write_text('{"test": {"mae": 1.0}, "seeds": [3, 4]}')
    (root / "lstm_more/config.json").write_text('{"experiment": "jena_lstm", "options": {}, "data": "real"}')
    report_runs.write(root / "naive", "jena_naive", 0, 2.62)
    report_runs.write(root / "wide", "jena_lstm", 0, 2.3, units=32)
    (report_runs.write(root / "begun", "jena_dense", 0, 9.9) / "results.json").unlink()
    return root


def grouped(root):
    return {found.label: found for found in runs.group(runs.find(root).runs)}


# Runs and rows


def test_seeds_are_one_row_and_knobs_another(folder):
    groups = grouped(folder)
    assert set(groups) == {"jena_lstm", "jena_lstm units=32", "jena_naive epochs=0"}
    assert [run.seed for run in groups["jena_lstm"].runs] == [0, 1, 2, 3, 4]
    assert groups["jena_naive epochs=0"].deterministic


def test_a_seed_counts_once_and_sample_and_other_data_are_rows_of_their_own(folder, caplog):
    report_runs.write(folder / "lstm_0_again", "jena_lstm", 0, 99.0)
    report_runs.write(folder / "sample", "jena_lstm", 0, 3.3, data="sample")
    other = report_runs.write(folder / "ten_minutes", "jena_naive", 0, 2.6)
    config = json.loads((other / "config.json").read_text()) | {"fingerprint": "abcdef99"}
    (other / "config.json").write_text(json.dumps(config))
    groups = grouped(folder)
    assert "lstm_0_again repeats" in caplog.text
    assert [run.results["test"]["mae"] for run in groups["jena_lstm"].runs] == [2.4, 2.5, 2.45, 2.42, 2.48]
    assert {"jena_lstm [sample]", "jena_naive epochs=0 (data f00d)", "jena_naive epochs=0 (data abcdef)"} < set(groups)


def test_a_knob_that_came_later_parts_no_row_from_its_older_runs_and_keras(folder, monkeypatch):
    (folder / "experiments").mkdir()
    monkeypatch.chdir(folder)
    later = report_runs.EXPERIMENT.replace("seed: int", "purge: bool = False, seed: int")
    (folder / "experiments" / "jena_lstm.py").write_text(later)
    for name, seed, purge in (("new", 5, False), ("purged", 0, True)):
        new = report_runs.write(folder / name, "jena_lstm", seed, 2.44, purge=purge)
        (new / "experiment.py").write_text(later)
    report_runs.keras(folder / "keras.json", "jena_lstm", [2.5])
    report_runs.keras(folder / "keras_purged.json", "jena_lstm", [2.7], purge=True)
    found = runs.find(folder)
    groups = {group.label: [run.seed for run in group.runs] for group in runs.group(found.runs)}
    assert groups["jena_lstm"] == [0, 1, 2, 3, 4, 5]
    assert groups["jena_lstm purge=True"] == [0]
    rows = {row["label"]: row["keras"] for row in table.rows(runs.group(found.runs), found.keras)}
    assert rows["jena_lstm"]["test"]["mean"] == 2.5
    assert rows["jena_lstm purge=True"]["test"]["mean"] == 2.7


def test_the_table_has_mean_interval_and_what_is_unfinished(folder):
    found = runs.find(folder).runs
    lstm = next(row for row in table.rows(runs.group(found), []) if row["label"] == "jena_lstm")
    values = np.array([2.4, 2.5, 2.45, 2.42, 2.48])
    assert lstm["ours"]["test"]["mean"] == pytest.approx(values.mean())
    # 2.776: Student's t, 4 degrees of freedom, 97.5 %, from any printed table
    assert lstm["ours"]["test"]["half"] == pytest.approx(2.776 * values.std(ddof=1) / np.sqrt(5), rel=1e-3)
    assert table.cells(lstm)[0] == ["jena_lstm", "test mae", "2.53", "2.450 ± 0.051 (5)", "-", "2,001", "6 s"]
    assert [table.progress(row) for row in table.unfinished(found)] == [
        f"{folder / 'begun'} (jena_dense, seed 0): 3 of 10 epochs"
    ]


@pytest.mark.parametrize(
    ("value", "half", "said"),
    [(0.8695, None, "86.95 % (1)"), (0.8695, 0.0031, "86.95 ± 0.31 % (1)")],
)
def test_accuracies_are_percentages(value, half, said):
    assert table.score({"mean": value, "half": half, "count": 1}, "accuracy") == said


def test_damaged_files_are_left_out_with_a_warning(folder, caplog):
    (folder / "lstm_0/results.json").write_text("{")
    (folder / "lstm_1/metrics.jsonl").write_text("{\n")
    assert [run.seed for run in grouped(folder)["jena_lstm"].runs] == [2, 3, 4]
    assert "lstm_0/results.json cannot be read" in caplog.text
    assert "lstm_1/metrics.jsonl is damaged" in caplog.text


def test_keras_stands_beside_the_same_knobs(folder):
    report_runs.keras(folder / "keras.json", "jena_lstm", [2.5, 2.6, 2.7])
    report_runs.keras(folder / "keras_wide.json", "jena_lstm", [2.5], units=64)
    found = runs.find(folder)
    rows = {row["label"]: row for row in table.rows(runs.group(found.runs), found.keras)}
    assert rows["jena_lstm units=32"]["keras"] is None
    assert rows["jena_lstm"]["keras"]["test"]["mean"] == pytest.approx(2.6)
    apart = rows["jena_lstm"]["keras"]["test"]["ours_minus_keras"]
    scipy = pytest.importorskip("scipy.stats")
    peer = scipy.ttest_ind([2.4, 2.5, 2.45, 2.42, 2.48], [2.5, 2.6, 2.7], equal_var=False)
    assert (apart["test"], apart["p"]) == ("Welch's t-test", pytest.approx(peer.pvalue))
    assert (apart["low"], apart["high"]) == pytest.approx(tuple(peer.confidence_interval()))
    assert "no difference found" in str(table.beside_keras(rows["jena_lstm"]))


# Verdicts


def test_the_tests_are_those_of_scipy():
    scipy = pytest.importorskip("scipy.stats")
    a, b = {0: 2.4, 1: 2.5, 2: 2.47, 9: 1.0}, {2: 2.52, 0: 2.45, 1: 2.53, 5: 7.0}
    paired = statistics.difference(a, b)
    peer = scipy.ttest_rel([2.4, 2.5, 2.47], [2.45, 2.53, 2.52])
    assert (paired.test, paired.count, paired.p) == ("paired t-test", 3, pytest.approx(peer.pvalue))
    single = statistics.difference(a, 2.62)
    peer = scipy.ttest_1samp(list(a.values()), 2.62)
    assert (single.test, single.count, single.p) == ("one-sample t-test", 4, pytest.approx(peer.pvalue))
    assert statistics.difference({0: 1.0, 1: 1.0, 2: 1.0}, 2.0).p == 0
    assert statistics.difference({0: 1.0, 1: 1.0, 2: 1.0}, 1.0).p == 1


@pytest.mark.parametrize(
    ("scores", "verdict"),
    [
        ([2.4, 2.5, 2.45, 2.42], "held"),
        ([2.7, 2.8, 2.75, 2.72], "did not hold"),
        ([2.5, 2.7, 2.65, 2.6], "undecided"),
        ([2.4, 2.41], "undecided"),
    ],
)
def test_verdicts_on_a_row_against_naive(tmp_path, scores, verdict):
    report_runs.write(tmp_path / "naive", "jena_naive", 0, 2.62)
    for seed, test in enumerate(scores):
        report_runs.write(tmp_path / str(seed), "jena_lstm", seed, test)
    (found,) = verdicts.judge(list(grouped(tmp_path).values()), [BEATS])
    assert found.verdict == verdict
    assert found.difference is not None
    assert found.difference.mean == pytest.approx(2.62 - np.mean(scores))
    assert ("fewer than 3 seeds" if len(scores) < 3 else "one-sample t-test, N 4") in found.evidence


@pytest.mark.parametrize(
    ("scores", "verdict"),
    [
        ([0.91, 0.92, 0.915], "held"),  # the other one does worse
        ([0.901, 0.8995, 0.9], "held"),  # and here as well as it, to within far less than a per cent
        ([0.88, 0.885, 0.883], "did not hold"),
        ([0.86, 0.93, 0.9], "undecided"),
    ],
)
def test_verdicts_on_no_improvement(tmp_path, scores, verdict):
    claim = Claim("It wasn't the case.", "imdb_bigram", "imdb_bigram_tfidf", "accuracy", improvement=0.01)
    for seed, (test, other) in enumerate(zip(scores, [0.9, 0.9005, 0.8995], strict=True)):
        report_runs.write(tmp_path / f"a{seed}", "imdb_bigram", seed, test, metric="accuracy")
        report_runs.write(tmp_path / f"b{seed}", "imdb_bigram_tfidf", seed, other, metric="accuracy")
    (found,) = verdicts.judge(list(grouped(tmp_path).values()), [claim])
    assert found.verdict == verdict, found.evidence


def test_a_claim_takes_the_rows_that_were_trained_alike(tmp_path):
    claim = Claim("better", "jena_lstm_dropout", "jena_lstm", "mae")
    for seed in range(3):
        report_runs.write(tmp_path / f"long{seed}", "jena_lstm", seed, 2.5 + seed / 100, epochs=60)
        report_runs.write(tmp_path / f"longd{seed}", "jena_lstm_dropout", seed, 2.4 + seed / 99, epochs=60)
        report_runs.write(tmp_path / f"wide{seed}", "jena_lstm_dropout", seed, 1.0, epochs=60, units=99)
        for more in range(2):
            report_runs.write(tmp_path / f"short{seed}{more}", "jena_lstm", 2 * seed + more, 9.0, epochs=10)
    (found,) = verdicts.judge(list(grouped(tmp_path).values()), [claim])
    assert found.verdict == "held"
    assert found.evidence.startswith("jena_lstm_dropout epochs=60 and jena_lstm epochs=60: advantage 0.09")
    assert "paired t-test, N 3" in found.evidence


def test_overfitting_is_a_rise_of_the_validation_loss_in_the_second_half(tmp_path):
    up = [5, 4, 3, 3, 3.2, 3.4, 3.6, 3.8]
    claim = Claim("Overfitting?", None, "jena_lstm", "rise")
    for seed in range(3):
        noise = np.random.default_rng(seed).normal(0, 0.01, 8)
        report_runs.write(tmp_path / str(seed), "jena_lstm", seed, 2.5, losses=list(up + noise))
    groups = list(grouped(tmp_path).values())
    assert verdicts.rise(groups[0].runs[0]) == pytest.approx(3.7 - 3.0, abs=0.05)
    (found,) = verdicts.judge(groups, [claim])
    assert found.verdict == "held"


def test_where_a_file_of_vectors_lies_does_not_decide_a_claim(tmp_path):
    claim = Claim("Word2Vec", "imdb_word2vec", "imdb_bilstm_masked", "accuracy")
    for seed, (better, worse) in enumerate(((0.88, 0.87), (0.89, 0.87), (0.88, 0.86))):
        report_runs.write(tmp_path / f"m{seed}", "imdb_bilstm_masked", seed, worse, metric="accuracy")
        report_runs.write(
            tmp_path / f"w{seed}", "imdb_word2vec", seed, better, metric="accuracy", vectors=f"/{seed}/word2vec"
        )
    groups = grouped(tmp_path)
    assert set(groups) == {"imdb_bilstm_masked", "imdb_word2vec"}
    (verdict,) = verdicts.judge(list(groups.values()), [claim])
    assert verdict.verdict == verdicts.HELD
    assert verdict.difference is not None
    assert verdict.difference.count == 3


def test_comparisons_are_filled_with_plain_runs_on_real_data(tmp_path):
    for seed, score in enumerate((0.86, 0.88)):
        report_runs.write(tmp_path / f"b{seed}", "imdb_bilstm", seed, score, metric="accuracy")
        report_runs.write(tmp_path / f"few{seed}", "imdb_glove", seed, 0.6, metric="accuracy", units=8)
        report_runs.write(tmp_path / f"s{seed}", "imdb_conv1d", seed, 0.5, metric="accuracy", data="sample")
    row = {"experiment": "imdb_bilstm", "changed": {}, "together": 694.4, "infer": 1234.5, "share": 1.0}
    pipeline = [row | {"changed": {"units": 8}, "together": 1}, row]
    steps = {"seqjax": 46.2, "torch": 8000.0, "keras-jax": 4288.4}
    benchmark = [
        {"workload": workload, "implementation": name, "mode": mode, "milliseconds": milliseconds, "tuned": True}
        for workload, mode in (("W3b", "infer"), ("W3b", "train"), ("W1", "train"))
        for name, milliseconds in steps.items()
    ]
    (tmp_path / "pipeline.json").write_text(json.dumps(pipeline))
    (tmp_path / "benchmark.json").write_text(json.dumps(benchmark))
    groups, speeds = list(grouped(tmp_path).values()), runs.find(tmp_path).speeds
    found = dict(comparisons.tables(groups, table.rows(groups, []), speeds))
    assert len(found) == 2
    for title, (head, *lines) in found.items():
        assert {len(line) for line in lines} == {len(head)}, title
        cells = {line[0]: dict(zip(head, line, strict=True)) for line in lines}
        assert cells["imdb_bilstm"]["test accuracy, ours"] == "87.00 ± 12.71 % (2)"
        assert cells["imdb_bilstm"]["reviews a second, training"] == "694"
        assert cells["imdb_bilstm"]["reviews a second, inference"] == "1,234"
        assert cells["imdb_bilstm"]["numbers that are not zero"] == "100 %"
        assert cells["imdb_onehot_bilstm"]["reviews a second, inference"] == "-"
        others = [cell for name, cell in cells.items() if name != "imdb_bilstm"]
        assert {cell["test accuracy, ours"] for cell in others} == {"not run"}
    _, *lines = found["One-hot or word embedding"]
    assert [line[-1] for line in lines] == ["46 / 4,288 (keras-jax)", "-", "-", "-"]
    assert not comparisons.tables([], [], speeds)


def test_speeds_are_compared_block_by_block_of_one_benchmark(tmp_path):
    report_runs.write(tmp_path / "any", "jena_naive", 0, 2.62)
    claims = [claim for claim in CLAIMS if claim.metric == "examples_per_second"]
    row = lambda name, changed, *blocks: {
        "experiment": name, "changed": changed, "together": blocks[0], "blocks": {"together": blocks}
    }  # fmt: skip
    first = [
        row("jena_recurrent", {}, 10.0, 20.0, 30.0),
        row("jena_recurrent", {"cell": "gru"}, 12.0, 22.0, 32.5),
        row("imdb_bilstm", {}, 10.0, 10.0, 10.0),
    ]
    (tmp_path / "first.json").write_text(json.dumps(first))
    (tmp_path / "second.json").write_text(json.dumps([row("imdb_onehot_bilstm", {}, 1.0, 1.0, 1.0)]))
    judged = {v.claim.better: v for v in verdicts.judge([], claims, runs.find(tmp_path).speeds)}
    assert judged["jena_recurrent"].verdict == verdicts.HELD
    assert "12 and 10 in training: advantage 2.1667" in judged["jena_recurrent"].evidence
    assert judged["imdb_bilstm"].verdict == verdicts.NOT_RUN, "the other row is of another benchmark"


def test_time_to_train_counts_the_epochs_and_not_a_pause(tmp_path):
    for seed in range(3):
        report_runs.write(tmp_path / f"v{seed}", "word2vec", seed, 5.0, losses=[3.0, 2.0])
        slow = report_runs.write(tmp_path / f"g{seed}", "glove", seed, 5.0, losses=[2.0] * 5)
        file = slow / "metrics.jsonl"
        file.write_text(file.read_text().replace('"seconds": 2.0', f'"seconds": {900 + seed}', 1))
        results = json.loads((slow / "results.json").read_text())
        (slow / "results.json").write_text(json.dumps(results | {"best_epoch": 1}))
    claims = [claim for claim in CLAIMS if claim.better == "word2vec"]
    whole, until_best = verdicts.judge(list(grouped(tmp_path).values()), claims)
    assert (whole.verdict, whole.difference and whole.difference.mean) == (verdicts.HELD, 6.0)
    assert (until_best.verdict, until_best.difference and until_best.difference.mean) == (verdicts.NOT_HELD, -2.0)


def test_claims_without_runs_and_generated_data_are_not_run(tmp_path):
    report_runs.write(tmp_path / "naive", "jena_naive", 0, 2.62, data="sample")
    for seed in range(3):
        report_runs.write(tmp_path / str(seed), "jena_lstm", seed, 2.4, data="sample")
    found = verdicts.judge(list(grouped(tmp_path).values()))
    assert len(found) == len(CLAIMS)
    assert {judged.verdict for judged in found} == {"not run"}
    assert all(judged.evidence for judged in found)


# The command and its page


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


def report(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "seqjax.report", *map(str, arguments)], capture_output=True, text=True, timeout=120
    )


def make(folder, output, *arguments):
    done = report(f"--runs={folder}", f"--output={output}", f"--data_dir={folder}", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


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
    assert checker.addresses
    assert all(address.startswith("data:image/svg+xml;base64,") for address in checker.addresses)
    written = json.loads((tmp_path / "out/report.json").read_text())
    assert len(written["claims"]) == len(CLAIMS)
    assert [row["epochs_done"] for row in written["unfinished"]] == [3]
    markdown = (tmp_path / "out/report.md").read_text()
    assert "| jena_lstm | test mae | 2.53 | 2.450 ± 0.051 (5) | - | 2,001 | 6 s |" in markdown
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
    for argument, message in wrong.items():
        done = report(argument)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
        assert message in done.stderr


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
