"""What is no list of texts is refused by its place, in every face; what holds strings is taken, whatever holds them."""

import re

import numpy as np
import pytest

from seqjax.data.text.encodings import Corpus, Tokenizer, Vocabulary, encode_count, encode_int
from seqjax.data.text.vectorizer import Vectorizer
from seqjax.errors import UserError

pd = pytest.importorskip("pandas")
pa = pytest.importorskip("pyarrow")

GOOD = ["a good film", "a bad film", ""]
NAN = float("nan")


class Tensor:
    """As TensorFlow's: a rank of 1, and tensors in it."""

    shape = (1,)

    def __iter__(self):
        return iter([Scalar()])


class Scalar:
    shape = ()

    def numpy(self):
        return b"a"


WRONG = {
    "frame": (pd.DataFrame({"text": GOOD, "label": [0, 1, 1]}), "a table (DataFrame) of columns text, label"),
    "arrow table": (pa.table({"text": GOOD}), "a table (Table) of columns text"),
    "dict": ({"text": GOOD}, "texts are a dict"),
    "one text": ("a good film", "'a good film' is a single text"),
    "one text of NumPy": (np.str_("a good film"), "is a single text"),
    "bytes": (b"a good film", "texts are bytes"),
    "none": (None, "texts are None"),
    "number": (3, "texts are 3 (int)"),
    "column": (np.array([["a"], ["b"]]), "an array of shape (2, 1)"),
    "scalar": (np.array("a"), "an array of shape ()"),
    "missing": (["a", "b", NAN], "texts[2] is nan (float)"),
    "missing in a series": (pd.Series(["a", None, "b"]), "texts[1] is "),
    "missing late": ([*GOOD * 300, None], "texts[900] is None"),
    "bytes in a list": (["a", b"b"], "texts[1] is b'b' (bytes): give a list of texts, a string each, decoded"),
    "bytes in an array": (np.array([b"a"]), "texts[0] is "),
    "objects": (np.array(["a", 4], object), "texts[1] is 4 (int)"),
    "nested": ([["a", "b"]], "texts[0] is ['a', 'b'] (list)"),
    "generator": ((number for number in (1, 2)), "texts[0] is 1 (int)"),
    "tensor": (Tensor(), "texts[0] is <"),
    "arrow": (pa.array(["a"]), "texts[0] is <"),
    "rows": ([{"text": "a"}], "texts[0] is {'text': 'a'} (dict)"),
}


@pytest.fixture(scope="module")
def fitted():
    return Vectorizer.fit(GOOD)


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("face", ["fit", "fit_encode", "call", "encode", "corpus", "standardise"])
def test_what_is_no_list_of_texts_is_named(fitted, name, face):
    wrong, message = WRONG[name]
    if name == "generator":
        wrong = (number for number in (1, 2))
    faces = {
        "fit": Vectorizer.fit,
        "fit_encode": lambda texts: Vectorizer.fit_encode(texts, encoding="tf_idf"),
        "call": fitted,
        "encode": fitted.encode,
        "corpus": lambda texts: Corpus.of(texts, Tokenizer()),
        "standardise": Tokenizer().standardise,
    }
    with pytest.raises(UserError, match=re.escape(message)) as caught:
        faces[face](wrong)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "texts",
    [
        tuple(GOOD),
        pd.Series(GOOD, index=[5, 6, 7]),
        pd.Series(GOOD, dtype="string"),
        pd.Series(GOOD, dtype="category"),
        np.array(GOOD),
        np.array(GOOD, object),
        dict.fromkeys(GOOD).keys(),
        pa.array(GOOD).to_pylist(),
        pd.DataFrame({"text": GOOD})["text"],
    ],
    ids=lambda texts: type(texts).__name__,
)
def test_whatever_holds_strings_in_order_is_taken(fitted, texts):
    np.testing.assert_array_equal(fitted(texts), fitted(GOOD))
    np.testing.assert_array_equal(fitted(text for text in texts), fitted(GOOD))


def test_a_single_text_has_a_face_of_its_own():
    assert Tokenizer()("A film.") == [b"a", b"film"]
    for wrong in (None, b"a", ["a"], 3):
        with pytest.raises(UserError, match=r"is no text: give a single string"):
            Tokenizer()(wrong)


def test_texts_in_place_of_a_corpus_are_named():
    vocabulary = Vocabulary(("a",))
    for call in (
        lambda: Vocabulary.fit(GOOD, 5),
        lambda: vocabulary.lookup(GOOD),
        lambda: encode_int(GOOD, vocabulary, 3),
        lambda: encode_count(GOOD, vocabulary, 3),
    ):
        with pytest.raises(UserError, match=r"^list given, not a Corpus: Corpus\.of\(texts, Tokenizer\(\)\)$"):
            call()
    with pytest.raises(UserError, match="tokenizer='words'"):
        Vectorizer.fit(GOOD, tokenizer="words")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"length": 2.0}, r"length=2\.0: must be an integer"),
        ({"vocabulary_size": 7.5}, r"vocabulary size 7\.5: must be an integer"),
        ({"learn_from": np.array([0, 3])}, "positions of texts to learn from: .*there are 3 texts"),
    ],
)
def test_numbers_that_are_none_are_named(options, message):
    with pytest.raises(UserError, match=message):
        Vectorizer.fit(GOOD, **options)


@pytest.mark.slow
def test_tensors_of_tensorflow_are_named():
    from seqjax.data.pipeline import import_tensorflow

    tensor = import_tensorflow().constant(GOOD)
    with pytest.raises(UserError, match=r"texts\[0\] is <tf.Tensor.*tensor\.numpy\(\)"):
        Vectorizer.fit(tensor)
