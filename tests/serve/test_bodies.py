"""What a body may not say."""

import json

import pytest

from seqjax.errors import UserError
from seqjax.serve import bodies
from seqjax.serve.limits import RefusedError


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"[1]", "must be a JSON object"),
        (b'"a"', "must be a JSON object"),
        (b'{"a": NaN}', "NaN is no number"),
        (b'{"a": -Infinity}', "-Infinity is no number"),
        (b'{"a": 1e999}', "too large"),
        (b'{"a": ' + b"9" * 5_000 + b"}", "too large"),
        (b'{"a":' * 100_000, "nested deeper"),
        (b"[" * 100_000 + b"]" * 100_000, "nested deeper"),
        (b'{"a": "\xff"}', "byte 0xff at 7"),
        ('{"a": 1}'.encode("utf-16"), "not UTF-8"),
        (b'{"a": 1, "a": 2}', "'a' is there twice"),
        (b'{"a": "line\nline"}', "not JSON"),
        (b'{"a": 01}', "not JSON"),
        (b"{'a': 1}", "not JSON"),
        (b'{"a": 1} {"b": 2}', "not JSON"),
    ],
)
def test_what_is_no_json_is_refused(body, said):
    with pytest.raises(UserError, match=said):
        bodies.read(body)


def test_brackets_in_strings_are_not_counted():
    found = {"text": '[{"' * 5_000 + "\\", "deep": [[[[1.5]]]], "more": "[" * 40}
    assert bodies.read(json.dumps(found).encode()) == found


@pytest.mark.parametrize("value", [None, 1, True, [], {}, ["a"]])
def test_a_text_is_a_string(value):
    with pytest.raises(UserError, match="text must be a string"):
        bodies.text(value, "text", 10)


def test_half_a_pair_and_what_is_too_long():
    with pytest.raises(UserError, match="character 2 is half of a surrogate pair"):
        bodies.text("a\ud800", "text", 10)
    with pytest.raises(RefusedError) as refused:
        bodies.text("a" * 11, "text", 10)
    assert refused.value.status == 413


@pytest.mark.parametrize("value", ["1", True, [1], 0, 11, 10**400, 1.5])
def test_a_number_is_whole_and_in_its_range(value):
    with pytest.raises(UserError, match="beam must be"):
        bodies.number({"beam": value}, "beam", None, 1, 10, whole=True)
    assert bodies.number({"beam": 10}, "beam", None, 1, 10, whole=True) == 10
    assert bodies.number({}, "beam", 3, 1, 10, whole=True) == 3


@pytest.mark.parametrize("value", [None, 1, "a", "####", "ä", "YQ="])
def test_what_is_no_base64_is_refused(value):
    with pytest.raises(UserError, match="audio"):
        bodies.content(value, "audio")
    assert bodies.content("YQ==", "audio") == b"a"
