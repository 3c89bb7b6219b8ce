"""SeriesClassifier and SeriesRegressor do what scikit-learn's users expect, on any arrays."""

import os
import pathlib
import pickle
import signal
import threading

import numpy as np
import pytest
import scipy.sparse
from sklearn.base import clone

from seqjax.estimators import SeriesClassifier, SeriesRegressor, given, load, programs
from seqjax.estimators.programs import few_lengths, rounded_up
from seqjax.estimators.trained import draw

SMALL = {"units": 4, "epochs": 2, "random_state": 0}


@pytest.fixture(scope="module")
def arrays():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 6, 2))
    sums = X[:, :, 0].sum(axis=1)
    return X, np.where(sums > np.median(sums), "up", "down")


@pytest.fixture(scope="module")
def fitted(arrays):
    return SeriesClassifier(**SMALL).fit(*arrays)


def test_fit_predict_and_score(arrays, fitted):
    X, y = arrays
    shares = fitted.predict_proba(X)
    assert shares.shape == (40, 2)
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_array_equal(fitted.predict(X), fitted.classes_[shares.argmax(axis=1)])
    assert fitted.score(X, y) == (fitted.predict(X) == y).mean()
    assert [row["epoch"] for row in fitted.history_] == [1, 2]
    assert fitted.n_iter_ == 2
    losses = [row["validation"]["loss"] for row in fitted.history_]
    assert fitted.best_epoch_ == 1 + int(np.argmin(losses))


def test_the_same_seed_is_the_same_and_what_is_compiled_is_used_again(arrays, fitted):
    X, y = arrays
    before = len(programs._programs)
    held = list(programs._programs.values())[-1]
    compiled = held._train._cache_size()
    again = clone(fitted).fit(X, y)
    np.testing.assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))
    other = clone(fitted).set_params(random_state=1).fit(X[:-1], y[:-1])
    assert not np.allclose(other.predict_proba(X), fitted.predict_proba(X))
    assert len(programs._programs) == before, "another seed and a series less are the same program"
    assert held._train._cache_size() == compiled
    assert not held.arrays
    assert not held.dataset.arrays, "it keeps no data"


def test_pickle_and_a_folder_give_the_same(arrays, fitted, tmp_path):
    X, _ = arrays
    wanted = fitted.predict_proba(X)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).predict_proba(X), wanted)
    fitted.save(tmp_path / "run")
    found = load(tmp_path / "run")
    np.testing.assert_array_equal(found.predict_proba(X), wanted)
    assert found.get_params() == fitted.get_params()
    assert found.history_ == fitted.history_
    assert found.classes_.tolist() == ["down", "up"]
    with pytest.raises(ValueError, match="holds a run already"):
        fitted.save(tmp_path / "run")
    (tmp_path / "run" / "estimator.json").write_text('{"class": "os.system"}')
    with pytest.raises(ValueError, match=r"damaged.*choices: SeriesClassifier"):
        load(tmp_path / "run")


def test_padding_changes_nothing(arrays, fitted):
    """Each alone, of its own length, as all together, padded."""
    rng = np.random.default_rng(1)
    ragged = [rng.normal(size=(n, 2)) for n in (3, 20, 9, 1)]
    together = fitted.predict_proba(ragged)
    alone = np.concatenate([fitted.predict_proba([own]) for own in ragged])
    np.testing.assert_allclose(together, alone, rtol=1e-5)
    assert fitted.predict(np.array([*ragged, None], object)[:4]).shape == (4,)


def test_a_gap_is_the_line_between_its_neighbours(arrays, fitted):
    X = arrays[0][:3].copy()
    X[:, 2] = (X[:, 1] + X[:, 3]) / 2
    holed = X.copy()
    holed[:, 2] = np.nan
    np.testing.assert_allclose(fitted.predict_proba(holed), fitted.predict_proba(X), rtol=1e-6)


@pytest.mark.slow
def test_weights_of_zero_are_as_if_not_there(arrays):
    """And classes that are weighed by hand as scikit-learn's balanced."""
    X, y = arrays
    kept = np.arange(40) < 30
    zero = SeriesClassifier(**SMALL).fit(X, y, sample_weight=kept * 2.0)
    without = SeriesClassifier(**SMALL).fit(X[kept], y[kept], sample_weight=np.ones(30))
    np.testing.assert_allclose(zero.predict_proba(X), without.predict_proba(X), rtol=1e-4)
    balanced = SeriesClassifier(**SMALL, class_weight="balanced").fit(X, y)
    hand = {name: 40 / (2 * int((y == name).sum())) for name in ("up", "down")}
    by_hand = SeriesClassifier(**SMALL, class_weight=hand).fit(X, y)
    np.testing.assert_allclose(by_hand.predict_proba(X), balanced.predict_proba(X), rtol=1e-6)


def test_a_regressor_undoes_the_scale_of_y(arrays):
    """Learned on thousands of y, the forecasts are thousands of those learned on y."""
    X, _ = arrays
    y = X.sum(axis=(1, 2))
    plain = SeriesRegressor(**SMALL).fit(X, y).predict(X)
    large = SeriesRegressor(**SMALL).fit(X, 1000 * y + 5).predict(X)
    np.testing.assert_allclose(large, 1000 * plain + 5, rtol=1e-3, atol=1)
    with pytest.warns(match="column-vector y was passed"):
        column = SeriesRegressor(**SMALL).fit(X, y[:, None])
    assert column.predict(X).shape == (40,)
    constant = SeriesRegressor(**SMALL).fit(X, np.full(40, 7.0))
    np.testing.assert_allclose(constant.predict(X), 7, atol=2)


def test_training_ends_early_and_goes_on(arrays):
    X, y = arrays
    early = SeriesClassifier(units=4, epochs=30, patience=2, learning_rate=0.05, random_state=0).fit(X, y)
    assert early.n_iter_ == min(30, early.best_epoch_ + 2)
    warm = SeriesClassifier(units=4, epochs=2, warm_start=True, random_state=0).fit(X, y)
    first = warm.history_[0]["train"]["loss"]
    assert warm.fit(X, y).history_[0]["train"]["loss"] < first


def test_validation_is_drawn_from_every_class():
    classes = np.repeat([0, 1, 2], [50, 10, 2])
    train, validation = draw(62, 0.2, 0, classes)
    assert np.bincount(classes[validation]).tolist() == [10, 2]
    assert sorted([*train, *validation]) == list(range(62))
    assert all((one == both).all() for one, both in zip(draw(5, 0, 0), (np.arange(5),) * 2, strict=True))


def test_few_shapes():
    counts = np.arange(1, 3000)
    rounded = np.array([rounded_up(int(n)) for n in counts])
    assert (rounded >= counts).all()
    assert (rounded <= np.ceil(counts * 1.25)).all()
    assert len(set(rounded)) < 50
    assert few_lengths(np.array([1, 16, 17, 100])).tolist() == [16, 16, 32, 128]


X = np.zeros((6, 3, 2))
CASES = [
    (X, ["a"] * 6, r"one class only: \['a'\]"),
    (X, ["a"] * 5, "unequal length: 6 and 5"),
    (X, None, "requires y to be passed"),
    (X, np.array(["a", 1, "b", "a", "b", "c"], object), "y mixes int and str"),
    (X, [None, "a", "b", "a", "b", "a"], "None, which is no class"),
    (X, [0.5, 1.2, 3.4, 0.1, 2.2, 9.1], "Unknown label type"),
    (X + np.inf, [0, 1] * 3, "contains infinity"),
    (X[:0], [], "0 sample"),
    (X[:, :0], [0, 1] * 3, "has no value"),
    (np.zeros(6), [0, 1] * 3, "Expected 2D array, got 1D array"),
    (np.zeros((6, 2, 2, 2)), [0, 1] * 3, "[Dd]im"),
    (None, [0, 1] * 3, "X .NoneType. is no array"),
    ({"a": X}, [0, 1] * 3, "X .dict. is no array"),
    (scipy.sparse.dok_array(np.eye(6)), [0, 1] * 3, "[Ss]parse"),
    ([["a", "b"]] * 6, [0, 1] * 3, "could not convert|[Nn]umeric"),
    ([np.zeros((3, 2)), np.zeros((4, 3))] * 3, [0, 1] * 3, r"X\[1\] has 3 dimensions, X\[0\] has 2"),
    ([np.zeros(3), np.zeros(0)] * 3, [0, 1] * 3, r"X\[1\] has the shape \(0,\)"),
    ([np.zeros(3), np.array([1, np.inf])] * 3, [0, 1] * 3, r"X\[1\] contains infinity, at step 1"),
    ([np.zeros(3), np.array(["a"])] * 3, [0, 1] * 3, r"X\[1\] is no series of numbers"),
]


@pytest.mark.parametrize(("X", "y", "said"), CASES)
def test_what_makes_no_sense_is_named(X, y, said):
    with pytest.raises(ValueError, match=said):
        SeriesClassifier(**SMALL).fit(X, y)


KNOBS = [
    ({"cell": "gruu"}, "'cell' takes one of gru, lstm, simple_rnn"),
    ({"units": "many"}, "'units' takes an integer"),
    ({"units": 0}, "units"),
    ({"dropout": 1.5}, r"dropout=1.5 is not in \[0, 1\)"),
    ({"validation_fraction": 2}, "validation_fraction=2"),
    ({"patience": 0}, "patience must be at least 1"),
    ({"batch_size": 0}, "batch_size must be at least 1, not 0"),
    ({"epochs": -1}, "epochs must be at least 0"),
    ({"bidirectional": None}, "'bidirectional' takes true or false, not 'none'"),
    ({"missing": "zero"}, "'missing' takes one of interpolate, mask, refuse"),
    ({"random_state": "lots"}, "random_state|seed"),
    ({"random_state": -1}, "random_state=-1"),
    ({"class_weight": {"left": 2}}, "'left' is no class of y; these are"),
    ({"class_weight": "even"}, "class_weight='even': choose"),
]


@pytest.mark.parametrize(("knobs", "said"), KNOBS)
def test_a_senseless_knob_is_named(arrays, knobs, said):
    with pytest.raises(ValueError, match=said):
        SeriesClassifier(**(SMALL | knobs)).fit(*arrays)


def test_other_dimensions_than_learned_are_refused(fitted):
    with pytest.raises(ValueError, match="X has 3 dimensions; what was learned from had 2"):
        fitted.predict(np.zeros((2, 6, 3)))
    with pytest.raises(ValueError, match="not fitted yet"):
        SeriesClassifier().predict(np.zeros((2, 6, 3)))
    with pytest.raises(ValueError, match=r"X\[1\] has a missing value \(NaN\): missing='interpolate' or 'mask'"):
        SeriesClassifier(**SMALL, missing="refuse").fit([np.zeros(3), np.array([1, np.nan])] * 3, [0, 1] * 3)


@pytest.mark.parametrize("kind", ["category", "string", "Int64", "bool"])
def test_classes_of_any_column_of_pandas_come_back(kind):
    pandas = pytest.importorskip("pandas")
    y = pandas.Series([0, 1, 1]).map({0: "a", 1: "b"} if kind in ("category", "string") else int).astype(kind)
    found, which = given.classes(y, 3, "it")
    assert found.tolist() == {"Int64": [0, 1], "bool": [False, True]}.get(kind, ["a", "b"])
    assert [type(own) for own in found.tolist()] == [type(own) for own in y[:2].tolist()]
    assert which.tolist() == [0, 1, 1]


@pytest.mark.slow
def test_a_fit_can_be_interrupted_runs_in_a_thread_and_leaves_nothing_behind(arrays):
    X, y = arrays
    endless = SeriesClassifier(units=4, epochs=100_000, patience=None, random_state=0)
    threading.Timer(3, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt, match="nothing was learned"):
        endless.fit(X, y)
    assert not hasattr(endless, "params_")
    done = []
    thread = threading.Thread(target=lambda: done.append(SeriesClassifier(**SMALL).fit(X, y).predict_proba(X)))
    thread.start()
    thread.join()
    np.testing.assert_array_equal(done[0], SeriesClassifier(**SMALL).fit(X, y).predict_proba(X))
    pages = lambda: int(pathlib.Path("/proc/self/statm").read_text().split()[1])
    held = []
    for seed in range(30):
        SeriesClassifier(**(SMALL | {"random_state": seed})).fit(X[: 40 - seed % 2], y[: 40 - seed % 2]).predict(X)
        held.append(pages())
    assert held[-1] - held[9] < 16 << 20 >> 12, "less than 16 MB in twenty fits"


@pytest.mark.slow
def test_a_loss_that_is_not_finite_is_said(arrays):
    X, y = arrays
    with pytest.raises(ValueError, match=r"the loss is not finite at step .*: try a lower learning rate"):
        SeriesRegressor(**(SMALL | {"learning_rate": 1e30, "epochs": 9})).fit(X, y == "up")
    warm = SeriesClassifier(**SMALL, warm_start=True).fit(X, y)
    with pytest.raises(ValueError, match=r"warm_start: .* another shape"):
        warm.fit(X, np.arange(40) % 3)
