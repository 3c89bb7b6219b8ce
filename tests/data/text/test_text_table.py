"""seqjax.data.text.text_table: the same rows in every kind of file, and what is said of malformed ones."""

import csv
import gzip
import io
import json
import lzma

import pyarrow as pa
import pytest
from pyarrow import parquet

from seqjax.data.text.text_table import is_table, read
from seqjax.errors import UserError

ROWS = [
    ("good", 'It is "great",\nreally\tgreat', "1"),
    ("no spam", "a, b; c\u2028d\u0085e", "2"),
    ("bad", "这部电影 😀 不好", "3"),
    ("NA", "None", "4"),
    ("x", "\xa0a word that ends in\xa0", "5"),
]
COLUMNS = ["label", "text", "id"]


def as_csv(rows=ROWS, **options):
    stream = io.StringIO(newline="")
    csv.writer(stream, **options).writerows([COLUMNS, *rows])
    return stream.getvalue().encode()


def as_lines(rows=ROWS, ascii=False):
    return "".join(json.dumps(dict(zip(COLUMNS, row, strict=True)), ensure_ascii=ascii) + "\n" for row in rows).encode()


def as_parquet(rows=ROWS):
    stream = io.BytesIO()
    parquet.write_table(pa.table({name: [row[k] for row in rows] for k, name in enumerate(COLUMNS)}), stream)
    return stream.getvalue()


KINDS = {
    "csv": as_csv(),
    "csv of excel": as_csv(delimiter=";").decode().encode("utf-8-sig"),
    "csv in utf-16": as_csv().decode().encode("utf-16"),
    "csv of unix": as_csv(lineterminator="\n"),
    "all quoted": as_csv(quoting=csv.QUOTE_ALL),
    "tsv": as_csv(delimiter="\t"),
    "json lines": as_lines(),
    "json lines in ascii": as_lines(ascii=True),
    "json array": json.dumps([dict(zip(COLUMNS, row, strict=True)) for row in ROWS], indent=1).encode(),
    "parquet": as_parquet(),
    "gzip": gzip.compress(as_csv()),
    "xz": lzma.compress(as_lines()),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_rows_from_every_kind(kind):
    found = read(KINDS[kind], "f", ["text", "label"])
    assert found.columns == [[row[1] for row in ROWS], [row[0] for row in ROWS]]
    assert is_table(KINDS[kind], "f", "text")


def message(data, columns=("text",), **options):
    with pytest.raises(UserError) as caught:
        read(data, "f", columns, **options)
    return str(caught.value)


def test_rows_are_counted_as_lines_of_the_file():
    assert read(as_csv(), "f", ["id"]).lines == [2, 4, 5, 6, 7]  # the first goes over two lines
    assert read(as_lines(), "f", ["id"]).lines == [1, 2, 3, 4, 5]
    assert read(b'{"text": 1}\n\n{"text": null}\n{"other": true}', "f", ["text"]).lines == [1, 3, 4]


def test_several_columns_are_joined_and_one_with_a_comma_is_one():
    assert read(b"a,b,c\nx,y,1\n,z,2\n", "f", ["a,b"]).columns == [["x y", "z"]]
    assert read(b'"a,b",c\nx,1\n', "f", ["a,b"]).columns == [["x"]]


def test_numbers_and_truth_values_are_what_csv_would_write():
    data = b'{"text": 1, "y": 2.0}\n{"text": 1.5, "y": true}\n{"text": null, "y": NaN}\n'
    assert read(data, "f", ["text", "y"]).columns == [["1", "1.5", ""], ["2", "true", ""]]
    stream = io.BytesIO()
    parquet.write_table(
        pa.table({"text": pa.array(["a", "b", "a"]).dictionary_encode(), "y": [1.0, float("nan"), 2.5]}), stream
    )
    assert read(stream.getvalue(), "f", ["text", "y"]).columns == [["a", "b", "a"], ["1", "", "2.5"]]


def test_a_cell_of_a_million_characters():
    text = "wort " * 200_000
    assert read(f"text,label\n{text},1\n".encode(), "f", ["text"]).columns == [[text.strip()]]


def test_quoted_lines_that_look_like_rows_stay_in_their_cell():
    chat = "2015-01-01, good morning\n2015-01-02, good night"
    assert read(f'label,text\n1,"{chat}"\n'.encode(), "f", ["text"]).columns == [[chat]]


def test_malformed_files_name_the_culprit():
    assert message(b"a,b\n1,2\n") == "f: there is no column 'text'; columns: a, b"
    assert message(as_lines(), ["body"]) == "f: there is no column 'body'; columns: label, text, id"
    assert message(as_parquet(), ["body"]) == "f: there is no column 'body'; columns: label, text, id"
    assert message(b"text,b\n1,2\n3\n").startswith("f: row 3 has 1 cells instead of 2")
    assert message(b'text,b\n1,2\n"3,4\n5,6\n').startswith("f: row 3: a quote is left open")
    assert message(b'{"text": 1}\n{"text": \n').startswith("f: row 2 is no JSON (Expecting value")
    assert message(b'{"text": 1}\n3\n') == "f: row 2 is no JSON object"
    assert message(b'{"text": ["a"]}\n') == "f: row 1, column 'text': \"['a']\" is no text"
    assert message(b"") == "f: the file is empty"
    assert message(b"text,b\n").startswith("f: too few rows")
    assert message("text,b\né,1\n".encode("latin-1")).startswith("f: row 2 is not UTF-8 text")
    assert message(as_parquet()[:-20]).startswith("f: the Parquet file is damaged")
    stream = io.BytesIO()
    parquet.write_table(pa.table({"text": [["a"], ["b"]]}), stream)
    assert message(stream.getvalue()) == "f: column 'text' of list<element: string> holds no text"


def test_what_is_a_table():
    assert not is_table(b"this is a text, and\nanother one", "stdin", "text")
    assert not is_table(b"", "stdin", "text")
    assert is_table(b"id,text\n1,a\n", "stdin", "text")
    assert is_table(b"this is a text, and\nanother one", "new.csv.gz", "text")  # which then has no such column


def test_without_quotes_they_are_characters_like_others():
    data = b'text\tlabel\nsure\t"yes\nmaybe\tno"\n"Go", he said\t3" pipe\n'
    assert read(data, "f", ["text", "label"], quotes=False).columns == [
        ["sure", "maybe", '"Go", he said'],
        ['"yes', 'no"', '3" pipe'],
    ]
    assert read(b'"a"\tb\n1\t2\n', "f", ['"a"'], quotes=False).columns == [["1"]]
