"""Visits from a table, in a file and on a stream: what is read, and what is refused."""

import io
import json

import numpy as np
import pytest

from seqjax.data.clicks.labelled_visits import LabelledVisits
from seqjax.data.clicks.visits import moment, read
from seqjax.errors import UserError

TABLE = """visitor,time,page,label
ann,2024-05-01T10:00:00,home,human
bob,2024-05-01T10:00:01,list,bot
ann,2024-05-01T10:00:12.5,product,human
bob,2024-05-01T10:00:03,"a, b",bot
"""


def written(tmp_path, visitors=40):
    """A file of visits, and the source that has read it; its assets are in tmp_path."""
    rng, rows = np.random.default_rng(0), ["label,page,time,visitor"]
    for k in range(visitors):
        at = 1e9
        for _ in range(rng.integers(1, 12)):
            at += rng.exponential(5)
            rows.append(f"{'bot' if k % 2 else 'human'},page {rng.integers(4)},{at:.3f},v{k}")
    (tmp_path / "clicks.csv").write_text("\n".join(rows) + "\n")
    source = LabelledVisits("clicks.csv", length=8)
    dataset = source.load("real", tmp_path)
    for name, content in dataset.assets.items():
        (tmp_path / name).write_text(content)
    return source, dataset, rows


def test_rows_of_different_visitors_may_be_mixed():
    found = read(TABLE.encode(), "clicks.csv", True)
    assert (list(found.visitors), list(found.names), list(found.classes)) == (
        ["ann", "bob"], ["a, b", "home", "list", "product"], ["bot", "human"],
    )  # fmt: skip
    assert found.pages.tolist() == [[1, 3], [2, 0]]
    assert found.seconds.tolist() == [[0, 12.5], [0, 2]]
    assert found.labels is not None
    assert found.labels.tolist() == [1, 0]
    assert moment("12.5") == 12.5


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("ann,2024-05-01T09:00:00,home,human", "row 6: a click of 'ann' is before its last one: sort the rows by time"),
        ("ann,soon,home,human", "row 6, column 'time': 'soon' is not a date"),
        ("ann,inf,home,human", "row 6, column 'time': 'inf' is no time"),
        ("ann,2024-05-01T11:00:00,,human", "row 6, column 'page' is empty"),
        ("ann,2024-05-01T11:00:00,home,bot", "row 6: 'ann' is 'bot', and was 'human' before"),
        ("ann,2024-05-01T11:00:00,home", "row 6 has 3 cells instead of 4"),
    ],
)
def test_malformed_rows_are_named(row, said):
    with pytest.raises(UserError) as caught:
        read((TABLE + row + "\n").encode(), "clicks.csv", True)
    assert f"clicks.csv: {said}" in str(caught.value)


def test_examples_are_padded_and_every_click_has_its_target(tmp_path):
    _, dataset, _ = written(tmp_path)
    ids = np.concatenate(list(dataset.parts.values()))
    assert sorted(ids.tolist()) == list(range(40))
    (pages, times), targets = dataset.gather(dataset.arrays, ids)
    assert pages.shape == times.shape == targets.shape == (40, 8)
    np.testing.assert_array_equal(pages != 0, targets != 0)
    assert dataset.classes == ("bot", "human")
    np.testing.assert_array_equal(targets[:, 0], 2 - ids % 2)
    assert (times[:, 0] == 0).all()
    assert (times[pages == 0] == 0).all()
    assert "visits cut at 8 clicks" in dataset.description
    assert dataset.knobs == {"pages": 6}
    for part, ids in dataset.parts.items():
        assert abs(dataset.arrays["labels"][ids].mean() - 0.5) < 0.01, part
    assert dataset.baselines["largest_class"]["test"]["accuracy"] == 0.5
    assert len(dataset.baselines) == 3


def test_a_stream_reads_what_a_file_does(tmp_path):
    source, _, rows = written(tmp_path)
    rng = np.random.default_rng(1)
    order = sorted(range(len(rows) - 1), key=lambda k: (float(rows[k + 1].split(",")[2]), rng.random()))
    text = "\n".join([rows[0], *(rows[k + 1] for k in order), "page,page new,1e10,v0"]) + "\n"  # visitors interleaved
    requests = source.requests(tmp_path, io.TextIOWrapper(io.BytesIO(text.encode())), "in")
    pages, times = requests.gather(dict(requests.arrays), requests.ids)
    for size in (1, 50, len(text)):
        stream = source.stream(tmp_path, "in")
        steps = [step for at in range(0, len(text), size) for step in stream.read(text.encode()[at : at + size])]
        steps += stream.end()
        assert len(steps) == len(rows)
        own = {}
        for step in steps:
            own.setdefault(step.key, []).append(step.inputs)
        assert list(own) == [requests.line(k, np.zeros(99)).split(",")[0] for k in range(len(own))]
        for k, inputs in enumerate(own.values()):
            np.testing.assert_array_equal([page for page, _ in inputs], pages[k, : len(inputs)])
            np.testing.assert_allclose([time for _, time in inputs], times[k, : len(inputs)], rtol=1e-5, atol=1e-6)
    assert steps[-1].inputs[0] == 1  # a page that training has not seen
    assert stream.line(steps[-1], np.array(2.0)).startswith(f"v0,{len(own['v0'])},")
    assert requests.line(0, np.full(99, -3.0)).endswith(",0.9526")


def test_a_stream_goes_on_after_a_restart(tmp_path):
    source, _, rows = written(tmp_path)
    data = ("\n".join(rows) + "\n").encode()
    whole = [step.note for step in source.stream(tmp_path, "in").read(data)]
    first, second = source.stream(tmp_path, "in"), source.stream(tmp_path, "in")
    lines = data.splitlines(keepends=True)
    before = [step.note for step in first.read(b"".join(lines[:30]))]
    second.restore(json.loads(json.dumps(first.state())))
    rest = [step.note for step in second.read(b"".join(lines[:1] + lines[30:]))]  # the header may come again
    assert before + rest == whole


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("visitor,time\n", "row 1: there is no column 'page'; columns: visitor, time"),
        ("visitor,time,page\na,1\n", "row 2 has 2 cells instead of 3"),
        ("visitor,time,page\na,2,x\n\na,1,x\n", "row 4: a click of 'a' is before its last one"),
        ("visitor,time,page\na,,x\n", "row 2, column 'time' is empty"),
        ("visitor,time,page\na,now,x\n", "row 2, column 'time': 'now' is not a date"),
    ],
)
def test_malformed_rows_of_a_stream_are_named(text, said, tmp_path):
    source, _, _ = written(tmp_path)
    with pytest.raises(UserError) as caught:
        list(source.stream(tmp_path, "in").read(text.encode()))
    assert str(caught.value).startswith(f"in: {said}")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "file is missing: --set=file=clicks.csv with the columns visitor, time, page and label"),
        ({"file": "no.csv"}, "file=no.csv is neither here nor in"),
        ({"file": "one.csv"}, "two labels are needed, and there are 1"),
        ({"file": "few.csv"}, "of one label there are only 1 visitors, and 5 are needed"),
    ],
)
def test_real_data_say_what_they_need(options, said, tmp_path):
    (tmp_path / "one.csv").write_text("visitor,time,page,label\na,1,x,bot\n")
    (tmp_path / "few.csv").write_text("visitor,time,page,label\na,1,x,bot\nb,1,x,human\n")
    with pytest.raises(UserError) as caught:
        LabelledVisits(**options).load("real", tmp_path)
    assert said in str(caught.value)
