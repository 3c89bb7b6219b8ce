"""A user's own table under watch: whole, and as a stream, by a model that expects the last value."""

import dataclasses
import io
import json

import numpy as np
import pytest

from seqjax.data.series import csv_table, detections, row_stream, table_watch, watch
from seqjax.errors import UserError
from seqjax.scoring.surprise import Recipe

RECIPE = Recipe(short=2, level=4, quiet=5, warm=20)


def table(rows=200, columns=("a",), seed=0, spike=150, series=(), gaps=(), labels=False):
    """The text of a table; of several series the rows take turns."""
    rng, lines = np.random.default_rng(seed), []
    values = rng.normal(size=(rows, max(len(series), 1), len(columns))).round(3)
    values[spike] += 9
    for row in range(rows):
        date = str(np.datetime64("2020-01-01T00:00") + row * np.timedelta64(60, "m")).replace("T", " ")
        for k, name in enumerate(series or [None]):
            cells = ["" if (row, place) in gaps else f"{value}" for place, value in enumerate(values[row, k])]
            cells += [str(int(spike - 1 <= row <= spike + 2))] if labels else []
            lines.append(",".join([date, *([] if name is None else [name]), *cells]))
    head = ["date", *(["shop"] if series else []), *columns, *(["bad"] if labels else [])]
    return "\n".join([",".join(head), *lines]) + "\n"


def source(tmp_path, text, **options):
    (tmp_path / "t.csv").write_text(text)
    given = {"rows": 4, "horizon": 1, "recipe": RECIPE, **options}
    return table_watch.TableWatch(str(tmp_path / "t.csv"), **given)


def trained(tmp_path, text, **options):
    """The source, its data, and the folder of their assets."""
    made = source(tmp_path, text, **options)
    dataset = made.load("real", tmp_path)
    for name, content in dataset.assets.items():
        (tmp_path / name).write_text(content)
    return made, dataset


def expected(seen):
    return np.asarray(seen.values)[..., -1, :]


def predicted(made, tmp_path, text):
    requests = made.requests(tmp_path, io.StringIO(text), "new.csv")
    outputs = expected(requests.gather(requests.arrays, requests.ids))
    return [requests.header, *(requests.line(k, output) for k, output in enumerate(outputs))]


def streamed(made, tmp_path, text, pieces=1, restart=False):
    """The lines of a stream in pieces, its state handed on through JSON between them if there is a restart."""
    stream, data, lines = made.stream(tmp_path, "stdin"), text.encode(), []
    for piece in np.array_split(np.frombuffer(data, np.uint8), pieces):
        if restart and stream.begun:
            state = json.loads(json.dumps(stream.state()))
            rest, stream = stream.rest, made.stream(tmp_path, "stdin")
            stream.restore(state)
            stream.rest = rest
        lines += [stream.line(step, expected(step.inputs)) for step in stream.read(piece.tobytes())]
    lines += [stream.line(step, expected(step.inputs)) for step in stream.end()]
    return [stream.header, *lines]


CASES = {
    "one column": {},
    "two columns with gaps": {"columns": ("a", "b"), "gaps": {(0, 1), (1, 1), (60, 0), (61, 0), (61, 1), (62, 1)}},
    "two shops": {"series": ("x", "y"), "columns": ("a", "b")},
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(("pieces", "restart"), [(1, False), (7, True)])
def test_a_stream_says_what_is_said_of_the_whole_table(tmp_path, case, pieces, restart):
    text, several = table(**CASES[case]), bool(CASES[case].get("series"))
    made, _ = trained(tmp_path, text, form=csv_table.Form(series="shop" if several else ""))
    lines = predicted(made, tmp_path, text)
    assert sum(line.split(",")[2 + several] == "1" for line in lines[1:]) >= 1
    found = streamed(made, tmp_path, text, pieces, restart)
    assert found[0] == lines[0]
    assert sorted(found) == sorted(lines), "the rows of two series take turns in a stream"


def test_a_line_has_the_row_and_what_was_expected(tmp_path):
    made, _ = trained(tmp_path, table(columns=("a", 'b "x"')))
    lines = predicted(made, tmp_path, table(columns=("a", 'b "x"')))
    assert lines[0] == 'date,score,alarm,a,expected a,"b ""x""","expected b ""x"""'
    before, spike = lines[150].split(","), lines[151].split(",")
    assert (spike[0], spike[2]) == ("2020-01-07 06:00:00", "1")
    assert float(spike[1]) >= RECIPE.level
    assert float(spike[3]) > 6 > float(spike[4]) == pytest.approx(float(before[3]), abs=0.01), "the last value"


def test_what_comes_later_changes_no_line(tmp_path):
    text = table()
    made, _ = trained(tmp_path, text)
    whole = predicted(made, tmp_path, text)
    for rows in (2, 50, 151):
        cut = "\n".join(text.splitlines()[: rows + 1]) + "\n"
        assert predicted(made, tmp_path, cut) == whole[: rows + 1]


def test_a_missing_value_is_left_out_and_a_row_of_nothing_else_is_not_judged(tmp_path):
    text = table(columns=("a", "b"), gaps={(60, 0), (61, 0), (61, 1)})
    made, _ = trained(tmp_path, text)
    lines = predicted(made, tmp_path, text)
    assert lines[61].split(",")[3] == ""
    assert float(lines[61].split(",")[1]) > 0
    assert lines[62].split(",")[1:4] == ["", "0", ""]


def test_labels_are_a_column_or_windows_of_dates(tmp_path):
    made, of_column = trained(tmp_path, table(labels=True), labels="bad")
    assert made._read(tmp_path / "t.csv")[0].columns == ("a",)
    (one,) = of_column.gather.series
    assert detections.windows_of(one) == [(149, 152)]
    dates = [["2020-01-07 05:00", "2020-01-07 08:00:00"]]
    for content in (dates, {"some/t.csv": dates, "u.csv": []}):
        (tmp_path / "w.json").write_text(json.dumps(content))
        (other,) = source(tmp_path, table(), labels="w.json").load("real", tmp_path).gather.series
        np.testing.assert_array_equal(other.labels, one.labels)
    assert "1 anomaly labelled" in of_column.description
    assert of_column.baselines["naive"]["test"]["nab"] > 50
    unlabelled = source(tmp_path, table()).load("real", tmp_path)
    assert unlabelled.baselines == {}
    assert unlabelled.fingerprint != of_column.fingerprint


@pytest.mark.parametrize(
    ("marks", "windows"),
    [("all", [(150, 199)]), ("none", []), ("the last row", [(199, 199)]), ("the first", [(0, 0)])],
)
def test_any_labels_are_judged_or_not_at_all(tmp_path, marks, windows):
    text = table().splitlines()
    rows = {"all": range(150, 200), "none": (), "the last row": (199,), "the first": (0,)}[marks]
    text = "\n".join([text[0] + ",bad", *(f"{line},{int(k in rows)}" for k, line in enumerate(text[1:]))])
    dataset = source(tmp_path, text, labels="bad").load("real", tmp_path)
    assert detections.windows_of(dataset.gather.series[0]) == windows
    assert bool(dataset.baselines) == (marks in ("all", "the last row")), "what lies in training rows is not judged"


@pytest.mark.parametrize(
    ("options", "content", "said"),
    [
        ({"labels": "worse"}, None, "labels=worse is no column of 0 and 1 .*; choices: a, bad"),
        ({"labels": "a"}, None, "column 'a' holds 0.126: labels are 0 or 1"),
        ({"labels": "bad", "columns": "bad"}, None, "no column to watch beside labels=bad"),
        ({"labels": "no.json"}, None, "labels=no.json is neither here nor in"),
        ({"labels": "w.json"}, "[", "w.json: Expecting value"),
        ({"labels": "w.json"}, "[[1, 2]]", 'expected is a list of \\["from", "to"\\]'),
        ({"labels": "w.json"}, '{"u.csv": []}', "0 of its entries are of 't.csv'; it has: u.csv"),
        ({"labels": "w.json"}, '[["2020-01-02", "2020-01-01"]]', "ends at 2020-01-01.* before it begins"),
        ({"labels": "w.json"}, '[["2021-01-02", "2021-01-03"]]', "w.json: t.csv: the window from 2021.* holds no row"),
        ({"labels": "w.json"}, '[["2020-01-02", "2020-01-04"], ["2020-01-03", "2020-01-05"]]', "two windows overlap"),
        ({"trained": 0.05}, None, "too few rows: 10 to be trained on"),
        ({"trained": 1.0}, None, r"trained=1.0 is not in \(0, 1\)"),
        ({"rows": 0}, None, "sequence_length must be at least 1"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, options, content, said):
    if content is not None:
        (tmp_path / "w.json").write_text(content)
    with pytest.raises(UserError, match=said):
        source(tmp_path, table(labels=True), **options).load("real", tmp_path)


def test_tables_of_another_kind_are_refused(tmp_path):
    made, _ = trained(tmp_path, table(columns=("a", "b")))
    with pytest.raises(UserError, match="there is no column 'b'"):
        predicted(made, tmp_path, table())
    hourly = table(columns=("a", "b")).splitlines()
    other = "\n".join([hourly[0], *hourly[1::2]]) + "\n"
    with pytest.raises(UserError, match="rows are 120 min apart, but the model's are 60 min apart"):
        predicted(made, tmp_path, other)
    with pytest.raises(UserError, match="rows are 120 min apart, but the model's are 60 min apart"):
        streamed(made, tmp_path, other)
    backwards = "\n".join([hourly[0], hourly[2], hourly[1]]) + "\n"
    with pytest.raises(UserError, match="a stream goes forward in time"):
        streamed(made, tmp_path, backwards)
    with pytest.raises(UserError, match="file is missing: --set=file=PATH"):
        dataclasses.replace(made, file="").load("real", tmp_path)


def test_a_header_without_rows_is_judged_when_the_stream_ends(tmp_path):
    made, _ = trained(tmp_path, table(columns=("a", "b")))
    for head, said in ((b"date,x\n", "there is no column 'a'"), (b"date,a,b\n", "ends after its header")):
        stream = made.stream(tmp_path, "stdin")
        assert list(stream.read(head)) == []
        with pytest.raises(UserError, match=said):
            list(stream.end())
    assert isinstance(stream, row_stream.RowStream)
    assert list(made.stream(tmp_path, "stdin").end()) == [], "nothing at all came"


def test_rows_before_the_first_value_of_a_column_are_judged_by_the_others_and_not_trained_on(tmp_path, caplog):
    """What is not there yet is taken for the training rows' mean, not for a value that is to come. No row is lost."""
    gaps = {(row, 1) for row in range(30)}
    text = table(columns=("a", "b"), gaps=gaps)
    made, dataset = trained(tmp_path, text)
    assert dataset.parts["train"].min() == 200 + 31
    (one,) = dataset.gather.series
    values = np.array([line.split(",")[2] or "nan" for line in text.splitlines()[1:]], float)
    assert one.mean[1] == pytest.approx(values[30:100].mean())
    np.testing.assert_array_equal(one.values[:30, 1], one.mean[1])
    np.testing.assert_array_equal(one.values[30:, 1], values[30:])
    scores = detections.detect(one, detections.last_known(one, 1), RECIPE).scores
    assert scores[1:30].all()
    lines = predicted(made, tmp_path, text)
    assert len(lines) == 1 + 200
    assert streamed(made, tmp_path, text) == lines
    dead = table(columns=("a", "b"), gaps={(row, 1) for row in range(200)})
    lines = predicted(made, tmp_path, dead)
    assert len(lines) == 1 + 200, "one sensor is dead, the other one is watched"
    assert [line.split(",")[2] for line in lines[1:]].count("1") > 0
    assert streamed(made, tmp_path, dead) == lines
    late = table(columns=("a", "b"), gaps={(row, 1) for row in range(120)})
    with pytest.raises(UserError, match=r"t.csv: a column has no value in the 100 rows to be trained on"):
        source(tmp_path, late).load("real", tmp_path)


def test_dates_have_a_zone_if_the_table_has_one(tmp_path):
    text = "\n".join(line.replace(":00,", ":00+02:00,", 1) for line in table().splitlines()) + "\n"
    made, _ = trained(tmp_path, text)
    lines = predicted(made, tmp_path, text)
    assert lines[1].startswith("2019-12-31 22:00:00+00:00,")
    assert streamed(made, tmp_path, text) == lines


def test_events_come_when_they_come(tmp_path):
    """A stream of them does not end where the last few are a little farther apart than training's."""
    rng = np.random.default_rng(0)
    dates = np.datetime64("2024-01-01T00:00:00") + np.cumsum(rng.integers(1, 7200, 600)).astype("timedelta64[s]")
    text = "date,a\n" + "".join(
        f"{date},{value:.3f}\n" for date, value in zip(dates, rng.normal(size=600), strict=True)
    )
    made, _ = trained(tmp_path, text)
    assert streamed(made, tmp_path, text) == predicted(made, tmp_path, text)


def test_what_a_few_rows_cannot_tell_is_said(tmp_path, caplog):
    text = table()
    made, _ = trained(tmp_path, text)
    lines = text.splitlines(keepends=True)
    predicted(made, tmp_path, "".join([*lines[:5], *lines[8:12]]))
    assert "3 rows missing, and passed over" in caplog.text
    assert f"of the first {RECIPE.warm} rows none is an alarm" in caplog.text


def test_a_day_of_too_many_rows_is_not_looked_back_for(tmp_path):
    made, _ = trained(tmp_path, table(rows=100, spike=60))
    assert json.loads((tmp_path / table_watch.ASSET).read_text())["day"] == [24]
    assert made.stream(tmp_path, "in").kind.rows == 4 + 1 + 24
    times = np.datetime64("2020-01-01", "us") + np.arange(200_000) * np.timedelta64(1, "s")
    assert watch.lags(times, 199_000) == (0, 0)


@pytest.mark.parametrize(("size", "said"), [(1e200, "deviation"), (1e-200, "deviation"), (0.0, ""), (1e25, "")])
def test_numbers_of_any_size_are_judged_or_refused(tmp_path, size, said):
    lines = table(rows=120, spike=100).splitlines()
    rows = [line.split(",") for line in lines[1:]]
    text = "\n".join([lines[0], *(f"{date},{float(value) * size!r}" for date, value in rows)]) + "\n"
    if said:
        with pytest.raises(UserError, match=said):
            source(tmp_path, text).load("real", tmp_path)
        return
    made, _ = trained(tmp_path, text)
    alarms = [line.split(",")[2] for line in predicted(made, tmp_path, text)[1:]]
    assert ("1" in alarms[95:]) == (size > 0), "a constant series has none"
