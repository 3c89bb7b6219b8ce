"""The benchmark's command called within the tests' own process, on small workloads."""

import sys

import pytest

from seqjax.benchmark import __main__ as command


@pytest.fixture
def call(monkeypatch, capsys):
    """Run the command line within this process: (exit code, stdout, stderr)."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["seqjax.benchmark", *arguments])
        with pytest.raises(SystemExit) as stop:
            command.run()
        captured = capsys.readouterr()
        return stop.value.code, captured.out, captured.err

    return run
