"""The folder, the card and the command: what is never overwritten, what the hub reads, what is refused in a line."""

import json

import numpy as np
import pytest

yaml = pytest.importorskip("yaml")
pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")
from export_rows import small  # noqa: E402
from seqjax.data.dataset import Dataset  # noqa: E402
from seqjax.errors import UserError  # noqa: E402
from seqjax.export import __main__ as command  # noqa: E402
from seqjax.export import card, folder, targets  # noqa: E402
from seqjax.export.subject import Subject  # noqa: E402
from tool_calls import called  # noqa: E402

RESULTS = {
    "test": {"loss": 9.0, "mae": 2.53, "odd": float("nan")},
    "baselines": {"naive": {"test": {"mae": 2.62}}},
    "best_epoch": 7,
}
SEEDS = {"test": {"mae": {"mean": 2.55, "std": 0.01, "half_interval_95": 0.025, "count": 3}}}
SEEDS["seeds"] = [{"seed": k} for k in range(3)]


def subject(path, name="jena_simple_rnn", seeds=None, **knobs):
    """A run that was never trained, with examples of noise."""
    experiment, params, inputs = small(name, **knobs)
    path.mkdir(exist_ok=True)
    (path / "experiment.py").write_text('"""A model: of one line.\n\nMore.\n"""\n')
    (path / "jena.json").write_text(
        json.dumps(
            {"columns": ["a", "T: (degC)"], "step": 3600, "sampling_rate": 1, "sequence_length": 120, "delay": 143,
             "mean": [0, 0], "std": [1, 1]}
        )
    )  # fmt: skip
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(40, *inputs.shape[1:])).astype(np.float32)
    gather = lambda arrays, ids: (arrays["x"][ids], arrays["x"][ids, 0, 0])
    dataset = Dataset(
        {"x": noise}, gather, {"train": np.arange(4), "test": np.arange(40)}, name, "f00d", {"jena.json": ""}
    )
    config = {"experiment": name, "options": {"units": 6, "seed": 0}, "data": "sample", "fingerprint": "f00d"}
    config |= {"description": 'weather: "hourly" # rows', "device": "cpu, 2 cores", "versions": {"jax": "0.10.2"}}
    return Subject(path, config, RESULTS, experiment, params, dataset, seeds)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    path = tmp_path_factory.mktemp("export")
    lines = targets.export(subject(path / "run"), "onnx", path / "out")
    return path, lines


def test_it_says_what_it_has_proven_and_measured(exported):
    path, lines = exported
    assert lines[0] == "jena_simple_rnn: RecurrentForecaster, 133 parameters"
    assert "on 32 real examples" in lines[1]
    assert "masked ones" in lines[1]
    assert [line.split(":")[0] for line in lines[2:4]] == ["batch 1", "batch 32"]
    assert "onnxruntime" in lines[2]
    assert sorted(entry.name for entry in (path / "out").iterdir()) == [
        *("README.md", "export.json", "model.onnx", "predict.json", "predict.py"),
    ]


def test_an_export_may_be_written_anew_and_nothing_else(exported):
    path, _ = exported
    (path / "out" / "notes.txt").write_text("mine")
    targets.export(subject(path / "run"), "safetensors", path / "out")
    assert sorted(entry.name for entry in (path / "out").iterdir()) == [
        *("README.md", "export.json", "jena.json", "model.safetensors", "notes.txt"),
    ]
    mine = path / "mine"
    mine.mkdir()
    (mine / "thesis.tex").write_text("years of work")
    with pytest.raises(UserError, match=r"holds other files \(thesis.tex, ...\) and no export; choose an empty or"):
        folder.write(mine, {"thesis.tex": "gone"}, {})
    assert (mine / "thesis.tex").read_text() == "years of work"
    (mine / folder.MARK).write_text('{"seqjax": "export", "files": ["../secret", "/etc/passwd", 3]}')
    with pytest.raises(UserError, match="other files"):
        folder.check(mine)
    with pytest.raises(UserError, match="is a file"):
        folder.check(mine / "thesis.tex")


def test_a_run_s_own_folder_is_no_export(exported):
    path, _ = exported
    with pytest.raises(UserError, match="other files"):
        folder.check(path / "run")


def test_what_fails_leaves_nothing(tmp_path):
    made = subject(tmp_path / "run", "jena_recurrent", cell="mingru")
    with pytest.raises(UserError, match="MinGRU with its own recurrence has no operator in ONNX; choices: --to=stable"):
        targets.export(made, "onnx", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_card_s_head_is_what_the_hub_reads(exported):
    path, _ = exported
    text = card.text(subject(path / "run"), "onnx", ["proven"], "a CSV")
    _, head, body = text.split("---\n", 2)
    found = yaml.safe_load(head)
    assert {"license", "library_name", "tags", "pipeline_tag", "metrics", "model-index"} <= set(found)
    assert (found["license"], found["library_name"], found["metrics"]) == ("apache-2.0", "onnx", ["mae"])
    (index,) = found["model-index"]
    (result,) = index["results"]
    assert index["name"] == "jena_simple_rnn"
    assert result["task"]["type"] == "time-series-forecasting"
    assert result["dataset"] == {"name": 'weather: "hourly" # rows', "type": "jena_simple_rnn", "split": "test"}
    assert result["metrics"] == [{"type": "mae", "name": "test mae", "value": 2.53}]
    for said in (
        "A model: of one line.",
        "f00d",
        "generated data",
        "2.62",
        "Seed 0;",
        "epoch 7",
        "Apache-2.0",
        "proven",
    ):
        assert said in body
    assert "9" not in body.partition("## Scores")[2].partition("## Training")[0], "the loss is no score"


def test_seeds_have_an_interval(exported):
    path, _ = exported
    text = card.text(subject(path / "run", seeds=SEEDS), "keras", [], "")
    assert "| mae | 2.55 ± 0.025 (95 %, 3 seeds) |" in text
    assert "Seeds 0, 1, 2; the weights are those of seed 0" in text
    assert yaml.safe_load(text.split("---\n")[1])["model-index"][0]["results"][0]["metrics"][0]["value"] == 2.55


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--to=tflite", "--workdir=a", "--output=b"], "--to=tflite is unknown; choices: onnx, onnx-step, stablehlo, "),
        (["--workdir=a", "--output=b"], "--to is missing; choices: onnx"),
        (["--to=onnx", "--output=b"], "--workdir is missing"),
        (["--to=onnx", "--workdir=a"], "--output is missing"),
        (["--to=onnx", "--workdir=a", "--output=b", "more"], "'more' is not expected"),
        (["--to=onnx", "--workdir=a", "--output=b", "--gradient"], "--gradient is for --to=stablehlo, not --to=onnx"),
        (["--to=onnx", "--workdir=nowhere", "--output=b"], "workdir nowhere holds no run"),
        (["--to=onnx", "--wrkdir=a"], "Unknown command line flag 'wrkdir'"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(arguments, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = called(command, *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "b").exists()


def test_the_command_s_choices_are_the_targets():
    assert tuple(targets.TARGETS) == command.TARGETS
