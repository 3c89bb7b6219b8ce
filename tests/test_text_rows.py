"""The rows of texts: the same steps as the IMDB rows on the same reviews; from a CSV to its classes; predict."""

import csv
import json

import jax
import numpy as np
import pytest

from command_calls import call
from seqjax import experiment as experiments
from seqjax import folders
from seqjax.data.text import sample_reviews
from seqjax.training.program import Program, Settings
from seqjax.training.state import create_state

__all__ = ["call"]

SMALL = {"vocabulary_size": 200, "epochs": 1}
PAIRS = {
    "text_bow": ("imdb_unigram", SMALL),
    "text_bilstm": ("imdb_bilstm_masked", {**SMALL, "sequence_length": 48, "embedding_size": 8, "units": 4}),
}


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setattr(folders, "cache_dir", lambda: tmp_path / "seqjax")


def trained(name, options, data, data_dir, steps=6):
    """The parameters of a row after some steps, and the scores of the validation part."""
    function = experiments.load(experiments.find(name))
    experiment = experiments.build(function, options)
    dataset = experiment.source.load(data, data_dir)
    experiment = experiments.build(function, experiments.knobs({"options": options, "told": dataset.knobs}))
    program = Program(experiment, dataset, Settings(steps_per_dispatch=2, devices=1))
    state = program.place(create_state(experiment, dataset.example(), dataset.initial, dataset.target()))
    for batch in program.batches("train", 0, steps, experiment.seed):
        state, _ = program.train(state, batch)
    return jax.device_get(state.params), program.evaluate(state.params, "validation", state.tally())


def write_reviews(path, dataset):
    """The sample reviews in the parts that a row of reviews has drawn, in the file's own order."""
    made = sample_reviews.reviews()
    digest = lambda k: __import__("hashlib").sha256(made.train_texts[k].encode()).digest()
    ranked = np.array(sorted(range(2000), key=lambda k: (made.train_labels[k], digest(k))))
    part = np.array(["train"] * 2000, "U10")
    part[ranked[dataset.parts["validation"]]] = "validation"
    labels = lambda numbers: ["positive" if number else "negative" for number in numbers]
    rows = [*zip(made.train_texts, labels(made.train_labels), part, strict=True)]
    rows += [(text, label, "test") for text, label in zip(made.test_texts, labels(made.test_labels), strict=True)]
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([("review", "sentiment", "part"), *rows])


@pytest.mark.slow
@pytest.mark.parametrize("name", PAIRS)
def test_a_row_on_the_reviews_as_a_csv_is_the_row_of_reviews(name, tmp_path):
    theirs, options = PAIRS[name]
    function = experiments.load(experiments.find(theirs))
    write_reviews(tmp_path / "reviews.csv", function(**options).source.load("sample", tmp_path))
    expected, scores = trained(theirs, options, "sample", tmp_path)
    columns = {"file": "reviews.csv", "text": "review", "label": "sentiment", "split": "part"}
    found, own = trained(name, {**options, **columns, "classes": None}, "real", tmp_path)
    assert own == scores
    jax.tree.map(np.testing.assert_array_equal, found, expected)


MESSAGES = [
    ("Where is my parcel? 我的包裹", "late parcel"), ("The parcel is late", "late parcel"),
    ("Please refund me", "refund"), ("I want my money, refund it", "refund"),
    ("Thanks, well done", "praise"), ("Well done you!", "praise"),
]  # fmt: skip


def test_from_a_csv_to_classes(call, tmp_path):
    letters = "abcdefghijklmnop"
    rows = [(f"{text} {letters[k] * 3}", label) for k in range(16) for text, label in MESSAGES]
    with (tmp_path / "own.csv").open("w", encoding="utf-8-sig", newline="") as stream:
        csv.writer(stream, delimiter=";").writerows([("body", "kind"), *rows])
    knobs = ["file=own.csv", "text=body", "label=kind", "epochs=20", "vocabulary_size=100", "class_weights=balanced"]
    code, out, err = call("--experiment=text_bow", "--workdir=w", *(f"--set={knob}" for knob in knobs))
    assert code == 0, err
    assert out.splitlines()[-1].startswith("text_bow: test accuracy 1.0000 (largest class 0.3333; naive bayes")
    results = json.loads((tmp_path / "w/results.json").read_text())
    assert results["details"]["test"]["confusion"]["classes"] == ["late parcel", "praise", "refund"]
    counts = np.array(results["details"]["test"]["confusion"]["counts"])
    np.testing.assert_array_equal(counts, np.diag(counts.diagonal()))
    assert results["details"]["test"]["f1_of"] == {"late parcel": 1, "praise": 1, "refund": 1}
    (tmp_path / "own.csv").unlink()  # predict needs the run alone
    (tmp_path / "new.jsonl").write_text('{"body": "no refund yet"}\n{"body": "done well"}\n')
    (tmp_path / "new.txt").write_text("no refund yet\ndone well\n")
    tables = [call("--mode=predict", "--workdir=w", f"--input={name}") for name in ("new.jsonl", "new.txt")]
    assert tables[0] == tables[1]
    header, first, second = tables[0][1].splitlines()
    assert header == "class\tlate parcel\tpraise\trefund"
    assert (first.split("\t")[0], second.split("\t")[0]) == ("refund", "praise")
    assert sum(map(float, first.split("\t")[1:])) == pytest.approx(1, abs=2e-4)


@pytest.mark.parametrize(
    ("knobs", "said"),
    [
        ([], "file is missing: --set=file=PATH.csv --set=text=COLUMN --set=label=COLUMN, or --data=sample"),
        (["file=gone.csv"], "file=gone.csv is neither here nor in"),
        (["file=own.csv"], "there is no column 'text'; columns: body, kind"),
        (["file=own.csv", "text=body", "label=body"], "is this the column of the labels?"),
        (["classes=1"], "classes must be at least 2, not 1"),
    ],
)
def test_a_wrong_knob_is_one_line(call, tmp_path, knobs, said):
    (tmp_path / "own.csv").write_text("body,kind\n" + "".join(f"text {k},{'ab'[k % 2]}\n" for k in range(20)))
    code, _, err = call("--experiment=text_bow", *(f"--set={knob}" for knob in knobs))
    assert code == 2
    assert said in err
    assert len(err.strip().splitlines()) == 1
