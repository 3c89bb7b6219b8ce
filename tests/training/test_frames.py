"""seqjax.training.frames: what is scored of frames and digits, and the strip that is kept."""

import types
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import log_loss, mean_squared_error

from seqjax.data.dataset import Answers
from seqjax.training import frames

RNG = np.random.default_rng(0)
LOGITS = {"frames": RNG.normal(size=(3, 4, 5, 6)).astype(np.float32), "digit": RNG.normal(size=(3, 4, 10))}
TARGETS = {"frames": RNG.random((3, 4, 5, 6)).astype(np.float32), "digit": np.array([1, 7, 7])}
SHARES = 1 / (1 + np.exp(-LOGITS["frames"]))


def test_metrics_are_scikit_learns_from_the_first_frame_that_can_be_known():
    made = frames.frames_and_digit(2, digit_weight=0.1)
    values = {name: metric(LOGITS, TARGETS) for name, metric in made["metrics"].items()}
    true, said = TARGETS["frames"][:, 2:].reshape(3, -1), SHARES[:, 2:].reshape(3, -1)
    for row in range(3):
        assert values["mse"][row] == pytest.approx(mean_squared_error(true[row], said[row]), rel=1e-4)
    nats = -(true * np.log(said) + (1 - true) * np.log(1 - said)).mean(axis=1)
    np.testing.assert_allclose(values["pixel_nats"], nats, rtol=1e-4)
    np.testing.assert_array_equal(values["digit_accuracy"], LOGITS["digit"][:, -1].argmax(axis=1) == TARGETS["digit"])
    shares = np.exp(LOGITS["digit"]) / np.exp(LOGITS["digit"]).sum(axis=2, keepdims=True)
    wanted = nats.mean() + 0.1 * log_loss(np.repeat(TARGETS["digit"], 4), shares.reshape(12, 10), labels=range(10))
    assert made["loss"](LOGITS, TARGETS).mean() == pytest.approx(wanted, rel=1e-4)
    assert next(iter(made["metrics"])) == "mse"


def answers() -> Answers:
    dataset: Any = types.SimpleNamespace(classes=tuple(map(str, range(10))))
    return Answers({"frames": SHARES, "digit": LOGITS["digit"][:, -1]}, TARGETS, np.arange(3), dataset)


def test_scores_are_of_all_answers():
    scores = frames.frames_and_digit(1, 0.1)["scores"]
    found = scores["mse_after"](answers())
    assert list(found) == ["1", "2", "3", "4"]
    assert found["3"] == pytest.approx(np.square(SHARES[:, 2] - TARGETS["frames"][:, 2]).mean())
    matrix = np.array(scores["confusion"](answers())["counts"])
    assert matrix.sum(axis=1).tolist() == [0, 1, 0, 0, 0, 0, 0, 2, 0, 0]


def test_a_strip_comes_back_in_16_shades():
    kept = frames.strip(answers())
    true, predicted = frames.unpacked(kept)
    assert true.shape == (frames.STRIP, 4, 5, 6)
    np.testing.assert_allclose(true / 255, TARGETS["frames"][:2], atol=0.034)
    np.testing.assert_allclose(predicted / 255, SHARES[:2], atol=0.034)
    for damage in ({"true": "AAAA"}, {"shape": [1, 2]}, {"shape": None}, {"predicted": 7}):
        with pytest.raises(ValueError, match=r".+"):
            frames.unpacked({**kept, **damage})
    with pytest.raises(ValueError, match="damaged"):
        frames.unpacked({})
