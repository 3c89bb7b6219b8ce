"""seqjax.data.text.classified: lines and tables to be classified, and the lines that are printed."""

import gzip
import io
import json

import numpy as np
import pytest

from seqjax.data.text.classified import line_of, probabilities, requests
from seqjax.data.text.vectorizer import Vectorizer
from seqjax.errors import UserError


@pytest.fixture
def assets(tmp_path):
    Vectorizer.fit(["good film", "bad film", "schön"], length=4).save(tmp_path)
    facts = {"classes": ["a b", "c"], "column": "text", "encoding": "cp1252", "delimiter": "", "quotes": "double"}
    (tmp_path / "classes.json").write_text(json.dumps(facts))
    return tmp_path


def ids(assets, data, name="stdin"):
    found = requests(assets, io.TextIOWrapper(io.BytesIO(data), encoding="utf-8", newline="\n"), name)
    return found.gather(found.arrays, found.ids).tolist()


def words(assets, *texts):
    return Vectorizer.load(assets)(texts).tolist()


def test_lines_and_tables_give_the_same(assets):
    expected = words(assets, "good film", "", "bad")
    assert ids(assets, b"good film\n\nbad\n") == expected
    assert ids(assets, b"good film\r\n\r\nbad") == expected
    assert ids(assets, gzip.compress(b"good film\n\nbad\n")) == expected
    assert ids(assets, b"id,text\n1,good film\n2,\n3,bad\n") == expected
    assert ids(assets, b"text\tlabel\ngood film\tc\n\tc\nbad\tunheard of\n") == expected
    assert ids(assets, b'{"text": "good film"}\n{"text": ""}\n{"text": "bad"}\n') == expected
    assert ids(assets, b"") == []
    assert ids(assets, b"good film, a text, and so on\n") == words(assets, "good film, a text, and so on")


def test_the_encoding_is_the_runs_unless_the_file_is_beyond_doubt(assets):
    expected = words(assets, "schön")
    assert ids(assets, "schön\n".encode("cp1252")) == expected
    assert ids(assets, "schön\n".encode()) == expected
    assert ids(assets, "text\nschön\n".encode("utf-8-sig")) == expected
    assert ids(assets, "text\nschön\n".encode("utf-16")) == expected


def test_a_table_without_the_column_is_not_taken_for_lines(assets):
    with pytest.raises(UserError, match=r"new\.csv: there is no column 'text'; columns: id, body"):
        ids(assets, b"id,body\n1,good\n", "new.csv")


def test_lines_of_output():
    line = line_of(["a b", "c", "d"])
    assert line(0, np.array([0.0, np.log(2), 0.0], np.float32)) == "c\t0.2500\t0.5000\t0.2500"
    assert line(0, np.array([1000.0, 0.0, -1000.0])) == "a b\t1.0000\t0.0000\t0.0000"
    line = line_of(["no", "yes"])
    assert line(0, np.float32(np.log(3))) == "yes\t0.2500\t0.7500"
    assert line(0, np.float32(-1000)) == "no\t1.0000\t0.0000"
    assert line(0, np.float32(0)) == "no\t0.5000\t0.5000"  # as the rows of reviews
    np.testing.assert_allclose(probabilities(np.float32(0.3)).sum(), 1)


def test_the_header_names_the_classes(assets):
    assert requests(assets, io.StringIO("x\n"), "f").header == "class\ta b\tc"
