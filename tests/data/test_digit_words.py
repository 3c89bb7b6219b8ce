"""seqjax.data.digit_words: images, letters, and the words of a user's images."""

import io
import types

import numpy as np
import pytest

from places import DATA
from seqjax.data import digit_words
from seqjax.data.dataset import Answers
from seqjax.data.digit_words import END, LETTERS, NAMES, START, DigitWords
from seqjax.errors import UserError


@pytest.fixture(scope="module")
def real():
    return DigitWords().load("real", DATA)


def test_a_fifth_of_each_digit_is_for_testing_and_another_for_validation(real):
    from sklearn.datasets import load_digits

    images, digits = load_digits(return_X_y=True)
    np.testing.assert_array_equal(real.arrays["images"], images)
    assert sorted(np.concatenate(list(real.parts.values()))) == list(range(1797))
    for part, share in {"train": 0.6, "validation": 0.2, "test": 0.2}.items():
        np.testing.assert_allclose(np.bincount(digits[real.parts[part]]) / np.bincount(digits), share, atol=0.01)
    other = DigitWords(split_seed=1).load("real", DATA)
    assert set(other.parts["test"]) != set(real.parts["test"])
    assert other.fingerprint != real.fingerprint


def test_each_letter_comes_after_the_one_before_it(real):
    from sklearn.datasets import load_digits

    digits = load_digits().target
    (images, before), letters = real.gather(real.arrays, real.parts["test"])
    assert (images.min(), images.max(), images.dtype) == (0, 1, np.float32)
    for row, digit in enumerate(digits[real.parts["test"]]):
        assert digit_words.word(letters[row]) == NAMES[digit]
        length = len(NAMES[digit]) + 1
        assert before[row].tolist() == [START, *letters[row, : length - 1], *[0] * (len(before[row]) - length)]
        assert letters[row, length - 1] == END
        assert not letters[row, length:].any()


def test_letters_are_those_that_words_need():
    assert LETTERS[3:] == tuple("efghinorstuvwxz")
    assert [digit_words.word(row) for row in digit_words.spelled()] == list(NAMES)
    assert digit_words.word([3, 4]) == "ef"  # no end


def test_the_baseline_is_the_largest_class_of_the_training_part(real):
    letters = lambda part: real.arrays["letters"][real.parts[part]].tolist()
    train = letters("train")
    largest = max(train, key=train.count)
    for part, scores in real.baselines["largest_class"].items():
        assert scores["word_accuracy"] == pytest.approx(letters(part).count(largest) / len(letters(part)))


def test_the_sample_knows_its_optimum():
    dataset = DigitWords().load("sample", DATA)
    assert 0.97 < dataset.optimum["word_accuracy"] < 0.995
    assert len(dataset.parts["test"]) == 600
    with pytest.raises(UserError, match="data='other'"):
        DigitWords().load("other", DATA)
    with pytest.raises(UserError, match="split_seed"):
        DigitWords(-1)


def test_a_word_is_right_to_its_end_or_not_at_all():
    targets = digit_words.spelled()[[6, 7, 8]]
    said = targets.copy()
    said[0, 3] = 0  # "six" without its end
    said[1, 4] = LETTERS.index("r")
    found = Answers({"letters": said, "probability": np.ones(3)}, targets, np.arange(3), types.SimpleNamespace())  # type: ignore[arg-type]
    assert digit_words.word_accuracy(found) == pytest.approx(1 / 3)


def test_images_of_a_user_are_read_a_line_each(real):
    rows = real.arrays["images"][:3]
    text = "".join(",".join(f"{value:g}" for value in row) + "\n" for row in rows)
    requests = DigitWords().requests(DATA, io.StringIO(text + "\n"), "mine.csv")
    images, before = requests.gather(requests.arrays, requests.ids)
    np.testing.assert_allclose(images, rows / 16)
    assert before.shape == (3, digit_words.LONGEST)
    output = {"letters": digit_words.spelled()[7], "probability": np.float32(0.99812)}
    assert requests.line(0, output) == "seven\t0.9981"
    assert len(DigitWords().requests(DATA, io.StringIO(""), "mine.csv").ids) == 0


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("0," * 63, "line 2, column 64: '' is not a number"),
        ("0," * 64 + "7", "line 2: 65 values divided by commas, not 64"),
        ("0 " * 64, "line 2: 1 values divided by commas, not 64"),
        ("0," * 63 + "17", "line 2, column 64: 17 is not in 0 to 16"),
        ("nan," + "0," * 62 + "1", "line 2, column 1: nan is not in 0 to 16"),
        ("pixel0," + "0," * 62 + "1", "line 2, column 1: 'pixel0' is not a number"),
    ],
)
def test_images_that_are_none_are_named(line, said):
    text = "0," * 63 + "0\n" + line
    with pytest.raises(UserError, match=f"mine.csv, {said}"):
        DigitWords().requests(DATA, io.StringIO(text), "mine.csv")
