"""TextClassifier on lists, columns and tables of texts; in pipelines and searches."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer

import seqjax
from seqjax import interface
from seqjax.estimators import SeriesClassifier, TextClassifier, load

GOOD, BAD, PLAIN = ["wonderful", "great", "lovely"], ["dull", "poor", "awful"], ["the", "film", "a", "story", "of"]


@pytest.fixture(scope="module")
def reviews():
    rng = np.random.default_rng(0)
    texts, labels = [], []
    for k in range(120):
        own = [*rng.choice(GOOD if k % 2 else BAD, 2), *rng.choice(PLAIN, rng.integers(1, 9))]
        texts.append(" ".join(rng.permutation(own)))
        labels.append("good" if k % 2 else "bad")
    return texts, labels


@pytest.fixture
def bag():
    return TextClassifier(model="bag_of_words", learning_rate=0.02, epochs=12, random_state=0)


def test_it_learns_words(reviews, bag):
    texts, labels = reviews
    bag.fit(texts[:80], labels[:80])
    assert bag.score(texts[80:], labels[80:]) == 1
    assert bag.predict(["A lovely story.", "Awful!"]).tolist() == ["good", "bad"]
    unknown = bag.predict_proba(["", "zzz"])
    np.testing.assert_allclose(unknown.sum(axis=1), 1)


def test_columns_of_pandas_and_tables_of_one(reviews, bag):
    pandas = pytest.importorskip("pandas")
    texts, labels = reviews
    frame = pandas.DataFrame({"text": texts, "n": range(len(texts))})
    wanted = clone(bag).fit(texts, labels).predict_proba(texts)
    found = clone(bag).fit(frame["text"], pandas.Series(labels)).predict_proba(frame[["text"]])
    np.testing.assert_array_equal(found, wanted)
    column = ColumnTransformer([("text", "passthrough", ["text"])])
    piped = Pipeline([("column", column), ("classifier", clone(bag))]).fit(frame, labels)
    np.testing.assert_array_equal(piped.predict_proba(frame), wanted)


@pytest.mark.slow
def test_searches_folds_and_calibration(reviews, bag):
    texts, labels = reviews
    lower = FunctionTransformer(lambda texts: [text.lower() for text in texts])
    pipe = make_pipeline(lower, bag)
    search = GridSearchCV(pipe, {"textclassifier__units": [2, 4]}, cv=2).fit(texts, labels)
    assert search.best_score_ > 0.9
    assert set(search.predict(texts[:3])) <= {"good", "bad"}
    assert cross_val_score(bag, texts, labels, cv=2).min() > 0.9
    calibrated = CalibratedClassifierCV(bag, cv=2).fit(texts, labels)
    assert (calibrated.predict(texts) == labels).mean() > 0.9


def test_a_folder_predicts_by_seqjax_load_too(reviews, bag, tmp_path, monkeypatch):
    monkeypatch.setattr(interface, "settle", dict)
    texts, labels = reviews
    bag.fit(texts, labels).save(tmp_path / "run")
    np.testing.assert_array_equal(load(tmp_path / "run").predict_proba(texts), bag.predict_proba(texts))
    table = seqjax.load(tmp_path / "run").predict(texts[:9]).table()
    assert list(table) == ["class", "bad", "good"]
    assert table["class"].tolist() == bag.predict(texts[:9]).tolist()
    pandas = pytest.importorskip("pandas")
    said = seqjax.load(tmp_path / "run").predict(pandas.Series(texts[:9], name="review"))
    assert said.frame()["class"].tolist() == table["class"].tolist()
    assert said._repr_html_().count("<tr>") == 10
    np.testing.assert_allclose(table["good"], bag.predict_proba(texts[:9])[:, 1], atol=1e-4)


@pytest.mark.slow
def test_the_order_of_words_by_an_lstm(reviews, tmp_path):
    texts, labels = reviews
    small = TextClassifier(units=4, embedding_size=8, epochs=2, random_state=0).fit(texts, np.array(labels) == "good")
    assert small.classes_.dtype == bool
    long = " ".join(["lovely story"] * 40)
    together = small.predict_proba(["awful", long])
    alone = np.concatenate([small.predict_proba([own]) for own in ("awful", long)])
    np.testing.assert_allclose(together, alone, rtol=1e-5)
    small.save(tmp_path / "run")
    found = load(tmp_path / "run")
    np.testing.assert_array_equal(found.predict_proba(texts), small.predict_proba(texts))
    assert found.predict(texts).dtype == bool


CASES = [
    ("one text", "X is a single text, 'one text': give a list"),
    (["a", None, "b"], r"X\[1\], None \(NoneType\), is no text"),
    (["a", float("nan"), "b"], r"X\[1\], nan \(float\), is no text"),
    (["a", b"b", "c"], r"X\[1\], b'b' \(bytes\), is no text"),
    ([["a", "b"], ["c"], ["d"]], r"X\[0\], \['a', 'b'\] \(list\), is no text"),
    (np.zeros((3, 2)), r"X of shape \(3, 2\) is no list of texts"),
    ([], "0 sample"),
    ({"a", "b"}, "X .set. is no list of texts"),
    (["", " ", "!"], "no training text holds a word"),
]


@pytest.mark.parametrize(("X", "said"), CASES)
def test_what_is_no_text_is_named(X, said):
    with pytest.raises(ValueError, match=said):
        TextClassifier().fit(X, ["a", "b", "a"])
    with pytest.raises(ValueError, match="model='lstm': choose bilstm, bag_of_words"):
        TextClassifier(model="lstm").fit(["a", "b"], [0, 1])


@pytest.mark.slow
def test_a_search_in_other_processes_and_threads_finds_the_same(reviews):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 5))
    y = X[:, 0] > 0
    search = lambda jobs: GridSearchCV(
        SeriesClassifier(epochs=4, random_state=0), {"units": [2, 4]}, cv=2, n_jobs=jobs, error_score="raise"
    )
    import joblib

    alone = search(None).fit(X, y).cv_results_["mean_test_score"]
    np.testing.assert_array_equal(search(2).fit(X, y).cv_results_["mean_test_score"], alone)
    with joblib.parallel_backend("threading"):
        np.testing.assert_array_equal(search(2).fit(X, y).cv_results_["mean_test_score"], alone)
