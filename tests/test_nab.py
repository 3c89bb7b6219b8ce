"""python -m seqjax.nab: any detector's scores, from CSV files."""

import csv
import gzip
import json

import numpy as np
import pytest

from seqjax import nab as command
from seqjax.data.series import nab as corpus
from tool_calls import called

NAMES = ("realTweets/a.csv", "realKnownCause/b.csv")


@pytest.fixture
def folder(tmp_path):
    """A corpus of two files, and a detector that finds all, once with a prefix as NAB writes it, once packed."""
    labels = {}
    for number, name in enumerate(NAMES):
        times = np.datetime64("2020-01-01T00:00:00") + np.arange(100) * np.timedelta64(5, "m")
        texts = [str(time).replace("T", " ") for time in times]
        place = tmp_path / "data" / "nab" / "data" / name
        place.parent.mkdir(parents=True)
        place.write_text("timestamp,value\n" + "".join(f"{text},{k}\n" for k, text in enumerate(texts)))
        labels[name] = [[f"{texts[40]}.000000", f"{texts[49]}.000000"]]
        rows = "".join(f"{text},{k},{int(k == 40) + 0.1 * number}\n" for k, text in enumerate(texts))
        place = tmp_path / "scores" / name
        place.parent.mkdir(parents=True)
        table = f"timestamp,value,anomaly_score\n{rows}"
        if number:
            place.with_name("b.csv.gz").write_bytes(gzip.compress(table.encode()))
        else:
            place.with_name("mine_a.csv").write_text(table)
    (tmp_path / "data" / "nab" / "labels").mkdir()
    (tmp_path / "data" / corpus.WINDOWS.join(["nab/", ""])).write_text(json.dumps(labels))
    return tmp_path


def judged(folder, *more, code=0):
    done = called(command, f"--scores={folder / 'scores'}", f"--data_dir={folder / 'data'}", *more)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout if code == 0 else done.stderr


def test_a_detector_that_finds_all_has_100_in_every_profile(folder):
    said = judged(folder, f"--output={folder / 'table.csv'}").splitlines()
    assert said[0] == "2 files, 2 windows"
    scores = {line.split()[0]: float(line.split()[1]) for line in said[2:5]}
    assert scores == {"standard": 100, "reward_low_FP_rate": 100, "reward_low_FN_rate": 100}
    rows = list(csv.DictReader((folder / "table.csv").read_text().splitlines()))
    found = [(row["file"], row["windows"], float(row["raw"])) for row in rows]
    assert found == [(name, "1", 1) for name in sorted(NAMES)]


def test_some_folders_alone_are_judged(folder):
    assert judged(folder, "--only=realKnownCause").startswith("1 files, 1 windows")
    assert judged(folder, "--only=realTweets/a").startswith("1 files, 1 windows")


def test_what_is_wrong_is_one_line(folder):
    scores = folder / "scores" / "realTweets"
    assert "--scores=FOLDER is missing" in called(command).stderr
    assert "--scores=none is no folder" in called(command, "--scores=none").stderr
    assert "its folders: realKnownCause, realTweets" in judged(folder, "--only=x", code=2)
    said = judged(folder, "--column=score", code=2)
    assert "there is no column 'score'; columns: timestamp, value, anomaly_score" in said
    text = (scores / "mine_a.csv").read_text()
    for wrong, said in (
        (text.replace("00:05:00", "00:06:00"), "mine_a.csv: row 3 is not that of NAB's realTweets/a.csv"),
        (text.rsplit("\n", 2)[0], "the number of rows is not that of NAB's realTweets/a.csv: 99 rows instead of 100"),
        (text.replace(",1.0\n", ",nan\n"), "mine_a.csv: scores hold nan in row 41"),
        (text.replace(",1.0\n", ",high\n"), "mine_a.csv: row 42: could not convert"),
    ):
        (scores / "mine_a.csv").write_text(wrong)
        assert said in judged(folder, code=2)
    (scores / "other_a.csv").write_text(text)
    assert "several detectors' files: mine_a.csv, other_a.csv" in judged(folder, code=2)
    for path in scores.iterdir():
        path.unlink()
    assert "there is no file" in judged(folder, code=2)
