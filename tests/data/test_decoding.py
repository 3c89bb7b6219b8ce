"""seqjax.data.decoding: any encoding to UTF-8, and what is said where it is not told."""

import codecs

import pytest

from seqjax.data.decoding import utf8
from seqjax.errors import UserError

TEXTS = {
    "latin-1": "Größe, déjà vu",
    "cp1252": "“naïve” – 5 €",
    "gb18030": "这部电影很好看",
    "shift_jis": "この映画は面白い",
    "utf-16": "Größe 这",
    "utf-32": "Größe 这",
}


@pytest.mark.parametrize("encoding", TEXTS)
def test_an_encoding_that_is_told_is_read(encoding):
    assert utf8(TEXTS[encoding].encode(encoding), "f", encoding).decode() == TEXTS[encoding]


@pytest.mark.parametrize("mark", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_is_believed_and_goes(mark):
    assert utf8("é 这".encode(mark), "f") == "é 这".encode()
    assert utf8("é 这".encode(mark), "f", "latin-1") == "é 这".encode()
    assert utf8(codecs.BOM_UTF8, "f") == b""


@pytest.mark.parametrize("encoding", ["cp1252", "gb18030", "shift_jis"])
def test_the_right_encoding_is_among_those_that_are_offered(encoding):
    data = f"label,text\n1,fine\n2,{TEXTS[encoding]}\n".encode(encoding)
    with pytest.raises(UserError, match=r"f: row 3 is not UTF-8 text \(byte 0x.*encoding=") as caught:
        utf8(data, "f")
    offered = str(caught.value).partition("--set=encoding=")[2]
    assert encoding in offered
    start = TEXTS[encoding][:4]
    assert f"{encoding} reads '2,{start}" in offered


def test_what_nothing_likely_reads_is_offered_as_latin_1():
    with pytest.raises(UserError, match="encoding=latin-1 reads 'a"):
        utf8(b"a\x81\xff\x98\xa0", "f")


def test_a_told_encoding_that_does_not_fit_is_named():
    with pytest.raises(UserError, match=r"f: row 2 is not ascii text \(byte 0xe9\)$"):
        utf8(b"a\n\xe9", "f", "ascii")
    with pytest.raises(UserError, match="encoding=no-such is not known"):
        utf8(b"a", "f", "no-such")
