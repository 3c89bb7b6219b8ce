"""The command line."""

import io
import subprocess
import sys
from pathlib import Path

import pytest

from command_calls import SMALL, call, write_weather
from seqjax import main
from seqjax.training.workdir import Workdir

__all__ = ["call"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--experiment=NAME is missing; choices: adding, addition_seq2seq, atis_bilstm"),
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
        (
            ["--mode=predict", "--workdir=here", "--input=-", "--set=no"],
            "--set is for --mode=train and evaluate; a run",
        ),
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


def test_a_byte_order_mark_is_no_part_of_the_first_word(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfgood\nb\xe9ad")
    text = main.read_input(str(tmp_path / "a.txt"))
    with pytest.raises(UnicodeDecodeError, match="0xe9"):
        text.read()
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfgood\r\n\xef\xbb\xbf")
    text = main.read_input(str(tmp_path / "a.txt"))
    assert text.read() == "good\r\n\ufeff"  # within the text it is left
    text.buffer.seek(0)
    assert text.buffer.read(4) == b"\xef\xbb\xbfg", "a table sees the bytes"


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
