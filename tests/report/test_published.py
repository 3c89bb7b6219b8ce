"""seqjax.report.published: CSV files of accuracies."""

import pytest

from seqjax.errors import UserError
from seqjax.report import published


def write(tmp_path, text, name="a.csv"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    "text",
    [
        "data set,HC2,ROCKET\nx,0.9,0.8\ny,,1\n",
        "\ufeffdata set;HC2;ROCKET\r\nx;0.9;0.8\r\ny;-;1\r\n",
        "data set\tHC2\tROCKET\n x \t 0.9 \t0.8\n\ny\tNaN\t1\n",
        'data set,HC2,ROCKET\n"x",0.9,0.8\ny,?,1',
    ],
)
def test_files_of_any_usual_kind_are_read(tmp_path, text):
    found = published.read([write(tmp_path, text)], "ts_gru")
    assert found == {"HC2": {"x": 0.9}, "ROCKET": {"x": 0.8, "y": 1.0}}


def test_several_files_are_one_table(tmp_path):
    files = [write(tmp_path, "d,A\nx,0.5\n"), write(tmp_path, "d,B\ny,0.25\n", "b.csv")]
    assert published.read(files, "ts_gru") == {"A": {"x": 0.5}, "B": {"y": 0.25}}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "wanted is a header"),
        ("d\nx\n", "wanted is a header, data set and methods, not 'd'"),
        ("d,A,A\nx,1,1\n", "the header has 'A' twice"),
        ("d,A,\nx,1,1\n", "the header has an empty name"),
        ("d,A\nx,0.5,1\n", "a.csv, line 2: 3 cells under a header of 2"),
        ("d,A\nx,0.5\nx,1\n", "a.csv, line 3: x is there twice"),
        ("d,A\n,0.5\n", "a.csv, line 2: no data set is named"),
        ("d,A\nx,93.2\n", "a.csv, line 2, A: 93.2 is no accuracy between 0 and 1"),
        ("d,A\nx,best\n", "a.csv, line 2, A: 'best' is no number"),
        ("d,A\nx,inf\n", "a.csv, line 2, A: inf is no accuracy"),
        (b"d,A\n\xff,1\n", "byte 0xff is not UTF-8"),
        ("d,ts_gru\nx,1\n", "there is a method 'ts_gru' already; rename the column"),
    ],
)
def test_what_is_no_table_is_refused_by_its_place(tmp_path, text, said):
    with pytest.raises(UserError, match=said):
        published.read([write(tmp_path, text)], "ts_gru")


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UserError, match=r"--published=.*none\.csv cannot be read: No such file"):
        published.read([tmp_path / "none.csv"], "ts_gru")
