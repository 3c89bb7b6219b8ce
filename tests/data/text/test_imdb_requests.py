"""seqjax.data.text.imdb: requests are encoded as in training, one line for each."""

import hashlib
import io

import jax
import numpy as np
import pytest

from seqjax.data.text.imdb import Reviews
from seqjax.errors import UserError
from stand_in_reviews import generated, load, stand_in

__all__ = ["generated"]


@pytest.fixture
def workdir(tmp_path):
    def write(**options):
        dataset = load(**options)
        for name, content in dataset.assets.items():
            (tmp_path / name).write_text(content, encoding="utf-8")
        return dataset, tmp_path

    return write


@pytest.mark.parametrize("encoding", ["count", "tf_idf"])
def test_weighted_requests_are_vectorised_as_in_training(workdir, encoding):
    dataset, assets = workdir(encoding=encoding, ngrams=2, vocabulary_size=30)
    texts = stand_in().test_texts
    requests = Reviews().requests(assets, io.StringIO("".join(text + "\n" for text in texts)), "reviews.txt")
    place = lambda k: (stand_in().test_labels[k], hashlib.sha256(texts[k].encode()).digest())
    order = sorted(range(len(texts)), key=place)
    found = requests.gather(requests.arrays, requests.ids)
    expected, _ = dataset.gather(dataset.arrays, dataset.parts["test"])
    traced = jax.jit(requests.gather)(jax.device_put(dict(requests.arrays)), requests.ids)
    width = found[0].shape[1]
    for ours, theirs, compiled in zip(found, expected, traced, strict=True):
        np.testing.assert_array_equal(ours[order], theirs[:, :width])
        np.testing.assert_array_equal(ours, compiled)
        assert ours.dtype == compiled.dtype


@pytest.mark.parametrize(
    "options", [{}, {"length": 4}, {"ngrams": 2}, {"encoding": "multi_hot"}, {"vocabulary_size": 9}]
)
def test_requests_are_vectorised_as_in_training(workdir, options):
    dataset, assets = workdir(**options)
    texts = stand_in().test_texts
    requests = Reviews().requests(assets, io.StringIO("".join(text + "\n" for text in texts)), "reviews.txt")
    inputs = requests.gather(requests.arrays, requests.ids)
    assert inputs.dtype == np.int32
    place = lambda k: (stand_in().test_labels[k], hashlib.sha256(texts[k].encode()).digest())
    order = sorted(range(len(texts)), key=place)
    expected, _ = dataset.gather(dataset.arrays, dataset.parts["test"])
    width = inputs.shape[1]  # a batch of bags is as wide as its own richest
    np.testing.assert_array_equal(inputs[order], expected[:, :width])
    if options.get("encoding") == "multi_hot":
        assert (expected[:, width:] == 20_000).all()
    else:
        assert width == expected.shape[1]
    np.testing.assert_array_equal(jax.jit(requests.gather)(requests.arrays, requests.ids), inputs)


def test_one_line_of_output_for_each_line_of_input(workdir):
    _, assets = workdir()
    requests = Reviews().requests(assets, io.StringIO("good\n\n  \nbad\u2028good\x85bad"), "-")
    assert requests.ids.tolist() == [0, 1, 2, 3]
    assert (requests.gather(requests.arrays, requests.ids) != 0).sum(axis=1).tolist() == [1, 0, 0, 1]
    assert len(Reviews().requests(assets, io.StringIO(""), "-").ids) == 0
    assert requests.header is None


@pytest.mark.parametrize(
    ("logit", "line"),
    [
        (0.0, "negative\t0.5000"),  # as metrics.binary_accuracy decides
        (np.log(3), "positive\t0.7500"),
        (-np.log(3), "negative\t0.2500"),
        (800.0, "positive\t1.0000"),
        (-800.0, "negative\t0.0000"),
    ],
)
def test_the_line_is_the_label_and_the_probability_of_positive(workdir, logit, line):
    _, assets = workdir()
    requests = Reviews().requests(assets, io.StringIO("good\n"), "-")
    assert requests.line(0, np.float32(logit)) == line
    assert requests.line(0, jax.numpy.float32(logit)) == line


def test_input_that_is_not_utf8_names_the_line(workdir, tmp_path):
    _, assets = workdir()
    path = tmp_path / "latin.txt"
    path.write_bytes(b"good\nbad\ncaf\xe9 noir\n")
    message = "^latin, line 3: byte 0xe9 is not UTF-8"
    with path.open(encoding="utf-8") as stream, pytest.raises(UserError, match=message):
        Reviews().requests(assets, stream, "latin")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("text.json", None, "text.json: No such file"),
        ("text.json", "{", "text.json is damaged"),
        ("text.json", "[]", "text.json is damaged"),
        ("text.json", '{"encoding": "int", "length": null, "padding": 9}', "text.json is damaged: no length"),
        ("text.json", '{"encoding": "int", "length": 3, "padding": "9"}', "text.json is damaged: padding='9'"),
        ("text.json", '{"encoding": "int", "length": 3, "padding": 9}', "text.json is damaged: .*tokenizer"),
        ("text.json", '{"encoding": "bag", "length": 3, "padding": 9}', "text.json is damaged: encoding='bag'"),
        ("vocabulary.txt", None, "vocabulary.txt: No such file"),
        ("vocabulary.txt", "a\na\n", "vocabulary.txt, line 2: 'a' is repeated"),
        ("vocabulary.txt", "".join(f"w{k}\n" for k in range(8)), "vocabulary.txt: 10 ids, more than the 9"),
    ],
)
def test_a_damaged_workdir_names_the_file(workdir, name, content, message):
    _, assets = workdir(vocabulary_size=9)
    (assets / name).unlink()
    if content is not None:
        (assets / name).write_text(content)
    with pytest.raises(UserError, match=f"^{assets}/{message}"):
        Reviews().requests(assets, io.StringIO("good\n"), "-")
