"""Packed tables are told by their content; what is damaged, or no table, is said in one line."""

import bz2
import gzip
import io
import lzma
import zipfile

import pyarrow as pa
import pytest

from seqjax.data.series import csv_table
from seqjax.data.series.csv_table import Form, parse
from seqjax.errors import UserError

PLAIN = "t,y\n2020-01-01,1\n2020-01-02,2.5\n"


def message(data):
    with pytest.raises(UserError) as caught:
        parse(data, "f", Form())
    assert "\n" not in str(caught.value)
    return str(caught.value)


def zstd(data):
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return sink.getvalue().to_pybytes()


def in_two_pieces(data):
    return gzip.compress(data[:9]) + gzip.compress(data[9:])


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, zstd, in_two_pieces])
def test_every_packing_reads_the_same(pack):
    assert parse(pack(PLAIN.encode()), "f", Form()).values.tolist() == [[1], [2.5]]


def test_files_by_their_content_and_not_by_their_names(tmp_path):
    (tmp_path / "a.csv").write_bytes(gzip.compress(PLAIN.encode()))
    assert csv_table.read(tmp_path / "a.csv", Form()).values.tolist() == [[1], [2.5]]
    with zipfile.ZipFile(tmp_path / "b.gz", "w") as archive:
        archive.writestr("__MACOSX/._x.csv", "junk")
        archive.writestr("x.CSV", PLAIN)
        archive.writestr("readme.txt", "hello")
    assert csv_table.read(tmp_path / "b.gz", Form()).values.tolist() == [[1], [2.5]]
    with pytest.raises(UserError, match="Is a directory"):
        csv_table.read(tmp_path, Form())


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        (["a.csv", "b.csv"], r"f: one \.csv is expected in the archive, not 2"),
        (["a.jpg"], r"f: one \.csv is expected in the archive, not 0"),
        (["[Content_Types].xml", "xl/workbook.xml"], "f: this is a workbook, not a table of text: save it as CSV"),
    ],
)
def test_a_zip_of_other_things(members, expected):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for member in members:
            archive.writestr(member, PLAIN)
    with pytest.raises(UserError, match=expected):
        parse(buffer.getvalue(), "f", Form())


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_a_damaged_archive(pack):
    whole = pack(PLAIN.encode() * 50)
    assert message(whole[:-5]).startswith("f: the archive is damaged or truncated")
    assert message(whole[:30] + bytes([whole[30] ^ 0x55]) + whole[31:]).startswith("f: the archive is damaged")
    assert message(pack(b"")) == "f: the file is empty"


@pytest.mark.parametrize(
    "data", [b"PK\x03\x04junk", b"PAR1junk", b"\x89PNG\r\n\x1a\n\0", b"<html>\n<body>", b'[{"a": 1}]']
)
def test_what_is_no_table(data):
    assert message(data).startswith("f: ")
