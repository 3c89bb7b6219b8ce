"""The sentences that the report fills with figures: quality, speed, time to train."""

import json

import report_runs
from report_folders import grouped
from seqjax.report import comparisons, runs, table, verdicts
from seqjax.report.claims import CLAIMS


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
