"""--mode=stream on a tiny language model: answers, states, and how it ends."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from typing import Any

import jax.numpy as jnp
import numpy as np
import optax
import pytest

from command_calls import call
from places import ROOT
from seqjax import experiment as experiments
from seqjax.data.text.characters import Characters
from seqjax.layers.backends import native_library
from seqjax.runs import commands
from seqjax.runs.streaming import Listener
from seqjax.training.program import Settings
from seqjax.training.workdir import Workdir

__all__ = ["call"]

TEXT = "".join(f"thé {'cat' if k % 3 else 'dog'} sat on the mat.\n" for k in range(60))
SMALL = ("units=8", "epochs=1", "batch_size=2", "sequence_length=16", "dropout=0.0")
SAID = "thé cat sat on thé dog.\nthe"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder with a run, and with one that says that it had another seed."""
    folder = tmp_path_factory.mktemp("stream")
    (folder / "text.txt").write_text(TEXT)
    native_library.refusal()  # not to be compiled into the other cache
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        options = [*SMALL, f"file={folder / 'text.txt'}"]
        workdir = Workdir(folder / "run")
        commands.train("shakespeare_lstm", workdir, options=options, data_dir=folder, settings=Settings())
    shutil.copytree(folder / "run", folder / "other")
    config = (folder / "other" / "config.json").read_text()
    (folder / "other" / "config.json").write_text(config.replace('"seed": 0', '"seed": 1'))
    return folder


def answers(listener, data, size):
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    return [line for piece in [*pieces, None] for lines in listener.answers(piece) for line in lines]


def test_each_character_has_its_surprise_however_the_bytes_come(runs):
    data = SAID.encode()
    listener: Any = Listener.of(Workdir(runs / "run"), "in")
    found = answers(listener, data, len(data))
    for size in (1, 7):
        assert answers(Listener.of(Workdir(runs / "run"), "in"), data, size) == found
    config = Workdir(runs / "run").config() or {}
    model = experiments.load(runs / "run" / "experiment.py")(**experiments.knobs(config)).model
    ids = jnp.array([[listener.stream.ids[character] for character in SAID]])
    logits, _ = model.apply({"params": listener.engine.params}, ids, method="run")
    nats = optax.softmax_cross_entropy_with_integer_labels(logits[0, :-1], ids[0, 1:])
    cells = [line.split("\t") for line in found]
    assert [cell[0] for cell in cells[:4]] == ['"t"', '"h"', '"é"', '" "']
    assert '"\\n"' in {cell[0] for cell in cells}
    assert cells[0][1] == "-"
    np.testing.assert_allclose([float(cell[1]) for cell in cells[1:]], nats, atol=6e-5)
    best = logits[0, :, 1:].argmax(-1)
    assert [cell[2] for cell in cells] == ['"\\n"' if k == 0 else f'"{listener.stream.alphabet[k]}"' for k in best]


def stream(call, runs, *flags, run="run", text="", binary=None):
    (runs / "in.txt").write_bytes(text.encode() if binary is None else binary)
    return call("--mode=stream", f"--workdir={runs / run}", f"--input={runs / 'in.txt'}", *flags)


def test_a_state_goes_on_over_a_restart(runs, call, tmp_path):
    code, whole, error = stream(call, runs, text=SAID)
    assert (code, error) == (0, "")
    assert whole.startswith("character\tnats\tnext\tprobability\n")
    parts = [stream(call, runs, "--state=a.state", text=part) for part in (SAID[:5], SAID[5:])]
    assert [code for code, _, _ in parts] == [0, 0]
    assert "".join(out for _, out, _ in parts) == whole  # the header once
    code, out, error = stream(call, runs, "--state=a.state", run="other", text=SAID)
    assert (code, out, error.count("\n")) == (2, "", 1)
    assert "--state=a.state is of another run" in error
    data = (tmp_path / "a.state").read_bytes()
    for broken in (b"", b"no state", data[: len(data) // 2], data[:40] + b"\0" * 40 + data[80:]):
        (tmp_path / "a.state").write_bytes(broken)
        code, out, error = stream(call, runs, "--state=a.state", text=SAID)
        assert (code, out, error.count("\n")) == (2, "", 1)
        assert "--state=a.state is damaged, or no state" in error


def test_marks_and_ends_of_lines_of_windows_do_not_count(runs):
    plain, odd = (Listener.of(Workdir(runs / "run"), "in") for _ in range(2))
    data = ("\ufeff" + SAID.replace("\n", "\r\n")).encode()
    assert answers(odd, data, 2) == answers(plain, SAID.encode(), 64)


def test_malformed_input_is_one_line_and_what_was_before_it_counts(runs, call, tmp_path):
    for bad, said in (
        ("the\ncaß".encode(), "line 2, character 3: 'ß' is none of the 15 characters"),
        (b"the\nca\xff", "line 2, character 3: byte 0xff is not UTF-8"),
        (b"the\nca\xc3", "line 2, character 3: byte 0xc3 is not UTF-8"),
    ):
        (tmp_path / "a.state").unlink(missing_ok=True)
        code, out, error = stream(call, runs, "--state=a.state", binary=bad)
        assert (code, error.count("\n")) == (2, 1)
        assert said in error
        _, rest, _ = stream(call, runs, "--state=a.state", text="t sat")
        assert out + rest == stream(call, runs, text="the\ncat sat")[1]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--set=units=3"], "a run streams with the knobs that it was trained with"),
        (["--state=."], "--state=. is a folder, not a file"),
        (["--input=nothing.txt"], "--input=nothing.txt cannot be read: No such file"),
        (["--mode=train", "--state=a"], "--state is for --mode=stream, not --mode=train"),
        (["--prompt=a"], "--prompt is for --mode=generate, not --mode=stream"),
    ],
)
def test_flags_that_do_not_fit_are_one_line(runs, call, flags, said):
    code, out, error = call("--mode=stream", f"--workdir={runs / 'run'}", *flags)
    assert (code, out, error.count("\n")) == (2, "", 1)
    assert said in error


def test_runs_of_whole_examples_are_refused(runs, call, monkeypatch):
    monkeypatch.delattr(Characters, "stream")
    code, out, error = stream(call, runs, text=SAID)
    assert (code, out, error.count("\n")) == (2, "", 1)
    assert "shakespeare_lstm reads whole examples (Characters), and has no answer before one has ended" in error


def test_a_signal_ends_the_waiting_and_the_state_is_saved(runs, call, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    written = threading.Event()

    def interrupt():
        with pipe.open("wb") as file:
            file.write(b"the cat")
            file.flush()
            written.set()
            time.sleep(1.5)
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1)

    thread = threading.Thread(target=interrupt)
    thread.start()
    code, out, error = call("--mode=stream", f"--workdir={runs / 'run'}", f"--input={pipe}", "--state=a.state")
    thread.join()
    assert (code, error) == (130, "seqjax: stopped by SIGINT after 7 steps, the state is in a.state\n")
    _, rest, _ = stream(call, runs, "--state=a.state", text=" sat")
    assert out + rest == stream(call, runs, text="the cat sat")[1]


@pytest.mark.slow
def test_a_closed_pipe_is_a_quiet_end_and_answers_come_before_the_input_ends(runs, tmp_path):
    command = [sys.executable, "-m", "seqjax.main", "--mode=stream", f"--workdir={runs / 'run'}", "--state=a.state"]
    piped: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, cwd=tmp_path, env=environment, **piped) as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        process.stdin.write(b"the")
        process.stdin.flush()
        lines = [process.stdout.readline() for _ in range(4)]  # with stdin still open
        assert lines[3].startswith(b'"e"')
        process.stdout.close()
        process.stdin.write(b" cat")
        process.stdin.close()
        assert process.stderr.read() == b""
        assert process.wait() == 0
    assert (tmp_path / "a.state").exists()
