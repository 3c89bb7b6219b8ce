"""What is printed of a result, and what it is printed beside."""

import json

import pytest

import report_runs
from seqjax.errors import UserError
from seqjax.report import runs, table
from seqjax.runs.lines import number, result_line, result_lines, skill

BASELINES = {
    "naive": {"validation": {"mae": 4.0}, "test": {"mae": 2.5}},
    "seasonal_naive": {"season": 24, "validation": {"mae": 2.0}, "test": {"mae": 5.0}},
}


def result(test, **more):
    scores = {"validation": {"loss": 1.0, "mae": 1.0}, "test": {"loss": 1.0, "mae": test}}
    known = {"lecture": {}, "data": "real", "optimum": {}, "best_epoch": 3, "parameters": 1234}
    return {"experiment": "csv_lstm", **scores, **known, **more}


@pytest.mark.parametrize(
    ("value", "said"),
    [(2.61234, "2.6123"), (0.0, "0.0000"), (0.0003465, "0.0003465"), (1.5e-8, "1.500e-08"), (31.19444, "31.1944"),
     (523456789.123, "5.234568e+08"), (None, "not finite"), (0.5, "0.5000")],
)  # fmt: skip
def test_a_score_has_four_digits_that_say_something(value, said):
    assert number(value) == said


def test_skill_is_the_share_of_the_better_baseline_of_each_part():
    scores = {"validation": {"loss": 9.0, "mae": 1.0}, "test": {"loss": 9.0, "mae": 2.0}}
    assert skill(scores, BASELINES) == {"validation": 0.5, "test": 0.8}
    assert skill(scores, {}) == {}
    perfect = {"naive": {"validation": {"mae": 0.0}, "test": {"mae": 2.5}}}
    assert skill(scores, perfect) == {"test": 0.8}
    assert skill({"validation": {"mae": 1.0}, "test": {"mae": None}}, BASELINES) == {"validation": 0.5}


def test_one_run_and_many_are_printed_beside_their_baselines():
    own = result(2.0, baselines=BASELINES, skill={"validation": 0.5, "test": 0.8})
    assert result_line(own) == (
        "csv_lstm: test mae 2.0000 (naive 2.5000; seasonal naive (24 rows a season) 5.0000; 0.800 of the better), "
        "validation mae 1.0000, best epoch 3, 1,234 parameters"
    )
    assert result_line(result(2.0)) == (
        "csv_lstm: test mae 2.0000, validation mae 1.0000, best epoch 3, 1,234 parameters"
    )
    others = {"loss": 1.0, "mae": 2.0, "mae_of_heard_speakers": 1.5}
    assert "test mae 2.0000 (of heard speakers 1.5000; naive 2.5000; " in result_line({**own, "test": others})
    mean = {"mean": 2.0, "std": 0.1, "half_interval_95": 0.25, "count": 3}
    many = {**own, "test": {"loss": mean, "mae": mean}, "validation": {"loss": mean, "mae": mean}}
    assert result_lines(many) == [
        "csv_lstm: test mae 2.0000 +- 0.2500 (95 %, 3 seeds; naive 2.5000; seasonal naive (24 rows a season) 5.0000; "
        "0.800 of the better), validation mae 2.0000 +- 0.2500"
    ]
    both = {**many, "test": {**many["test"], "mae_of_others": mean}}
    assert "seeds; of others 2.0000 +- 0.2500; naive 2.5000; " in result_lines(both)[0]
    assert "0.800 of the better)" in result_lines(both)[0]
    with pytest.raises(UserError, match="these are no results"):
        result_line({"experiment": "csv_lstm"})


def test_the_report_shows_them_too(tmp_path):
    for seed, test in ((0, 1.9), (1, 2.1)):
        folder = report_runs.write(tmp_path / f"run_{seed}", "jena_lstm", seed, test)
        results = json.loads((folder / "results.json").read_text()) | {"baselines": BASELINES}
        (folder / "results.json").write_text(json.dumps(results))
    (row,) = table.rows(runs.group(runs.find(tmp_path).runs), [])
    assert row["skill"] == {"validation": 1.0, "test": pytest.approx(0.8)}
    assert table.cells(row)[0][4] == "naive 2.500, seasonal naive 5.000 (0.800)"


def test_small_scores_keep_their_digits_in_the_report():
    assert table.score({"mean": 0.00013561, "half": 0.0000021, "count": 3}, "mae") == "0.000136 ± 0.000002 (3)"
    assert table.score({"mean": 2.6154, "half": 0.1291, "count": 5}, "mae") == "2.615 ± 0.129 (5)"


def test_what_intervals_cover_is_printed_with_its_own_interval():
    covered = {"90": {"share": 0.9012, "low": 0.8967, "high": 0.9056, "count": 17458}, "50": {"share": 0.5}}
    line = result_line(result(2.25, details={"test": {"coverage": covered}}))
    assert line.endswith("1,234 parameters; the 90 % interval covers 90.1 % (89.7 to 90.6)")
    assert result_line(result(2.25, details={"test": {"coverage": {}}})).endswith("1,234 parameters")
    nothing = {"share": None, "low": None, "high": None, "count": 0}
    assert result_line(result(2.25, details={"test": {"coverage": {"90": nothing}}})).endswith("1,234 parameters")
    mean = lambda value, half=None: {"mean": value, "std": None, "half_interval_95": half, "count": 3}
    part = {"mae": mean(2.25), "coverage_90": mean(0.9, 0.004), "coverage_50": mean(0.5)}
    group = {"experiment": "a", "data": "real", "lecture": {}, "validation": part, "test": part}
    (line,) = result_lines(group)
    assert line.endswith("; the 90 % interval covers 90.0 +- 0.4 %")
