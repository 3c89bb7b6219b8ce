"""seqjax.data.text.classes beside scikit-learn."""

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.metrics import f1_score
from sklearn.naive_bayes import MultinomialNB
from sklearn.utils.class_weight import compute_class_weight

from seqjax.data.text import classes
from seqjax.errors import UserError


def test_order():
    assert classes.ordered(["spam", "ham", "spam"]) == ("ham", "spam")
    assert classes.ordered(["10", "9", "-1"]) == ("-1", "9", "10")
    assert classes.ordered(["10", "9", "x"]) == ("10", "9", "x")
    assert classes.ordered(["10.0", "9.0"]) == ("9.0", "10.0")
    assert classes.ordered(["--1", "9"]) == ("--1", "9")


def test_balanced_weights_are_scikit_learns():
    numbers = np.random.default_rng(0).choice(4, 100, p=[0.6, 0.2, 0.15, 0.05])
    expected = compute_class_weight("balanced", classes=np.arange(4), y=numbers)
    np.testing.assert_allclose(classes.balanced(numbers, 4), expected, rtol=1e-6)


def test_a_wrong_number_of_classes_is_said():
    classes.check(("a", "b", "c"), None, 100, "f")
    with pytest.raises(UserError, match=r"f: 3 classes, not 2: a, b, c$"):
        classes.check(("a", "b", "c"), 2, 100, "f")
    with pytest.raises(
        UserError, match=r"99 classes in 100 rows: 0, .*7 and 91 more: is this the column of the labels"
    ):
        classes.check(tuple(map(str, range(99))), None, 100, "f")
    with pytest.raises(UserError, match="f: all 7 rows have the label 'a'"):
        classes.check(("a",), 2, 7, "f")


def test_classes_that_differ_in_case_are_said():
    assert classes.notes(["a", "Spam", "spam", "a"], ("Spam", "a", "spam")) == [
        "Spam 1, a 2, spam 1",
        "classes 'Spam' and 'spam' differ in case only",
    ]


def test_baselines_are_those_of_the_parts():
    texts = ["good film", "good good", "bad film", "good bad bad", "good one", "bad one", "film", "bad"]
    numbers = np.array([1, 1, 0, 0, 1, 0, 1, 0])
    parts = {"train": np.arange(5), "validation": np.array([5]), "test": np.array([6, 7])}
    found = classes.baselines(texts, numbers, parts, "words")
    assert found["largest_class"]["test"] == {
        "accuracy": 0.5,
        "macro_f1": pytest.approx(1 / 3),
        "f1": pytest.approx(2 / 3),
    }
    counter = CountVectorizer()
    bayes = MultinomialNB().fit(counter.fit_transform(texts[:5]), numbers[:5])
    guessed = bayes.predict(counter.transform(texts[6:]))
    assert found["naive_bayes"]["test"]["accuracy"] == (guessed == numbers[6:]).mean()
    assert found["naive_bayes"]["test"]["f1"] == f1_score(numbers[6:], guessed)


def test_texts_without_words_have_no_naive_bayes():
    parts = {"train": np.arange(2), "validation": np.arange(2), "test": np.arange(2)}
    assert set(classes.baselines(["!", "?"], np.array([0, 1]), parts, "words")) == {"largest_class"}
    assert set(classes.baselines(["!", "?"], np.array([0, 1]), parts, "characters")) > {"naive_bayes"}
