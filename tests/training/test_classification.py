"""seqjax.training.classification beside scikit-learn and Keras's class weights."""

import jax.numpy as jnp
import numpy as np
import pytest
from sklearn import metrics as sk

from seqjax.data.dataset import Answers, Dataset
from seqjax.training import classification, metrics
from seqjax.training.classification import auroc, confusion, f1, f1_of, guesses, macro_f1, some_beside


def judged(outputs, targets, *classes):
    none = {part: np.empty(0, np.int32) for part in ("train", "validation", "test")}
    return Answers(
        outputs, targets, np.arange(len(outputs)), Dataset({}, lambda *_: ((), ()), none, "", "", classes=classes)
    )


def answers(classes, weighted=False, count=200):
    rng = np.random.default_rng(classes)
    truth = rng.choice(classes, count, p=np.arange(1, classes + 1) / np.arange(1, classes + 1).sum())
    if classes == 2:
        outputs, targets = (truth * 2.0 - 1 + rng.normal(size=count) * 1.5).astype(np.float32), truth.astype(np.float32)
    else:
        outputs, targets = (np.eye(classes)[truth] * 2 + rng.normal(size=(count, classes))).astype(np.float32), truth
    names = [f"class {k}" for k in range(classes)]
    return judged(outputs, (targets, np.ones(count)) if weighted else targets, *names), truth


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("weighted", [False, True])
def test_scores_are_scikit_learns(classes, weighted):
    found, truth = answers(classes, weighted)
    guessed = (found.outputs > 0).astype(int) if classes == 2 else found.outputs.argmax(axis=1)
    np.testing.assert_array_equal(guesses(found), guessed)
    assert classification.accuracy(found) == sk.accuracy_score(truth, guessed)
    assert macro_f1(found) == pytest.approx(sk.f1_score(truth, guessed, average="macro"))
    expected = sk.f1_score(truth, guessed, average=None)
    assert f1_of(found) == pytest.approx({f"class {k}": value for k, value in enumerate(expected)})
    assert confusion(found)["counts"] == sk.confusion_matrix(truth, guessed).tolist()
    assert confusion(found)["classes"] == list(found.dataset.classes)
    assert classification.balanced_accuracy(found) == pytest.approx(sk.balanced_accuracy_score(truth, guessed))
    parts = classification.classification(classes)  # the loss of a run, which is another program
    losses = parts["loss"](jnp.asarray(found.outputs), jnp.asarray(truth))
    assert classification.log_loss(found) == pytest.approx(float(losses.mean()), rel=1e-5)
    if classes == 2:
        assert f1(found) == sk.f1_score(truth, guessed)
        assert auroc(found) == sk.roc_auc_score(truth, found.outputs)
    else:
        shares = np.exp(found.outputs.astype(np.float64))
        shares /= shares.sum(axis=1, keepdims=True)
        mean = sk.roc_auc_score(truth, shares, multi_class="ovr")
        assert np.mean(list(auroc(found).values())) == pytest.approx(mean)
        assert classification.macro_auroc(found) == pytest.approx(mean)


def test_a_class_that_does_not_occur_is_no_error():
    found = judged(np.eye(3, dtype=np.float32)[[0, 1, 0]], np.array([0, 1, 1]), "a", "b", "c")
    assert confusion(found)["counts"] == [[1, 0, 0], [1, 1, 0], [0, 0, 0]]
    assert f1_of(found) == pytest.approx({"a": 2 / 3, "b": 2 / 3, "c": 0})
    assert macro_f1(found) == pytest.approx(2 / 3)
    assert set(auroc(found)) == {"a", "b"}
    assert auroc(judged(np.zeros(3, np.float32), np.ones(3, np.float32), "a", "b")) == 0.5
    assert classification.balanced_accuracy(found) == pytest.approx(0.75)
    assert classification.macro_auroc(judged(np.eye(3), np.zeros(3, int), "a", "b", "c")) == 0.5


@pytest.mark.parametrize("classes", [2, 5])
def test_calibration_is_counted_bin_by_bin(classes):
    found, truth = answers(classes)
    shares = classification.probabilities(found)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    sure, hits = shares.max(axis=1), shares.argmax(axis=1) == truth
    said, bins = classification.calibration(found), np.ceil(sure * classification.BINS).astype(int)
    expected = [(sure[bins == k].mean(), hits[bins == k].mean(), (bins == k).sum()) for k in np.unique(bins)]
    for key, column in zip(("confidence", "accuracy", "count"), zip(*expected, strict=True), strict=True):
        np.testing.assert_allclose(said[key], column, atol=1e-6)
    gap = sum(count * abs(right - mean) for mean, right, count in expected) / len(truth)
    assert classification.ece(found) == pytest.approx(gap, abs=1e-6)
    assert 0.01 < gap < 0.5


def test_who_is_sure_and_wrong_is_not_calibrated():
    wrong = judged(np.full(4, 50.0), np.array([0, 0, 0, 1.0]), "a", "b")
    assert classification.calibration(wrong) == {"confidence": [1.0], "accuracy": [0.25], "count": [4]}
    assert classification.ece(wrong) == pytest.approx(0.75)
    unsure = judged(np.zeros(4), np.array([0, 0, 1, 1.0]), "a", "b")
    assert classification.ece(unsure) == pytest.approx(0)


def test_the_weighted_loss_is_kerass(monkeypatch):
    losses = pytest.importorskip("keras").losses
    logits, targets = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32), np.array([0, 1, 2, 2, 1, 0])
    weights = np.array([0.5, 2, 1, 1, 2, 0.5], np.float32)
    parts = classification.classification(3, weighted=True)
    ours = parts["loss"](jnp.asarray(logits), (jnp.asarray(targets), jnp.asarray(weights))).mean()
    theirs = losses.SparseCategoricalCrossentropy(from_logits=True)(targets, logits, sample_weight=weights)
    assert float(ours) == pytest.approx(float(theirs), rel=1e-6)
    hits = parts["metrics"]["accuracy"](jnp.asarray(logits), (jnp.asarray(targets), jnp.asarray(weights)))
    np.testing.assert_array_equal(hits, logits.argmax(axis=1) == targets)


def test_those_that_do_not_count_have_an_accuracy_of_their_own():
    logits = np.array([[2.0, 0, 0], [0, 2, 0], [0, 0, 2], [2, 0, 0]], np.float32)
    targets, counts = np.array([0, 1, 0, 0]), np.array([1, 1, 1, 0], np.float32)
    plain, both = classification.classification(3), some_beside("of_others", classification.classification(3))
    loss, weights = both["loss"](logits, (targets, counts))
    np.testing.assert_allclose(loss, plain["loss"](logits, targets) * counts)
    np.testing.assert_array_equal(weights, counts)
    hits, _ = both["metrics"]["accuracy"](logits, (targets, counts))
    np.testing.assert_array_equal(hits, [1, 1, 0, 0])
    found = judged(logits, (targets, counts), "a", "b", "c")
    assert both["scores"]["accuracy"](found) == pytest.approx(2 / 3)
    assert both["scores"]["accuracy_of_others"](found) == 1
    assert np.sum(both["scores"]["confusion"](found)["counts"]) == 3
    everyone = judged(logits, (targets, np.ones(4)), "a", "b", "c")
    assert both["scores"]["accuracy_of_others"](everyone) == {}
    assert both["scores"]["accuracy"](everyone) == 0.75


def test_two_classes_are_the_rows_of_reviews():
    parts = classification.classification(2)
    assert parts["loss"] is metrics.binary_cross_entropy
    assert parts["metrics"] == {"accuracy": metrics.binary_accuracy}
    assert list(parts["scores"])[:3] == ["accuracy", "macro_f1", "auroc"]
    assert list(classification.classification(2, quoted="f1")["scores"])[:2] == ["f1", "accuracy"]
    assert "f1" not in classification.classification(3)["scores"]
    both = {"balanced_accuracy", "log_loss", "ece", "calibration", "confusion", "f1_of"}
    assert all(both < set(classification.classification(classes)["scores"]) for classes in (2, 3))
