"""seqjax.data.series: the field's files of labelled series, as they are written and as people write them."""

import gzip
import lzma

import numpy as np
import pytest

from places import DATA
from seqjax.data.series import series_files
from seqjax.data.series.ragged import Ragged
from seqjax.data.series.series_files import SeriesForm
from seqjax.errors import UserError

HEADER = "# said by nobody\n@problemName P\n@timeStamps false\n@univariate false\n@classLabel true Left right\n"
TS = HEADER + "@data\n1,2,?:0.5,-1e-1,NaN:Left\n\n# between\n3:4:RIGHT\n"
TABLE = SeriesForm("id", "label", "t")


def parsed(text, form=None, name="x.ts", **options):
    data = text if isinstance(text, bytes) else text.encode()
    return series_files.parse(data, name, form or SeriesForm(), **options)


def same(found: Ragged, values, labels):
    assert found.labels == labels
    assert len(found.values) == len(values)
    for own, expected in zip(found.values, values, strict=True):
        np.testing.assert_array_equal(own, np.array(expected, float))


@pytest.mark.parametrize(
    "text",
    [
        TS,
        TS.replace("\n", "\r\n"),
        "\ufeff" + TS,
        TS.replace("@classLabel", "@CLASSLABEL").replace("@data", "@DATA").replace("@timeStamps", "@timestamps"),
        TS.replace("# said", "% said").replace(":", " : ").replace(",", " , "),
    ],
)
def test_a_ts_file_in_all_its_dialects(text):
    found = parsed(text)
    same(found, [[[1, 0.5], [2, -0.1], [np.nan, np.nan]], [[3, 4]]], ["Left", "right"])
    assert found.missing == 2
    assert found.lengths.tolist() == [3, 1]
    assert found.rows == [text.replace("\r\n", "\n").split("\n").index(line) + 1 for line in _data_lines(text)]


def _data_lines(text):
    lines = text.replace("\r\n", "\n").lstrip("\ufeff").split("\n")
    return [line for line in lines if line.endswith(("Left", "RIGHT"))]


def test_time_stamps_are_read_over():
    text = "@timestamps true\n@classlabel true 1 2\n@data\n(2007-01-01 00:00:00,-4.0),(2007-01-01 00:01:00,?)"
    found = parsed(text + ":(0,1.5),(1,2):1\n")
    same(found, [[[-4, 1.5], [np.nan, 2]]], ["1"])
    assert found.notes == ("time stamps are not used",)


def test_a_file_of_series_without_labels():
    found = parsed("@classLabel false\n@data\n1,2\n3,4,5\n")
    same(found, [[[1], [2]], [[3], [4], [5]]], None)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("1,2,?:", "1,2:", "row 7: dimension 2 has 3 steps, the first 2"),
        ("3:4:RIGHT", "3:RIGHT", "row 10: 1 dimensions, but the first series has 2"),
        ("3:4:RIGHT", "3:4:up", "row 10: 'up' is none of the header's labels: Left, right"),
        ("3:4:RIGHT", "3:4:", "row 10: the label is missing"),
        ("3:4:RIGHT", "3::RIGHT", "row 10: dimension 2 is empty"),
        ("3:4:RIGHT", "3,4", "row 10: there is no colon|none of the header's labels"),
        ("3:4:RIGHT", "3:4x:RIGHT", "row 10, dimension 2, value 1: '4x' is not a finite number"),
        ("3:4:RIGHT", "3:inf:RIGHT", "row 10, dimension 2, value 1: 'inf' is not a finite number"),
        ("3:4:RIGHT", "3:1_0:RIGHT", "value 1: '1_0' is not a finite number"),
        ("@univariate false", "@univariate true", "row 7: 2 dimensions, but the header says @univariate true"),
        ("@univariate false", "@dimensions 3", "row 7: 2 dimensions, but the header says @dimensions 3"),
        (
            "@univariate false",
            "@equalLength true",
            "row 10: 1 steps, the first series has 3, the header says @equalLength true",
        ),
        (
            "@univariate false",
            "@equalLength true\n@seriesLength 1",
            "row 8: 3 steps, .* the header says @seriesLength 1",
        ),
        ("@univariate false", "@univariate perhaps", "row 4: @univariate takes true or false, not 'perhaps'"),
        ("@univariate false", "@dimensions two", "row 4: @dimensions takes a whole number, not 'two'"),
        ("@classLabel true Left right", "@targetLabel true", "row 5: .*labels are numbers to be regressed"),
        ("@univariate false", "univariate", "row 4: 'univariate' stands before @data"),
        ("@data\n", "", "there is no line @data"),
    ],
)
def test_what_is_wrong_with_a_ts_file_is_named(old, new, said):
    assert old in TS
    with pytest.raises(UserError, match=f"x.ts: .*{said}|x.ts: {said}"):
        parsed(TS.replace(old, new))


@pytest.mark.parametrize("mark", ["\t", ",", "  "])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_ucr_lines_with_any_mark_between(mark, end):
    lines = [mark.join(cells) for cells in (["1", "0.5", "1.5", "NaN"], ["-1", "2e0", "NaN", "-3"])]
    found = parsed(end.join(lines), name="x.tsv")
    same(found, [[[0.5], [1.5]], [[2], [np.nan], [-3]]], ["1", "-1"])


def test_old_copies_of_ucr_write_classes_as_floats():
    found = parsed("  1.0000000e+00  2.5  3\n -1.0000000e+00  4  5\n  1.5 1 2\n", name="x.txt")
    assert found.labels == ["1", "-1", "1.5"]
    assert parsed("walk,1,2\nrun,3\n").labels == ["walk", "run"]
    with pytest.raises(UserError, match=r"row 1, value 1: 'value' is not a finite number .*--set=series=COLUMN"):
        parsed("id,value,label\n1,2,a\n")
    with pytest.raises(UserError, match=r"value 1: '2:a' is not a finite number .* need the header of a \.ts file"):
        parsed("1,2:a\n3,4:b\n")
    with pytest.raises(UserError, match="row 1: '1': a class and values are expected"):
        parsed("1\n")


ARFF = "% c\n@relation 'x'\n\n@ATTRIBUTE a0 numeric\n@attribute 'a 1' real\n@attribute target {1,2}\n\n@DATA\n"
RELATIONAL = "@relation x\n@attribute r relational\n@attribute a0 numeric\n@attribute a1 numeric\n@end r\n"
RELATIONAL += "@attribute class {up,down}\n@data\n"


def test_arff_of_one_dimension_and_of_more():
    same(parsed(ARFF + "0.5,-1,1\n2,?,'2'\n"), [[[0.5], [-1]], [[2]]], ["1", "2"])
    first = parsed(ARFF.replace("target {1,2}", "zz numeric").replace("a0 numeric", "t {1,2}") + "1,3,4\n")
    same(first, [[[3], [4]]], ["1"])
    found = parsed(RELATIONAL + "'1,2\\n3,?',up\n\"5\\n6\", down\n")
    same(found, [[[1, 3], [2, np.nan]], [[5, 6]]], ["up", "down"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (ARFF + "{1 2}\n", "row 9: a sparse instance"),
        (ARFF + "1,2\n", "row 9: 2 values, but there are 3 attributes"),
        (ARFF.replace("{1,2}", "string") + "1,2,3\n", "0 attributes are classes"),
        (ARFF, "nothing stands behind @data"),
        (RELATIONAL + "1,2,up\n", "row 8: '1,2,up' is no quoted series"),
        (RELATIONAL + "'1,2\\n3',up\n", "row 8: dimension 2 has 1 steps, the first 2"),
        (RELATIONAL + "'1\\n3',up\n'1',down\n", "row 9: 1 dimensions, but the first series has 2"),
    ],
)
def test_what_is_wrong_with_an_arff_file_is_named(text, said):
    with pytest.raises(UserError, match=said):
        parsed(text)


LONG = "id,t,x,y,label\nb,2,1,10,up\na,1,5,50,down\nb,1,2,,up\na,3,7,70,down\n"


def test_a_long_table_in_the_order_of_its_times():
    found = parsed(LONG, TABLE, "x.csv")
    same(found, [[[2, np.nan], [1, 10]], [[5, 50], [7, 70]]], ["up", "down"])
    assert (found.ids, found.dimensions, found.rows) == (["b", "a"], ("x", "y"), [2, 3])
    untimed = parsed(LONG.replace(",t,", ",z,"), SeriesForm("id", "label", values="y,x"), "x.csv")
    same(untimed, [[[10, 1], [np.nan, 2]], [[50, 5], [70, 7]]], ["up", "down"])
    dated = LONG.replace("b,2", "b,2024-01-02").replace("b,1", "b,2024-01-01 10:00").replace("a,1", "a,2023-05-05")
    same(parsed(dated.replace("a,3", "a,2024-01-01"), TABLE, "x.csv"), found.values, found.labels)
    without = parsed("id,t,x,y\na,1,2,3\n", TABLE, "x.csv", labelled=False)
    same(without, [[[2, 3]]], None)
    twice = parsed(LONG.replace("a,3", "a,1"), TABLE, "x.csv")
    assert twice.notes == ("1 rows repeat a time of their series",)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("a,3,7,70,down", "a,3,7,70,up", "series 'a' has the labels down, up"),
        ("b,1,2,,up", ",1,2,,up", "row 4, column 'id': no series is named"),
        ("b,1,2", "b,1,two", "row 4, column 'x': 'two' is not a finite number"),
        ("b,1,2", "b,soon,2", "row 4, column 't': 'soon' is not a finite number"),
        ("b,1,2", "b,,2", "row 4, column 't': the time is missing"),
        ("b,2,1", "b,soon,1", "row 2, column 't': 'soon' is not a date"),
        ("id,t", "name,t", "there is no column 'id'; columns: name, t, x, y, label"),
    ],
)
def test_what_is_wrong_with_a_long_table_is_named(old, new, said):
    with pytest.raises(UserError, match=said):
        parsed(LONG.replace(old, new), TABLE, "x.csv")


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress])
def test_files_may_be_packed(pack, tmp_path):
    path = tmp_path / "x.ts.packed"
    path.write_bytes(pack(TS.encode()))
    same(series_files.read(path, SeriesForm()), parsed(TS).values, ["Left", "right"])


def test_a_file_to_learn_from_has_all_its_labels(tmp_path):
    path = tmp_path / "x.ts"
    for text, said in (
        ("@classLabel false\n@data\n1,2\n", "the header says @classLabel false"),
        (TS.replace("RIGHT", "?"), "row 10: the label is missing"),
        ("1\t2\t3\nNaN\t2\t3\n", "row 2: the label is missing"),
        ("", "the file is empty"),
    ):
        path.write_text(text)
        with pytest.raises(UserError, match=said):
            series_files.read(path, SeriesForm())
    with pytest.raises(UserError, match="label is missing: --set=label=COLUMN"):
        series_files.read(path, SeriesForm("id"))
    with pytest.raises(UserError, match="label is for a long table"):
        SeriesForm(label="y")


def test_ford_a_is_the_archives():
    from seqjax.data.series.ford_a import FordA

    if not (DATA / "ucr").is_dir():
        pytest.skip(f"no FordA in {DATA}")
    train, test, _, _ = FordA().examples(DATA)
    assert (len(train.values), len(test.values)) == (3601, 1320)
    assert [train.labels.count(label) for label in ("-1", "1")] == [1846, 1755]
    flat = np.stack(test.values)[:, :, 0]
    np.testing.assert_allclose(flat.mean(axis=1), 0, atol=1e-6)
    np.testing.assert_allclose(flat.std(axis=1, ddof=1), 1, atol=1e-3)
