"""Streams of characters: every target once, every state handed on, and the likelihood of the generated lines."""

import io
import itertools
import math
from pathlib import Path

import numpy as np
import pytest

from places import DATA
from seqjax.data.text import sample_lines, shakespeare
from seqjax.data.text.characters import Characters, encoded, numbered, read_alphabet
from seqjax.errors import UserError

LETTERS = "abcdefghijklmnopqrstuvwxyz"
TEXT = LETTERS + "".join(LETTERS[k % 26] for k in np.random.default_rng(0).geometric(0.2, 1977))


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def dataset(tmp_path, text=TEXT, **options):
    (tmp_path / "own.txt").write_text(text, encoding="utf-8")
    return Characters(**{"streams": 4, "length": 16, "file": str(tmp_path / "own.txt"), **options}).load(
        "real", tmp_path
    )


@pytest.mark.parametrize("streams", [1, 4, 7, 64])
@pytest.mark.parametrize("stateful", [True, False])
def test_every_character_but_a_parts_first_is_forecast_once(tmp_path, streams, stateful):
    found = dataset(tmp_path, streams=streams, stateful=stateful)
    text = found.arrays["text"]
    for part, ids in found.parts.items():
        (inputs, _), targets = found.gather(found.arrays, ids)
        counted = targets > 0
        start = found.arrays["start"][ids][:, None] + np.arange(16)[None, :]
        places = np.sort((start + 1)[counted])
        np.testing.assert_array_equal(places, np.arange(places[0], places[0] + len(places)), err_msg=part)
        np.testing.assert_array_equal(text[(start + 1)[counted]], targets[counted])
        np.testing.assert_array_equal(text[start[counted]], inputs[counted])
    sizes = [int((found.gather(found.arrays, ids)[1] > 0).sum()) for ids in found.parts.values()]
    assert sum(sizes) == len(TEXT) - 3
    assert sizes[2] == len(TEXT) - int(0.9 * len(TEXT)) - 1


def test_each_row_of_a_batch_goes_on_where_that_row_of_the_one_before_ended(tmp_path):
    found = dataset(tmp_path, forget=0.0)
    for part, ids in found.parts.items():
        batches = ids.reshape(-1, 4)
        start, fresh = found.arrays["start"], found.arrays["fresh"]
        for before, after in itertools.pairwise(batches):
            counts = (found.gather(found.arrays, after)[1] > 0).any(axis=1)
            goes_on = start[after] == start[before] + 16
            assert all(goes_on | fresh[after] | ~counts), part
        assert fresh[batches[0]].all()
    warm = found.parts["test"][:4]
    assert not (found.gather(found.arrays, warm)[1] > 0).any()  # read, not judged
    first = found.parts["test"][4]
    assert found.arrays["fresh"][first]  # the part's own beginning: what stands before it is not its past


def test_some_training_pieces_begin_anew_and_always_the_same(tmp_path):
    share = lambda found: found.arrays["fresh"][found.parts["train"]][4:].mean()
    assert 0.1 < share(dataset(tmp_path, forget=0.3)) < 0.5
    assert share(dataset(tmp_path, forget=0.0)) == 0
    one, two = dataset(tmp_path, forget=0.3), dataset(tmp_path, forget=0.3)
    np.testing.assert_array_equal(one.arrays["fresh"], two.arrays["fresh"])


def test_training_never_reads_what_validation_and_test_are_about(tmp_path):
    found = dataset(tmp_path)
    read = lambda part: found.arrays["start"][found.parts[part]][:, None] + np.arange(17)[None, :]
    counted = found.gather(found.arrays, found.parts["train"])[1] > 0
    (inputs, _), _ = found.gather(found.arrays, found.parts["train"])
    end = read("train")[:, :-1][counted].max() + 2
    judged = found.gather(found.arrays, found.parts["validation"])[1] > 0
    assert read("validation")[:, 1:][judged].min() > end - 1
    assert inputs.shape == counted.shape
    assert end == pytest.approx(0.95 * 0.9 * len(TEXT), abs=11)
    text = "".join(sorted(set(TEXT)))
    back = "".join(text[i - 1] for i in found.arrays["text"])
    assert back[-201:] == TEXT[-201:]
    assert sorted(back) == sorted(TEXT)
    assert back[:150] == TEXT[:150]


def test_knobs_and_baselines_come_with_the_data(tmp_path):
    found = dataset(tmp_path)
    assert found.knobs == {"vocabulary_size": 27}
    grams, xz = found.baselines["5-gram Kneser-Ney"]["test"]["nats"], found.baselines["xz"]["test"]["nats"]
    assert 0 < grams < math.log(26)
    assert 0 < xz < 2 * math.log(26)
    assert dataset(tmp_path, text=TEXT + "a").fingerprint != found.fingerprint
    assert dataset(tmp_path, length=17).fingerprint != found.fingerprint


def test_the_best_reader_pays_what_the_sample_says():
    """The likelihood of every line, worked out again from its words alone."""
    text, paid = sample_lines.text(seed=3, lines=200)
    lines = text.splitlines(keepends=True)
    expected = []
    for line in lines:
        words = line.removesuffix(".\n").split(" ")
        clause = "that" in words
        choices = [2, len(sample_lines.NOUNS), 2, len(sample_lines.ACTIONS), len(sample_lines.ADVERBS)]
        choices += [len(sample_lines.NOUNS), len(sample_lines.VERBS)] if clause else []
        expected.append(sum(map(math.log, choices)))
        assert words[-2].endswith("s") != words[1].endswith("s")  # agreement
    assert paid.sum() == pytest.approx(sum(expected))
    assert len(paid) == len(text)
    ends = np.cumsum([len(line) for line in lines]) - 1
    np.testing.assert_allclose(paid[ends], expected)


def test_predict_reads_lines(tmp_path):
    found = dataset(tmp_path)
    for name, content in found.assets.items():
        (tmp_path / name).write_text(content)
    source = Characters(4, 16)
    requests = source.requests(tmp_path, io.StringIO("abc\n\nb"), "lines")
    tokens, fresh = requests.gather(requests.arrays, requests.ids)
    np.testing.assert_array_equal(tokens, [[1, 2, 3], [0, 0, 0], [2, 0, 0]])
    assert fresh.all()
    assert requests.line(0, (np.float32(3.0), np.int32(2))) == "1.5000\t2"
    assert requests.line(1, (np.float32(0.0), np.int32(0))) == "0.0000\t0"
    strange = io.TextIOWrapper(io.BytesIO(b"abc\na\xff"), encoding="utf-8")
    with pytest.raises(UserError, match="lines, line 2: byte 0xff is not UTF-8"):
        source.requests(tmp_path, strange, "lines")
    crlf = source.requests(tmp_path, io.StringIO("\ufeffab\r\nc\r\n", newline=""), "lines")
    np.testing.assert_array_equal(crlf.gather(crlf.arrays, crlf.ids)[0], [[1, 2], [3, 0]])
    with pytest.raises(UserError, match="lines, line 2: 'Z' is none of the 26 characters"):
        source.requests(tmp_path, io.StringIO("abc\naZ"), "lines")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"abc\n\xff\n", "line 2: byte 0xff is not UTF-8"),
        (b"ab", "only 2 characters"),
        (None, "there is no file"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path, content, message):
    path = tmp_path / "own.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=message):
        Characters(2, 8, str(path)).load("real", tmp_path)


def test_line_ends_marks_and_packing_do_not_matter(tmp_path):
    import gzip
    import lzma

    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfone\r\ntwo\r")
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress(b"one\ntwo\n"))
    (tmp_path / "c.xz").write_bytes(lzma.compress(b"one\ntwo\n"))
    assert [shakespeare.read(tmp_path / name) for name in ("a.txt", "b.txt.gz", "c.xz")] == ["one\ntwo\n"] * 3
    (tmp_path / "d.gz").write_bytes(gzip.compress(b"one\ntwo\n" * 99)[:-9])
    with pytest.raises(UserError, match=r"d.gz cannot be read"):
        shakespeare.read(tmp_path / "d.gz")


@pytest.mark.parametrize("text", ["日本語の文章です。" * 30, "𝒜𝒷🙂é" * 60])
def test_any_alphabet_is_numbered(tmp_path, text):
    found = dataset(tmp_path, text=text, streams=2, length=8)
    alphabet = "".join(sorted(set(text)))
    back = "".join(alphabet[i - 1] for i in numbered(text, alphabet))
    assert back == text
    assert found.knobs["vocabulary_size"] == len(alphabet) + 1
    with pytest.raises(UserError, match="'x' is none"):
        encoded("x", alphabet, "--prompt")


def test_a_damaged_alphabet_is_named(tmp_path):
    with pytest.raises(UserError, match=r"alphabet.json is missing or damaged"):
        read_alphabet(Path(tmp_path))


@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason="no real data here")
def test_tiny_shakespeare_is_split_as_others_split_it():
    found = Characters(64, 100).load("real", DATA)
    assert "111,540 test characters, 65 different" in found.description
