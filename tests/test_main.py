"""The command line as its users call it: every wrong call, a whole run, and runs that are really killed."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from absl.testing import flagsaver

from seqjax import main
from seqjax.training.workdir import Workdir

RESULT_KEYS = {
    "experiment", "options", "parameters", "best_epoch", "validation", "test", "lecture", "data", "seconds",
    "examples_per_second",
}  # fmt: skip
SMALL = ["--experiment=jena_lstm", "--data=sample", "--set=units=4", "--set=sequence_length=24", "--set=epochs=3"]


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """Run the command line within this process, in an empty folder: (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEQJAX_DATA_DIR", str(tmp_path / "no-data"))

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["seqjax", *arguments, "--notune"])
        code = 0
        with flagsaver.flagsaver():
            try:
                main.run()
            except SystemExit as stop:
                code = stop.code or 0
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--experiment=NAME is missing; choices: csv_lstm"),
        (["--experiment=jena_lstn"], "did you mean 'jena_lstm'"),
        (["--experiment=../jena_lstm"], "no experiment '../jena_lstm'"),
        (["--experiment=jena_lstm", "--set=unit=3"], "no knob 'unit'; did you mean 'units'"),
        (["--experiment=jena_lstm", "--set=units=many"], "'units' takes an integer, not 'many'"),
        (["--experiment=jena_lstm", "--set=units"], "not of the form --set=knob=value"),
        (["--experiment=jena_lstm", "--set=epochs=-1"], "epochs must be at least 0"),
        (["--experiment=jena_lstm", "--data=sample", "--set=units=0"], "units must be at least 1"),
        (["--experiment=jena_lstm", "--data=sample", "--set=sequence_length=0"], "sequence_length"),
        (["--experiment=imdb_bilstm", "--data=sample", "--set=dropout=1.5"], "dropout=1.5 is not in [0, 1)"),
        (["--experiment=jena_lstm", "--set=learning_rate=-1"], "learning_rate=-1 is not in [0, inf)"),
        (["--experiment=jena_lstm", "--set=learning_rate=nan"], "learning_rate=nan is not in [0, inf)"),
        (["--experiment=jena_stacked_gru", "--set=layers=0"], "layers=0 is not in [1, inf)"),
        (["--experiment=jena_lstm_dropout", "--sweep=dropout=0.1,2"], "dropout=2 is not in [0, 1)"),
        (["--experiment=jena_lstm", "--steps_per_dispatch=0"], "steps_per_dispatch must be at least 1"),
        (["--experiment=jena_lstm", "--seeds=2", "--devices=2"], "--devices is for a single run"),
        (["--experiment=jena_lstm", "--seeds=2", "--explain"], "--explain is for a single run"),
        (["--experiment=jena_lstm", "--data=toy"], "real|sample"),
        (["--experimnt=jena_lstm"], "Unknown command line flag 'experimnt'. Did you mean: experiment"),
        (["jena_lstm"], "'jena_lstm' is not a flag"),
        (["--mode=predict", "--workdir=here"], "needs --input=FILE"),
        (["--mode=evaluate"], "needs --workdir=DIR"),
        (["--mode=evaluate", "--experiment=jena_lstm", "--seeds=2"], "--seeds and --sweep are for --mode=train"),
        (["--experiment=jena_lstm", "--seeds=0"], "seeds must be at least 1"),
        (["--experiment=jena_lstm", "--sweep=units"], "not of the form --sweep=knob=value,value"),
        (["--experiment=jena_lstm", "--sweep=units=1,,2"], "not of the form --sweep=knob=value,value"),
        (["--experiment=jena_lstm", "--sweep=unit=1,2"], "no knob 'unit'; did you mean 'units'"),
        (["--experiment=jena_lstm", "--sweep=units=1,2,1"], "has a value twice"),
        (["--experiment=jena_lstm", "--sweep=seed=1,2"], "give --seeds=N instead"),
        (["--experiment=jena_lstm", "--devices=0"], "devices must be at least 1"),
        (["--experiment=jena_lstm", "--data=sample", "--devices=4096"], "devices=4096: there are only"),
        (["--mode=evaluate", "--workdir=nowhere"], "holds no run; train one first"),
        (["--mode=evaluate", "--experiment=jena_lstm", "--input=-"], "--input is for --mode=predict"),
    ],
)
def test_a_wrong_call_is_one_clear_line_and_exit_code_2(call, tmp_path, arguments, message):
    code, out, error = call(*arguments)
    assert code == 2
    assert message in error
    assert error.count("\n") == 1
    assert "Traceback" not in error + out
    assert not any(tmp_path.iterdir())


def test_a_folder_of_another_experiment_is_refused_in_one_line(call, tmp_path):
    workdir = Workdir(tmp_path / "taken")
    workdir.claim({"experiment": "jena_gru", "options": {}, "data": "sample"}, {"experiment.py": "another = 1"})
    code, _, error = call("--experiment=jena_lstm", "--data=sample", f"--workdir={workdir.path}")
    assert (code, error.count("\n")) == (2, 1)
    assert "holds a run with experiment=jena_gru, not jena_lstm; choose another --workdir" in error


def test_help_and_list_need_neither_jax_nor_tensorflow():
    code = (
        "import sys, atexit\n"
        "heavy = ('jax', 'flax', 'tensorflow', 'numpy')\n"
        "atexit.register(lambda: print('LOADED', [name for name in heavy if name in sys.modules]))\n"
        "from seqjax.main import run\n"
        "run()\n"
    )
    for flag, expected in (("--help", "--experiment"), ("--list", "jena_naive")):
        done = subprocess.run([sys.executable, "-c", code, flag], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        assert expected in done.stdout
        assert "LOADED []" in done.stdout


def test_the_list_gives_description_and_the_lectures_number(call):
    code, out, _ = call("--list")
    assert code == 0
    line = next(line for line in out.splitlines() if line.startswith("imdb_unigram"))
    assert "accuracy 0.892" in line
    assert "320,033 parameters" in line


def test_a_run_from_training_to_prediction(call, tmp_path):
    code, out, error = call(*SMALL)
    assert code == 0, error
    assert "not the lecture's data" in out.splitlines()[-1]
    assert "best possible" in out.splitlines()[-1]
    workdir = tmp_path / "runs" / "jena_lstm"
    files = {file.name for file in workdir.iterdir()}
    assert {"config.json", "results.json", "metrics.jsonl", "curves.png", "experiment.py", "jena.json"} <= files
    results = json.loads((workdir / "results.json").read_text())
    assert set(results) >= RESULT_KEYS
    assert results["options"]["units"] == 4
    assert results["lecture"] == {"test": {"mae": 2.53}}
    assert results["data"] == "sample"
    assert (workdir / "curves.png").read_bytes().startswith(b"\x89PNG")
    config = json.loads((workdir / "config.json").read_text())
    assert {"experiment", "options", "fingerprint", "versions", "device"} <= set(config)

    before = {file: file.read_bytes() for file in workdir.rglob("*") if file.is_file()}
    code, again, _ = call(*SMALL)
    assert code == 0
    assert "finished already" in again
    assert again.splitlines()[-1] == out.splitlines()[-1]

    code, evaluated, error = call("--mode=evaluate", "--experiment=jena_lstm")
    assert code == 0, error
    assert evaluated.splitlines()[-1] == out.splitlines()[-1]

    for arguments, message in (
        ([*SMALL, "--set=units=5"], "units=4, not 5"),
        (["--experiment=jena_lstm", "--workdir=runs/jena_lstm"], "data=sample, not real"),
        (
            ["--experiment=jena_dense", "--data=sample", "--workdir=runs/jena_lstm"],
            "experiment=jena_lstm, not jena_dense",
        ),
        (["--mode=evaluate", "--experiment=jena_lstm", "--set=units=5"], "units=4, not 5"),
        (["--mode=predict", "--workdir=runs/jena_lstm", "--input=missing.csv"], "missing.csv cannot be read"),
    ):
        code, _, error = call(*arguments)
        assert (code, error.count("\n")) == (2, 1)
        assert message in error
    assert {file: file.read_bytes() for file in workdir.rglob("*") if file.is_file()} == before

    write_weather(tmp_path / "weather.csv", rows=30)
    code, predicted, error = call("--mode=predict", "--workdir=runs/jena_lstm", "--input=weather.csv")
    assert code == 0, error
    assert predicted.splitlines()[0] == "window_end,forecast_for,T (degC)"
    assert len(predicted.splitlines()) == 1 + 30 - 23
    assert np.isfinite(float(predicted.splitlines()[1].split(",")[2]))


def test_a_run_goes_on_with_its_own_copy_of_the_experiment(call, tmp_path, caplog):
    (tmp_path / "experiments").mkdir()
    mine = tmp_path / "experiments" / "mine.py"
    text = (Path(main.__file__).parent.parent / "experiments" / "jena_naive.py").read_text()
    mine.write_text(text)
    arguments = ["--experiment=mine", "--data=sample", "--set=sequence_length=24", "--explain"]
    code, out, error = call(*arguments)
    assert code == 0, error
    assert "no recurrent layer" in out
    mine.write_text(text.replace("normalise=False", "normalise=True"))  # would forecast z-scores
    code, again, _ = call(*arguments)
    assert code == 0
    assert again.splitlines()[-1] == out.splitlines()[-1]
    assert "mine.py has changed since this run began" in caplog.text
    assert (tmp_path / "runs" / "mine" / "experiment.py").read_text() == text


def write_weather(path, rows):
    from seqjax.data.series.sample_climate import climate

    sample = climate()
    lines = ["Date Time," + ",".join(f'"{name}"' for name in sample.columns)]
    for when, values in zip(sample.times[:rows], sample.values[:rows], strict=True):
        stamp = when.astype("datetime64[s]").item().strftime("%d.%m.%Y %H:%M:%S")
        lines.append(stamp + "," + ",".join(f"{value:.2f}" for value in values))
    path.write_text("\n".join(lines) + "\n")


def command(workdir, *extra):
    return [sys.executable, "-m", "seqjax.main", *SMALL, "--notune", f"--workdir={workdir}", *extra]


def final(workdir):
    rows = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in row.items() if k not in ("seconds", "examples_per_second")} for row in rows]


def parameters(workdir):
    """The bytes of the final state, read back through orbax by its own template-free restore."""
    import orbax.checkpoint as ocp

    newest = max((workdir / "checkpoints" / "latest").iterdir(), key=lambda folder: int(folder.name))
    restored = ocp.StandardCheckpointer().restore((newest / "state").resolve())
    return {k: v.tolist() if hasattr(v, "tolist") else v for k, v in flatten(restored["tree"]["params"]).items()}


def flatten(tree, prefix=""):
    if isinstance(tree, dict):
        return {k: v for name, sub in tree.items() for k, v in flatten(sub, f"{prefix}/{name}").items()}
    return {prefix: tree}


def wait_for(condition, process, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)


@pytest.mark.slow
def test_killed_and_terminated_runs_end_as_the_uninterrupted_one(call, tmp_path):
    environment = {**os.environ, "JAX_COMPILATION_CACHE_DIR": str(tmp_path / "xla")}
    options = {"env": environment, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    whole = tmp_path / "whole"
    code, _, error = call(*command(whole)[3:])
    assert code == 0, error

    broken = tmp_path / "broken"
    extra = ["--checkpoint_seconds=0"]
    rows = broken / "metrics.jsonl"
    latest = broken / "checkpoints" / "latest"
    steps = lambda: [int(folder.name) for folder in latest.glob("*") if folder.name.isdigit()]
    for number, ready in (
        (signal.SIGKILL, lambda: any(step > 0 for step in steps())),  # within the first epoch
        (signal.SIGTERM, lambda: rows.exists() and rows.read_text().count("\n") >= 1),
        (signal.SIGKILL, lambda: any(step > 137 for step in steps())),
    ):
        process = subprocess.Popen(command(broken, *extra), **options)
        wait_for(ready, process)
        process.send_signal(number)
        _, error = process.communicate(timeout=120)
        assert "Traceback" not in error
        if number == signal.SIGTERM:
            assert process.returncode == 128 + number, error
            assert "stopped by SIGTERM and saved at step" in error
        else:
            assert process.returncode == -number, error
    assert not (broken / "results.json").exists()
    code, out, error = call(*command(broken, *extra)[3:])
    assert code == 0, error
    assert "resuming at step" in out
    assert final(broken) == final(whole)
    assert parameters(broken) == parameters(whole)


def test_predict_reads_stdin(call, tmp_path, monkeypatch):
    def give(text):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))

    code, _, error = call(*SMALL, "--set=epochs=0", "--workdir=run")
    assert code == 0, error
    write_weather(tmp_path / "weather.csv", rows=30)
    predict = ["--mode=predict", "--workdir=run", "--input=-"]
    give((tmp_path / "weather.csv").read_text())
    code, out, error = call(*predict)
    assert code == 0, error
    assert len(out.splitlines()) == 8
    for text in ("Date Time,p (mbar)\n01.01.2009 00:10:00,abc\n", ""):
        give(text)
        code, _, error = call(*predict)
        assert (code, error.count("\n")) == (2, 1)
        assert "stdin" in error


def test_reviews_are_predicted_one_a_line(call, monkeypatch):
    code, _, error = call("--experiment=imdb_unigram", "--data=sample", "--set=epochs=1", "--set=vocabulary_size=300")
    assert code == 0, error
    reviews = "What a wonderful film!<br />I loved it.\n\nA dull and terrible mess.\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(reviews.encode())))
    code, out, error = call("--mode=predict", "--experiment=imdb_unigram", "--input=-")
    assert code == 0, error
    lines = [line.split("\t") for line in out.splitlines()]
    assert len(lines) == 3
    for label, probability in lines:
        assert (label == "positive") == (float(probability) >= 0.5)


def test_the_checkout_is_found_from_any_folder(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "seqjax.main", "--list"], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert Path(main.__file__).parent.parent / "experiments" / "jena_lstm.py"
    assert "jena_lstm" in done.stdout
