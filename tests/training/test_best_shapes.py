"""seqjax.training.best.shapes: what the best checkpoint is restored as, without initial values."""

import jax
import numpy as np

from seqjax.training.best import shapes
from seqjax.training.checkpoint import Checkpoints
from seqjax.training.state import create_state


def test_they_are_those_of_the_initial_values_and_restore_to_the_first_device(toy_experiment, toy_dataset, tmp_path):
    params = create_state(toy_experiment, toy_dataset.example()).params
    found = shapes(toy_experiment, toy_dataset.example())
    assert jax.tree.structure(found) == jax.tree.structure(params)
    described = lambda leaf: (leaf.shape, leaf.dtype)
    assert jax.tree.map(described, found) == jax.tree.map(described, params)
    assert not any(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(found))

    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(3, params)
    step, restored = checkpoints.restore(found)
    checkpoints.close()
    assert step == 3
    for one, other in zip(jax.tree.leaves(restored), jax.tree.leaves(params), strict=True):
        assert one.devices() == {jax.local_devices()[0]}
        np.testing.assert_array_equal(one, other, strict=True)
