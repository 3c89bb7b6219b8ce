"""seqjax.data.moving_digits: paths, frames, what needs no model, and the frames of a user."""

import dataclasses
import io
import json

import jax
import numpy as np
import pytest

from places import DATA
from seqjax.data import moving_digits
from seqjax.data.moving_digits import EDGE, SCALE, MovingDigits
from seqjax.errors import UserError


@pytest.fixture(scope="module")
def real():
    return MovingDigits(frames=14, paths=3).load("real", DATA)


@pytest.fixture(scope="module")
def test_part(real):
    shown, targets = real.gather(real.arrays, real.parts["test"])
    return np.concatenate([shown, targets["frames"][:, -1:]], axis=1), targets["digit"]


def test_every_image_is_in_one_part_alone(real):
    from sklearn.datasets import load_digits

    of = {part: set(real.arrays["shown"][ids]) for part, ids in real.parts.items()}
    assert sum(map(len, of.values())) == 1797 == len(set.union(*of.values()))
    assert [len(real.parts[part]) / len(of[part]) for part in of] == [3, 1, 1]
    digits = load_digits().target[real.arrays["shown"]]
    np.testing.assert_array_equal(real.gather(real.arrays, real.parts["test"])[1]["digit"], digits[real.parts["test"]])


def test_a_frame_is_the_image_at_its_place_walked_step_by_step(real):
    """Beside a walk in a loop, that turns round where the ink meets an edge."""
    from sklearn.datasets import load_digits

    images = load_digits().images
    for example in (real.parts["test"][0], real.parts["train"][7]):
        moving = moving_digits.moved(real.arrays, np.array([example]), 14)[0]
        image = images[real.arrays["shown"][example]] / 16
        ink = image[image.any(axis=1)][:, image.any(axis=0)]
        ink = np.kron(ink, np.ones((SCALE, SCALE)))
        place, velocity = real.arrays["place"][example].copy(), real.arrays["velocity"][example].copy()
        for frame in moving:
            expected = np.zeros((EDGE, EDGE))
            expected[place[0] : place[0] + ink.shape[0], place[1] : place[1] + ink.shape[1]] = ink
            np.testing.assert_allclose(frame, expected, atol=1e-6)
            for axis in range(2):
                room = EDGE - ink.shape[axis]
                place[axis] += velocity[axis]
                if not 0 <= place[axis] <= room:
                    place[axis] = -place[axis] if place[axis] < 0 else 2 * room - place[axis]
                    velocity[axis] *= -1


def test_ink_stays_in_the_frame_moves_at_each_step_and_bounces(test_part):
    moving, _ = test_part
    total = moving.sum(axis=(2, 3))
    np.testing.assert_allclose(total, np.repeat(total[:, :1], 15, axis=1), rtol=1e-5)
    corner = np.stack([(moving > 0).any(axis=axis).argmax(axis=2) for axis in (3, 2)], axis=-1)
    steps = np.diff(corner, axis=1)
    assert np.abs(steps).max() == moving_digits.FASTEST
    assert (steps.max(axis=1) * steps.min(axis=1) < 0).any(axis=1).mean() > 0.5, "most turn round"


def test_jax_gathers_what_numpy_does(real):
    ids = real.parts["validation"][:5]
    arrays = {name: jax.numpy.asarray(array) for name, array in real.arrays.items()}
    jax.tree.map(np.testing.assert_array_equal, jax.jit(real.gather)(arrays, ids), real.gather(real.arrays, ids))
    assert sum(array.nbytes for array in real.arrays.values()) < 1e6, "paths are kept, not frames"


def test_baselines_are_their_definitions(real, test_part):
    moving, digits = test_part
    error = lambda guess: np.square(guess - moving[:, 2:]).mean()
    assert real.baselines["last_frame"]["test"]["mse"] == pytest.approx(error(moving[:, 1:-1]))
    guess = np.empty_like(moving[:, 2:])
    for row, frames in enumerate(moving):
        for t in range(1, 14):
            (y, x), (v, u) = (np.argwhere(frames[k] > 0).min(axis=0) for k in (t, t - 1))
            moved = np.zeros((3 * EDGE, 3 * EDGE))
            moved[EDGE + y - v :, EDGE + x - u :][:EDGE, :EDGE] = frames[t]
            guess[row, t - 1] = moved[EDGE : 2 * EDGE, EDGE : 2 * EDGE]
    assert real.baselines["last_step"]["test"]["mse"] == pytest.approx(error(guess))
    assert real.baselines["last_step"]["test"]["mse"] < 0.3 * real.baselines["last_frame"]["test"]["mse"]
    share = real.baselines["largest_class"]["test"]["digit_accuracy"]
    assert share in [np.mean(digits == digit) for digit in range(10)]


def test_the_sample_knows_its_optimum_and_options_are_checked():
    dataset = MovingDigits().load("sample", DATA)
    assert 0.95 < dataset.optimum["digit_accuracy"] < 1
    assert dataset.optimum["mse"] == 0
    assert len(dataset.parts["train"]) < 1000
    prints = {MovingDigits(**own).load("sample", DATA).fingerprint for own in ({}, {"frames": 8}, {"split_seed": 1})}
    assert len(prints) == 3
    for field in dataclasses.fields(MovingDigits):
        with pytest.raises(UserError, match=f"{field.name} must be at least"):
            MovingDigits(**{field.name: -1})
    with pytest.raises(UserError, match="data='other'"):
        MovingDigits().load("other", DATA)


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return io.TextIOWrapper(io.BytesIO(file.getvalue()))


def test_frames_of_a_user_are_read_and_answered_by_json(real):
    shown, _ = real.gather(real.arrays, real.parts["test"][:2])
    as_bytes = np.round(255 * shown).astype(np.uint8)
    for given, examples in ((shown, 2), (shown.astype(np.float64), 2), (as_bytes, 2), (shown[0], 1)):
        requests = MovingDigits().requests(DATA, npy(given), "mine.npy")
        found = requests.gather(requests.arrays, requests.ids)
        assert (found.shape, found.dtype) == ((examples, 14, EDGE, EDGE), np.float32)
        np.testing.assert_allclose(found, shown[:examples], atol=0.003)
    output = {"digit": np.eye(10)[7] * 0.9, "frames": shown[0]}
    said = json.loads(requests.line(0, output))
    assert (said["digit"], said["probability"]) == ("7", 0.9)
    np.testing.assert_allclose(said["frame"], shown[0, -1], atol=0.001)


FRAMES = np.zeros((1, 2, EDGE, EDGE), np.float32)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (npy(FRAMES[..., 1:]), r"an array of shape \(1, 2, 32, 31\)"),
        (npy(FRAMES[:, :0]), r"shape \(1, 0, 32, 32\)"),
        (npy(FRAMES[0, 0]), r"shape \(32, 32\)"),
        (npy(FRAMES + np.nan), r"holds nan at \[0, 0, 0, 0\]"),
        (npy(FRAMES + 255), r"holds 255.0 at \[0, 0, 0, 0\]"),
        (npy(FRAMES.astype(int)), "holds int64"),
        (npy(FRAMES.astype(np.uint16)), "holds uint16"),
        (npy(FRAMES.astype(complex)), "holds complex128"),
        (npy(np.array([{}])), "is no .npy file that can be read"),
        (io.TextIOWrapper(io.BytesIO(b"0,1\n")), "is no .npy file that can be read"),
        (io.TextIOWrapper(io.BytesIO(b"")), "is no .npy file that can be read"),
        (io.StringIO("0,1\n"), "is no .npy file that can be read"),
    ],
)
def test_what_are_no_frames_is_refused(given, said):
    with pytest.raises(UserError, match=f"mine.npy .*{said}|mine.npy {said}"):
        MovingDigits().requests(DATA, given, "mine.npy")
