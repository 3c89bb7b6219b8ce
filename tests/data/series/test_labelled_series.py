"""seqjax.data.series.labelled_series: parts, scales, holes, batches, and the series of a user."""

import io
from pathlib import Path

import numpy as np
import pytest

from seqjax.data.series import class_baselines, sample_series
from seqjax.data.series.labelled_series import LabelledSeries
from seqjax.data.series.own_series import OwnSeries
from seqjax.data.series.series_files import SeriesForm
from seqjax.errors import UserError


def write(path, count=40, seed=0, ragged=True, holes=False, dimensions=2, classes=("no", "yes")):
    rng = np.random.default_rng(seed)
    lines = []
    for k in range(count):
        values = rng.normal(5, 2, (int(rng.integers(3, 9)) if ragged else 6, dimensions))
        cells = [[f"{value:.3f}" for value in column] for column in values.T]
        if holes and k % 4 == 0:
            cells[0][1] = "?"
        lines.append(":".join([*map(",".join, cells), classes[k % len(classes)]]))
    path.write_text("@classLabel true " + " ".join(classes) + "\n@data\n" + "\n".join(lines) + "\n")
    return str(path)


def loaded(file, test_file="", **options):
    return LabelledSeries(OwnSeries(file, test_file), **options).load("real", Path())


def test_parts_are_drawn_by_seed_from_each_class(tmp_path):
    file = write(tmp_path / "a.ts")
    dataset = loaded(file)
    assert {part: len(ids) for part, ids in dataset.parts.items()} == {"train": 26, "validation": 6, "test": 8}
    assert sorted(np.concatenate(list(dataset.parts.values()))) == list(range(40))
    for ids in dataset.parts.values():
        assert dataset.arrays["labels"][ids].mean() == 0.5
    other = loaded(file, split_seed=1)
    assert set(other.parts["test"]) != set(dataset.parts["test"])
    assert other.fingerprint != dataset.fingerprint
    tested = loaded(file, write(tmp_path / "b.ts", 10, 1))
    assert tested.parts["test"].tolist() == list(range(40, 50))
    assert set(tested.parts["validation"]) < set(range(40))
    assert dataset.knobs == {"classes": 2, "examples": 26}


def test_equal_series_are_in_one_part(tmp_path):
    lines = [f"{k % 10},1,2:{'ab'[k % 2]}" for k in range(50)]
    (tmp_path / "a.ts").write_text("@classLabel true a b\n@data\n" + "\n".join(lines))
    dataset = loaded(str(tmp_path / "a.ts"))
    seen = [set(dataset.arrays["values"][ids, 0, 0].tolist()) for ids in dataset.parts.values()]
    assert sum(map(len, seen)) == 10
    assert len(seen[1]) == len(seen[2]) == 2
    (tmp_path / "b.ts").write_text("@classLabel true a b\n@data\n" + "\n".join(lines[:3]))
    assert (
        "3 of the test series stand in the training file too"
        in loaded(*[str(tmp_path / f"{k}.ts") for k in "ab"]).description
    )


def test_the_training_part_alone_says_how_values_are_scaled(tmp_path):
    file = write(tmp_path / "a.ts", ragged=False)
    dataset = loaded(file)
    train = dataset.arrays["values"][dataset.parts["train"]]
    np.testing.assert_allclose(train.mean((0, 1)), 0, atol=1e-5)
    np.testing.assert_allclose(train.std((0, 1)), 1, atol=1e-5)
    test = write(tmp_path / "b.ts", 10, 1, ragged=False)
    both = loaded(file, test)
    np.testing.assert_allclose(both.arrays["values"][both.parts["train"]].std((0, 1)), 1, atol=1e-5)
    own = loaded(file, normalize="series").arrays["values"]
    np.testing.assert_allclose(own.mean(1), 0, atol=1e-5)
    np.testing.assert_allclose(own.std(1), 1, atol=1e-5)
    assert loaded(file, normalize="none").arrays["values"].mean() == pytest.approx(5, abs=0.5)


def test_large_values_are_scaled_and_constant_ones_left(tmp_path):
    (tmp_path / "a.ts").write_text("@data\n" + "\n".join(f"{k}e300,5:7,7:{'ab'[k % 2]}" for k in range(20)))
    dataset = loaded(str(tmp_path / "a.ts"), missing="mask")
    values = dataset.arrays["values"][dataset.parts["train"]]
    np.testing.assert_allclose(values[:, :, 0].std(), 1, atol=1e-5)
    assert not values[:, :, 1].any()
    with pytest.raises(UserError, match="row 3: a value is too large for float32; normalize it"):
        loaded(str(tmp_path / "a.ts"), normalize="none")


def test_ragged_series_are_padded_with_what_is_not_real(tmp_path):
    dataset = loaded(write(tmp_path / "a.ts", classes=("a", "b", "c")), normalize="none")
    (values, real), targets = dataset.gather(dataset.arrays, np.arange(40, dtype=np.int32))
    rows = (tmp_path / "a.ts").read_text().splitlines()[2:]
    for k, row in enumerate(rows):
        *cells, label = row.split(":")
        expected = np.array([own.split(",") for own in cells], np.float32).T
        assert real[k].sum() == len(expected)
        np.testing.assert_array_equal(values[k, : len(expected)], expected)
        assert not values[k, len(expected) :].any()
        assert dataset.classes[targets[k]] == label
        assert dataset.lengths[k] >= len(expected)
    assert targets.dtype == np.int32
    (cut, _), _ = dataset.cut(5)(dataset.arrays, np.arange(3))
    assert cut.shape == (3, 5, 2)


def test_weights_are_balanced(tmp_path):
    lines = ["1,2:a"] * 3 + [f"{k},2:b" for k in range(12)] + ["2,2:a", "3,2:a"]
    (tmp_path / "a.ts").write_text("@classLabel true a b\n@data\n" + "\n".join(lines))
    dataset = loaded(str(tmp_path / "a.ts"), weighted=True)
    _, (labels, weights) = dataset.gather(dataset.arrays, dataset.parts["train"])
    sums = [weights[labels == k].sum() for k in (0, 1)]
    assert sums == pytest.approx([len(labels) / 2] * 2)


def test_missing_values_are_filled_marked_or_refused_and_counted(tmp_path):
    lines = ["?,2,?,4:1,1,1,1:a", "1,?,?,?:?,?,?,?:b"] + [f"{k},5,6,7:{k},1,2,3:{'ab'[k % 2]}" for k in range(10)]
    (tmp_path / "a.ts").write_text("@classLabel true a b\n@data\n" + "\n".join(lines))
    file = str(tmp_path / "a.ts")
    filled = loaded(file, normalize="none")
    assert filled.arrays["values"][0, :, 0].tolist() == [2, 2, 3, 4]
    assert filled.arrays["values"][1, :, 0].tolist() == [1, 1, 1, 1]
    assert filled.arrays["values"][1, :, 1].tolist() == [0, 0, 0, 0]  # nothing to go by: the mean
    assert "9 values missing (interpolate)" in filled.description
    marked = loaded(file, normalize="none", missing="mask").arrays["values"]
    assert marked.shape == (12, 4, 4)
    assert marked[0, :, 0].tolist() == [0, 2, 0, 4]
    assert marked[0, :, 2].tolist() == [0, 1, 0, 1]
    assert marked[1, :, 3].tolist() == [0, 0, 0, 0]
    with pytest.raises(UserError, match="row 3: a value is missing"):
        loaded(file, missing="refuse")


def test_a_series_that_ends_in_missing_values_is_shorter(tmp_path):
    rows = ["1\t5\tNaN\tNaN", "1\t5\t6\t7", "2\tNaN\tNaN\tNaN", *(f"{1 + k % 2}\t{k}\t6\t7" for k in range(8))]
    (tmp_path / "a.tsv").write_text("\n".join(rows))
    dataset = loaded(str(tmp_path / "a.tsv"))
    (_, real), _ = dataset.gather(dataset.arrays, np.arange(4))
    assert real.sum(1).tolist() == [1, 3, 1, 3]  # one of no value at all keeps a step


def test_too_few_for_a_validation_part_is_said(tmp_path):
    lines = [f"{k},2,3:{'abc'[k % 3]}" for k in range(6)]
    (tmp_path / "a.ts").write_text("@classLabel true a b c\n@data\n" + "\n".join(lines))
    dataset = loaded(str(tmp_path / "a.ts"), write(tmp_path / "b.ts", 9, classes=("a", "b", "c"), dimensions=1))
    assert dataset.parts["validation"].tolist() == dataset.parts["train"].tolist()
    assert "it is the training part itself" in dataset.description
    with pytest.raises(UserError, match=r"a.ts: too few series"):
        loaded(str(tmp_path / "a.ts"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"classes": 3}, "2 classes, not 3"),
        ({"normalize": "both"}, "normalize='both': choose training, series, none"),
        ({"missing": "zero"}, "missing='zero': choose interpolate, mask, refuse"),
        ({"test_file": "b.ts"}, "dimensions of the training file: 2; of the test file: 1"),
        ({"test_file": "c.ts"}, "class 'maybe' is in the test part, but not in the training part"),
        ({"test_file": "d.ts"}, "test_file=.*d.ts is neither here nor in"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, options, said):
    file = write(tmp_path / "a.ts")
    write(tmp_path / "b.ts", dimensions=1)
    write(tmp_path / "c.ts", classes=("no", "maybe"))
    if "test_file" in options:
        options = {"test_file": str(tmp_path / options["test_file"])}
    with pytest.raises(UserError, match=said):
        loaded(file, **options)


def test_baselines_are_the_largest_class_and_the_nearest_neighbour(tmp_path):
    numbers, parts = (
        np.array([0, 0, 0, 1, 1, 0, 1, 1]),
        {"train": np.arange(5), "validation": np.array([5, 6]), "test": np.array([7])},
    )
    flat = np.array([[0.0], [0], [0], [9], [8], [1], [7], [2]])
    found = class_baselines.baselines(numbers, parts, flat)
    assert found["largest_class"]["validation"] == pytest.approx(
        {"accuracy": 0.5, "balanced_accuracy": 0.5, "macro_f1": 1 / 3}
    )
    assert found["nearest_neighbour"]["validation"]["accuracy"] == 1
    assert found["nearest_neighbour"]["test"]["accuracy"] == 0
    assert "nearest_neighbour" not in loaded(write(tmp_path / "a.ts")).baselines


def test_the_sample_knows_its_optimum():
    made = sample_series.series()
    assert 0.9 < made.certainty.mean() < 0.98
    guessed = [sample_series.CLASSES[sample_series.posterior(own).argmax()] for own in made.test.values]
    hits = np.mean(np.array(guessed) == made.test.labels)  # who knows the patterns is as good as is said
    deviation = np.sqrt((made.certainty * (1 - made.certainty)).mean() / len(guessed))
    assert abs(hits - made.certainty.mean()) < 4 * deviation
    dataset = LabelledSeries(OwnSeries("")).load("sample", Path())
    assert dataset.optimum["accuracy"] == pytest.approx(made.certainty.mean())
    with pytest.raises(UserError, match="file is missing"):
        LabelledSeries(OwnSeries("")).load("real", Path())


@pytest.fixture
def run(tmp_path):
    """A run's folder, and its dataset."""
    dataset = loaded(write(tmp_path / "a.ts", holes=True))
    for name, text in dataset.assets.items():
        (tmp_path / name).write_text(text)
    return tmp_path, dataset


def asked(folder, text, name="x"):
    return LabelledSeries(OwnSeries("")).requests(folder, io.StringIO(text), name)


def test_a_users_series_are_seen_as_those_of_the_run(run):
    folder, dataset = run
    text = (folder / "a.ts").read_text()
    found = asked(folder, text)
    assert found.header == "class\tno\tyes"
    assert found.line(0, np.float32(2)) == "yes\t0.1192\t0.8808"
    ids = np.arange(40, dtype=np.int32)
    for ours, theirs in zip(found.gather(found.arrays, ids), dataset.gather(dataset.arrays, ids)[0], strict=True):
        np.testing.assert_array_equal(ours, theirs)
    lines = "\n".join(line.rpartition(":")[0] for line in text.splitlines()[2:])
    values, _ = asked(folder, lines + "\n\n").gather(found.arrays, ids)
    np.testing.assert_array_equal(values, dataset.gather(dataset.arrays, ids)[0][0])
    assert len(asked(folder, "").ids) == 0
    with pytest.raises(UserError, match="x: row 1: dimensions: 1; those of the run: 2"):
        asked(folder, "1,2,3\n")
    with pytest.raises(UserError, match="x: row 2: 1 dimensions, but the first series has 2"):
        asked(folder, "1,2:3,4\n1,2\n")


def test_a_label_that_stands_first_is_read_over(tmp_path):
    rows = [f"{1 + k % 2},{k},6,7" for k in range(10)]
    (tmp_path / "a.csv").write_text("\n".join(rows))
    dataset = loaded(str(tmp_path / "a.csv"), normalize="none")
    for name, text in dataset.assets.items():
        (tmp_path / name).write_text(text)
    first = lambda text, name: asked(tmp_path, text, name).arrays["values"][0, :, 0].tolist()
    assert first("1,5,6,7\n", "-") == [1, 5, 6, 7]
    assert first("1,5,6,7\n", "new.csv") == [5, 6, 7]
    assert first("1\t5\t6\t7\n", "-") == [5, 6, 7]


def test_a_long_table_is_asked_with_or_without_its_labels(tmp_path):
    rows = [f"{k},{t},{k + t},{'ab'[k % 2]}" for k in range(12) for t in range(3)]
    (tmp_path / "a.csv").write_text("id,t,x,label\n" + "\n".join(rows))
    source = LabelledSeries(OwnSeries(str(tmp_path / "a.csv"), "", SeriesForm("id", "label", "t")), normalize="none")
    dataset = source.load("real", tmp_path)
    assert dataset.arrays["values"].shape == (12, 3, 1)
    for name, text in dataset.assets.items():
        (tmp_path / name).write_text(text)
    for text in ("id,t,x\n7,1,5\n7,0,4\n", "id,t,x,label\n7,1,5,a\n7,0,4,a\n"):
        assert source.requests(tmp_path, io.StringIO(text), "b.csv").arrays["values"].tolist() == [[[4], [5]]]
