"""seqjax.models.pictures: what a reader of frames sees, and of what."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from recurrent_reference import random_variables
from seqjax.errors import UserError
from seqjax.layers import RNN, ConvLSTMCell
from seqjax.models.pictures import FrameReader, from_patches, read_frames, to_patches

FRAMES = jax.random.uniform(jax.random.key(0), (2, 4, 8, 12))


def reader(**options):
    return FrameReader(RNN(ConvLSTMCell(3, 3, padding="same"), return_sequences=True), 10, **options)


def test_patches_hold_the_pixels_of_their_place_and_come_back():
    found = to_patches(FRAMES, 2)
    assert found.shape == (2, 4, 4, 6, 4)
    np.testing.assert_array_equal(found[1, 2, 3, 4].reshape(2, 2), FRAMES[1, 2, 6:8, 8:10])
    np.testing.assert_array_equal(from_patches(found), FRAMES)


@pytest.mark.parametrize("memory", [True, False])
def test_a_prediction_knows_the_frames_before_it_or_without_memory_its_own_alone(memory):
    model = reader(memory=memory, patch=4)
    params = random_variables(model, FRAMES)
    run = jax.jit(model.apply)
    before = run(params, FRAMES)
    assert before["frames"].shape == FRAMES.shape
    assert before["digit"].shape == (2, 4, 10)
    after = run(params, FRAMES.at[:, 1].add(0.5))
    for kind in ("frames", "digit"):
        changed = [bool((after[kind][:, t] != before[kind][:, t]).any()) for t in range(4)]
        assert changed == [False, True, memory, memory]
    probabilities = read_frames(model, params["params"], FRAMES)
    np.testing.assert_allclose(probabilities["digit"].sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(probabilities["frames"], 1 / (1 + jnp.exp(-before["frames"])), rtol=1e-4)


def test_patches_that_do_not_fit_are_refused():
    for patch, said in ((5, "patch=5 does not divide frames of 8 x 12 pixels"), (0, "patch must be at least 1")):
        with pytest.raises(UserError, match=said):
            jax.eval_shape(reader(patch=patch).init, jax.random.key(0), FRAMES)
