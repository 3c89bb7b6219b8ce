"""Rows as they come give the windows and lines of the same rows in a file, however their bytes are cut."""

import io
import json
import logging

import jax
import numpy as np
import pytest

from command_calls import write_weather
from seqjax.data.series.csv_table import Form
from seqjax.data.series.jena import Windows
from seqjax.data.series.table_windows import TableWindows
from seqjax.errors import UserError

OUTPUT = np.float32(0.25)


def table(count, seed=0, names=()):
    """A CSV of two columns in which some cells are empty, rows of `names` in turn."""
    rng = np.random.default_rng(seed)
    head = ["time", *(["shop"] if names else []), "target", "extra"]
    lines = [",".join(head)]
    for time in (str(np.datetime64("2020-01-01T00:00:00") + np.timedelta64(10 * k, "m")) for k in range(count)):
        for name in names or [""]:
            cells = [f"{value:.3f}" if rng.random() > 0.1 else "" for value in rng.normal(10, 3, 2)]
            lines.append(",".join([time, *([name] if name else []), *cells]))
    return "\n".join(lines) + "\n"


def source_of(kind, tmp_path):
    """-> (a source, a text of its kind; the source's files are in tmp_path)."""
    if kind == "jena":
        write_weather(tmp_path / "weather.csv", 300)
        text = (tmp_path / "weather.csv").read_text().replace(",2.34,", ",-9999.00,")
        source = Windows(sequence_length=5, delay=11, sampling_rate=2)
        (tmp_path / "source.csv").write_text(text)
        from seqjax.data.series import weather

        dataset = source.dataset(weather.read(tmp_path / "source.csv"), "weather")
    else:
        names = ("north", "south") if kind == "series" else ()
        form = Form(time="time", series="shop" if names else "")
        source = TableWindows("table.csv", "target", form=form, sampling=2, sequence_length=4, horizon=3)
        text = table(80, names=names)
        (tmp_path / "table.csv").write_text(text)
        dataset = source.load("real", tmp_path)
    for name, content in dataset.assets.items():
        (tmp_path / name).write_text(content)
    return source, text


def streamed(stream, data, size):
    steps = [step for at in range(0, len(data), size) for step in stream.read(data[at : at + size])]
    steps += stream.end()
    return steps, [stream.line(step, OUTPUT) for step in steps]


@pytest.mark.parametrize("kind", ["jena", "table", "series"])
def test_windows_and_lines_are_those_of_the_file(kind, tmp_path):
    source, text = source_of(kind, tmp_path)
    requests = source.requests(tmp_path, io.TextIOWrapper(io.BytesIO(text.encode())), "stdin")
    inputs = requests.gather(dict(requests.arrays), requests.ids)
    lines = [requests.line(k, OUTPUT) for k in range(len(requests.ids))]
    assert len(lines) > 60
    for size in (1, 7, 64, len(text)):
        stream = source.stream(tmp_path, "stdin")
        steps, found = streamed(stream, text.encode(), size)
        assert stream.header == requests.header
        order = sorted(range(len(found)), key=lambda k: (found[k].split(",")[0] == "south", k))  # a file's, by series
        order = order if kind == "series" else range(len(found))
        assert [found[k] for k in order] == lines
        stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *(steps[k].inputs for k in order))
        jax.tree.map(np.testing.assert_array_equal, stacked, inputs)
        jax.tree.map(lambda a, b: np.testing.assert_equal(a.shape, b[0].shape), stream.example, inputs)


@pytest.mark.parametrize("kind", ["jena", "series"])
@pytest.mark.parametrize("again", ["the rest", "header and rest", "all"])
def test_a_state_goes_on_where_it_was(kind, again, tmp_path, caplog):
    source, text = source_of(kind, tmp_path)
    lines = text.splitlines(keepends=True)
    _, whole = streamed(source.stream(tmp_path, "stdin"), text.encode(), 512)
    first, second = source.stream(tmp_path, "stdin"), source.stream(tmp_path, "stdin")
    _, before = streamed(first, "".join(lines[:40]).encode(), 512)
    second.restore(json.loads(json.dumps(first.state())))
    rest = {"the rest": lines[40:], "header and rest": [lines[0], *lines[40:]], "all": lines}[again]
    with caplog.at_level(logging.WARNING):
        _, after = streamed(second, "".join(rest).encode(), 100)
    assert before + after == whole
    assert ("that the state has seen already" in caplog.text) == (again == "all")


@pytest.mark.parametrize("size", [1, 10_000])
@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("2020-01-01 05:00:00,1,x", "row 32, column 'extra': 'x' is not a finite number"),
        ("2020-01-01 05:00:00,1", "row 32 has 2 cells instead of 3: ['2020-01-01 05:00:00', '1']"),
        ("today,1,2", "row 32, column 'time': 'today' is not a date"),
        ("2020-01-01 04:40:00,1,2", "row 32: 2020-01-01 04:40:00 comes after 2020-01-01 04:50:00"),
    ],
)
def test_a_malformed_row_is_named_and_the_rows_before_it_count(row, said, size, tmp_path):
    source, text = source_of("table", tmp_path)
    lines = text.splitlines()[:31]
    stream, steps = source.stream(tmp_path, "stdin"), []

    def feed():
        for at in range(0, len(data), size):
            for step in stream.read(data[at : at + size]):
                steps.append(step)

    data = "\n".join([*lines, row, "2020-01-01 05:10:00,1,2", ""]).encode()
    with pytest.raises(UserError) as caught:
        feed()
    assert str(caught.value).startswith(f"stdin: {said}")
    expected, _ = streamed(source.stream(tmp_path, "stdin"), "\n".join(lines).encode(), 64)
    assert len(steps) == len(expected) > 20
    fresh = source.stream(tmp_path, "stdin")
    streamed(fresh, ("\n".join(lines) + "\n").encode(), 64)
    np.testing.assert_equal(stream.state(), fresh.state())


def test_gaps_and_doubled_rows_are_told(tmp_path, caplog):
    source, text = source_of("table", tmp_path)
    lines = text.splitlines()
    with caplog.at_level(logging.WARNING):
        streamed(source.stream(tmp_path, "in"), "\n".join([*lines[:12], lines[11], *lines[14:20]]).encode(), 64)
    assert "in: row 13 has the time of the one before, and is passed over" in caplog.text
    assert "in: 2 rows missing before row 14, and passed over" in caplog.text


@pytest.mark.parametrize("size", [1, 300, 10_000])
def test_files_one_behind_the_other_have_a_header_each(size, tmp_path):
    source, text = source_of("table", tmp_path)
    lines = text.splitlines(keepends=True)
    doubled = "".join([*lines[:30], lines[0], *lines[30:]])
    _, found = streamed(source.stream(tmp_path, "in"), doubled.encode(), size)
    assert found == streamed(source.stream(tmp_path, "in"), text.encode(), 64)[1]


def test_rows_of_another_step_are_refused(tmp_path):
    source, _ = source_of("jena", tmp_path)
    write_weather(tmp_path / "weather.csv", 60)
    lines = (tmp_path / "weather.csv").read_text().splitlines()
    with pytest.raises(UserError, match="rows are 120 min apart, but the model's are 60 min apart"):
        streamed(source.stream(tmp_path, "in"), "\n".join([lines[0], *lines[1::2]]).encode(), 64)


@pytest.mark.parametrize(
    ("form", "said"),
    [(Form(doubled="mean"), "doubled=mean waits"), (Form(encoding="utf-16"), "give the stream as UTF-8")],
)
def test_tables_that_cannot_be_read_row_by_row_are_refused(form, said):
    from seqjax.data.series import csv_table, table_stream

    with pytest.raises(UserError, match=said):
        table_stream.kind({"form": csv_table.as_options(form)}, "in")


def test_damaged_states_are_no_states(tmp_path):
    source, text = source_of("table", tmp_path)
    stream = source.stream(tmp_path, "in")
    streamed(stream, text.encode(), 512)
    good = stream.state()
    own = good["last"][""]
    for broken in ({}, {"head": ""}, {**good, "last": {"": {**own, "values": [[1.0]]}}}):
        with pytest.raises((LookupError, TypeError, ValueError)):
            source.stream(tmp_path, "in").restore(broken)
