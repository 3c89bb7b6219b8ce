"""The table of remedies: which runs are made, what they come to, what is kept of what diverges."""

import json

import pytest
from scipy import stats

from seqjax.lecture import remedies, remedy_table
from tool_calls import called

RUNS = [
    {"seed": 0, "solved": True, "steps": 400, "loss": 0.05},
    {"seed": 1, "solved": True, "steps": 800, "loss": 0.07},
    {"seed": 2, "solved": False, "steps": 1200, "loss": None},
]


def test_an_interval_is_the_set_of_shares_that_explain_the_count():
    for solved, count in ((2, 3), (1, 5), (4, 5)):
        low, high = remedy_table.share(solved, count)
        assert stats.binom.sf(solved - 1, count, low) == pytest.approx(0.025)
        assert stats.binom.cdf(solved, count, high) == pytest.approx(0.025)
    assert remedy_table.share(0, 5) == (0, pytest.approx(1 - 0.025 ** (1 / 5)))
    assert remedy_table.share(5, 5) == (pytest.approx(0.025 ** (1 / 5)), 1)


def test_a_cell_is_of_those_that_solved_and_says_what_is_partial():
    half = stats.t.ppf(0.975, 1) * 200
    share, steps, loss = remedy_table.cell(RUNS, 5)
    assert share.startswith("2/3* (")
    assert steps == f"600 +- {half * 2**0.5 / 2**0.5:,.0f}"
    assert loss.endswith(", 1 diverged")
    assert remedy_table.cell(RUNS[2:], 1)[1:] == ("-", "-, 1 diverged")
    assert "*" not in remedy_table.cell(RUNS, 3)[0]


def test_tables_and_picture_are_in_the_order_of_rows_and_lengths():
    facts = {"solved_below": 0.1, "rows": remedies.ROWS, "cells": {"adding_200": {"gru": RUNS}, "adding_100": {}}}
    facts["cells"]["adding_100"] = {"lru": RUNS[:1], "tanh": RUNS}
    text = remedy_table.markdown(facts)
    order = ["adding, T = 100", "| tanh |", "| lru | 1/1*", "adding, T = 200", "| gru |"]
    assert sorted(order, key=text.index) == order
    figure = remedy_table.figure(facts)
    assert {"loss / no memory", "tanh"} <= set(figure.svg.replace("<!-- ", "\n").replace(" -->", "\n").split("\n"))
    assert "Seeds of a cell: 1 to 3" in figure.caption


def test_every_row_differs_from_tanh_in_one_thing(tmp_path):
    plain = {"remedy": "none", **remedies.PLAIN}
    for row, knobs in remedies.ROWS.items():
        changed = {knob for knob, value in knobs.items() if plain.get(knob, "") != value} - {"learning_rate"}
        assert len(changed) == (row != "tanh"), row
    planned = list(remedies.plan(tmp_path, ["copying_100", "adding_7"], ["tanh", "batch_norm"], [1]))
    paths = ["copying_100/tanh/seed_1", "adding_7/tanh/seed_1", "adding_7/batch_norm/seed_1"]
    assert [str(path.relative_to(tmp_path)) for path, _, _ in planned] == paths
    assert "enough=0.01666" in " ".join(planned[1][2])
    assert {"length=7", "seed=1", "batch_norm=True"} <= set(planned[2][2])


SMALL = ("--tasks=adding_4", "--set=units=2", "--set=examples=60", "--set=epochs=1", "--set=batch_size=30")


@pytest.mark.slow
def test_runs_resume_and_what_diverges_is_kept_as_that(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(remedies.ROWS, "wild", {"remedy": "relu", "optimizer": "sgd", "learning_rate": 1e30})
    command = (*SMALL, "--rows=mingru,wild", "--seeds=1", "--output=made")
    done = called(remedies, *command, "--set=clip_norm=none")
    assert done.returncode == 0, done.stderr
    cells = json.loads((tmp_path / "made" / "remedies.json").read_text())["cells"]["adding_4"]
    assert cells["wild"] == [{"seed": 0, "solved": False, "steps": 0, "loss": None}]
    (run,) = cells["mingru"]
    assert (run["solved"], run["steps"]) == (False, 2)
    assert run["loss"] > 0.1
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "made").glob("adding_4/*/seed_0/*.[jt]*")}
    assert len(times) > 3
    assert "| mingru | 0/1* " in called(remedies, *command, "--set=clip_norm=none").stdout
    assert {path: path.stat().st_mtime_ns for path in times} == times


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        ("--tasks=adding", "--tasks=adding: choose of adding_100, adding_200"),
        ("--tasks=sorting_3", "--tasks=sorting_3: choose of"),
        ("--rows=hope", "--rows=hope: choose tanh, relu, irnn"),
        ("--seeds=0", "--seeds must be at least 1"),
        ("more", "'more' is not a flag"),
    ],
)
def test_what_makes_no_sense_is_refused(flag, said, tmp_path):
    done = called(remedies, flag, f"--output={tmp_path}")
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr
