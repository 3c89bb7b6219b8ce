"""python -m seqjax.archive: from a folder of data sets to runs, tables and a diagram."""

import csv
import subprocess
import sys

import numpy as np
import pytest

from places import ROOT

KNOBS = ["--set=epochs=2", "--set=units=4", "--set=batch_size=8"]


def archive(*flags, code=0):
    done = subprocess.run(
        [sys.executable, "-m", "seqjax.archive", *map(str, flags)], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def write(place, name, broken=False):
    """Two classes that a step tells apart."""
    rng = np.random.default_rng(len(name))
    for part, count in (("TRAIN", 20), ("TEST", 10)):
        rows = [[k % 2, *(rng.normal(size=6) * 0.1 + k % 2).round(3)] for k in range(count)]
        if broken:
            rows[3][2] = "x"
        (place / f"{name}_{part}.tsv").write_text("".join("\t".join(map(str, row)) + "\n" for row in rows))


def rows_of(path):
    return list(csv.DictReader(path.read_text().splitlines()))


@pytest.mark.slow
def test_a_folder_is_trained_and_ranked_and_goes_on(tmp_path):
    data, output = tmp_path / "data", tmp_path / "out"
    data.mkdir()
    for name in ("Aa", "Bbb", "Cccc"):
        write(data, name, broken=name == "Bbb")
    (tmp_path / "p.csv").write_text("data set,Good,Bad\nAa,1,0\nCccc,1,0.1\nElsewhere,1,1\nBbb,1,1\n")
    flags = [f"--folder={data}", f"--output={output}", *KNOBS, f"--published={tmp_path / 'p.csv'}"]
    said = archive(*flags, code=1)
    assert "1 data sets failed:\n  Bbb/seed_0: seqjax:" in said
    assert "Bbb_TRAIN.tsv" in said
    assert "2 of 3 runs finished" in said
    assert "ts_gru has no figure of 1 data sets, which are not ranked: Bbb" not in said, "ours are what is ranked"
    runs = {row["data set"]: row for row in rows_of(output / "runs.csv")}
    assert runs["Aa"]["epochs"] == "2"
    assert "Bbb_TRAIN.tsv" in runs["Bbb"]["why"]
    found = {row["data set"]: row for row in rows_of(output / "accuracies.csv")}
    assert found["Bbb"]["ts_gru"] == ""
    assert found["Cccc"]["Bad"] == "0.1"
    assert found["Aa"]["nearest_neighbour"] == "1.0"
    ranked = [row["method"] for row in rows_of(output / "ranks.csv")]
    assert set(ranked) == {"ts_gru", "Good", "Bad", "nearest_neighbour", "largest_class"}
    assert ranked[-1] == "Bad"
    assert "Good" in (output / "ranks.svg").read_text()
    write(data, "Bbb")
    said = archive(*flags)
    assert "Bbb/seed_0:" in said
    assert "Aa/seed_0:" not in said, "what is finished is not begun again"
    assert "3 of 3 runs finished" in said


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ([], "--folder=DIR is missing"),
        (["--folder=none"], "--folder=none does not exist"),
        (["runs"], "'runs' is not a flag"),
        (["--folder={data}", "--seeds=0"], "seeds must be at least 1, not 0"),
        (["--folder={data}", "--only=Zz"], "--only=Zz: there is no such data set; choices: Aa"),
        (["--folder={data}", "--methods=HC2"], "--methods=HC2: no --published has it; choices: none"),
        (["--folder={data}", "--experiment=ts_gr"], "did you mean 'ts_gru'"),
    ],
)
def test_wrong_flags_are_one_line(tmp_path, flags, said):
    write(tmp_path, "Aa")
    output = archive(*(flag.format(data=tmp_path) for flag in flags), f"--output={tmp_path / 'out'}", code=2)
    assert said in output
    assert len(output.strip().splitlines()) == 1


def test_without_a_run_there_are_tables_and_no_ranks(tmp_path):
    write(tmp_path, "Aa")
    said = archive(f"--folder={tmp_path}", f"--output={tmp_path / 'out'}", "--train=false")
    assert "0 of 1 runs finished" in said
    assert "No ranks: 1 methods with 0 data sets in common" in said
    assert rows_of(tmp_path / "out" / "runs.csv") == [{"data set": "Aa", "seed": "0", "why": "not finished"}]
