"""The command called within the tests' own process."""

import sys

import pytest
from absl.testing import flagsaver

from seqjax import main

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


def write_weather(path, rows):
    from seqjax.data.series.sample_climate import climate

    sample = climate()
    lines = ["Date Time," + ",".join(f'"{name}"' for name in sample.columns)]
    for when, values in zip(sample.times[:rows], sample.values[:rows], strict=True):
        stamp = when.astype("datetime64[s]").item().strftime("%d.%m.%Y %H:%M:%S")
        lines.append(stamp + "," + ",".join(f"{value:.2f}" for value in values))
    path.write_text("\n".join(lines) + "\n")
