"""seqjax.report.confusion: the matrices of a row's runs, and the picture of them."""

import json

import report_runs
from report_folders import grouped
from seqjax.report import confusion, gallery, table


def write(folder, seed, counts, **details):
    run = report_runs.write(folder / f"seed_{seed}", "sms_spam", seed, 0.9, metric="f1", losses=[0.3, 0.2])
    results = json.loads((run / "results.json").read_text())
    if counts:
        results["details"] = {"test": {"confusion": {"classes": ["ham & co", "spam"], "counts": counts}}}
    (run / "results.json").write_text(json.dumps(results))
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    for row in rows:  # epochs know the means, not the score that is quoted
        for part in ("train", "validation"):
            row[part] = {"loss": row[part]["loss"], "accuracy": 0.9}
    (run / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_seeds_are_added_and_drawn(tmp_path):
    write(tmp_path, 0, [[90, 10], [4, 16]])
    write(tmp_path, 1, [[94, 6], [6, 14]])
    (row,) = grouped(tmp_path).values()
    names, counts = confusion.counts(row)
    assert names == ["ham & co", "spam"]
    assert counts.tolist() == [[184, 16], [10, 30]]
    figure = confusion.picture(row)
    assert figure.caption == "Test part, 2 seeds together: 240 examples, 89.17% of them right."
    for said in ("ham &amp; co", "spam", "184", "92.0%", "taken for"):
        assert said in figure.svg
    titles = [each.title for each in gallery.figures([row], table.rows([row], []), tmp_path)[0]]
    assert f"Confusion: {row.label}" in titles
    assert f"Learning curves: {row.label}" in titles


def test_rows_without_a_matrix_have_no_picture(tmp_path):
    write(tmp_path, 0, [[1, 0], [0, 1]])
    write(tmp_path, 1, None)
    (row,) = grouped(tmp_path).values()
    assert confusion.picture(row) is None
