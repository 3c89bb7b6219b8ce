"""Checkpoints come back bit by bit, or not at all."""

import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax.errors import UserError
from seqjax.training.checkpoint import KEEP, Checkpoints


def tree(value: float):
    return {
        "params": {"kernel": jnp.full((40, 30), float(value)), "half": jnp.ones(3, jnp.bfloat16)},
        "key": jax.random.key(3),
        "step": jnp.asarray(value, jnp.int32),
        "flag": jnp.array(True),
    }


def raw(leaf):
    return np.asarray(jax.random.key_data(leaf) if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf)


def assert_same(first, second):
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(raw(a), raw(b)), first, second)


@pytest.fixture
def checkpoints(tmp_path):
    opened = Checkpoints(tmp_path / "latest")
    yield opened
    opened.close()


def largest_file(folder):
    return max((file for file in folder.rglob("*") if file.is_file()), key=lambda file: file.stat().st_size)


def test_round_trip_is_exact_and_the_newest_two_are_kept(checkpoints):
    assert checkpoints.restore(tree(0)) is None
    for step in (1, 2, 3):
        checkpoints.save(step, tree(step))
    checkpoints.wait()
    assert checkpoints.steps() == [3, 2]
    assert len(checkpoints.steps()) == KEEP
    step, restored = checkpoints.restore(tree(0))
    assert step == 3
    assert_same(restored, tree(3))
    assert_same(checkpoints.restore(tree(0), step=2)[1], tree(2))


def test_buffers_may_be_donated_right_after_save(checkpoints):
    state = jax.jit(tree, static_argnums=0)(1.0)
    checkpoints.save(1, state)
    jax.jit(lambda s: jax.tree.map(lambda x: x * 0 if x.dtype == jnp.float32 else x, s), donate_argnums=0)(state)
    assert_same(checkpoints.restore(tree(0))[1], tree(1))


def flip_a_bit(file):
    damaged = bytearray(file.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    file.write_bytes(damaged)


DAMAGE = {
    "bit": lambda folder: flip_a_bit(largest_file(folder)),
    "truncated": lambda folder: largest_file(folder).write_bytes(largest_file(folder).read_bytes()[:-50]),
    "emptied": lambda folder: largest_file(folder).write_bytes(b""),
    "item removed": lambda folder: shutil.rmtree(folder / "state"),
    "manifest removed": lambda folder: (folder / "state" / "manifest.ocdbt").unlink(),
}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # orbax leaves coroutines behind
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_newest_checkpoint_falls_back_with_a_warning(tmp_path, damage, caplog):
    checkpoints = Checkpoints(tmp_path / "latest")
    for step in (1, 2):
        checkpoints.save(step, tree(step))
    checkpoints.close()
    DAMAGE[damage](tmp_path / "latest" / "2")
    checkpoints = Checkpoints(tmp_path / "latest")
    step, restored = checkpoints.restore(tree(0))
    assert step == 1
    assert_same(restored, tree(1))
    assert "2 is damaged; falling back" in caplog.text
    checkpoints.save(2, tree(2))  # the run arrives there again
    assert checkpoints.restore(tree(0))[0] == 2
    checkpoints.close()


def test_every_bit_is_covered_by_the_checksum(checkpoints):
    from seqjax.training.checkpoint import _sealed

    whole = int(_sealed(tree(1))["checksum"])
    changed = tree(1)
    changed["params"]["kernel"] = changed["params"]["kernel"].at[39, 29].set(np.nextafter(np.float32(1), np.float32(2)))
    assert int(_sealed(changed)["checksum"]) != whole
    swapped = tree(1)
    swapped["params"]["kernel"] = jnp.arange(1200.0).reshape(40, 30)
    first = int(_sealed(swapped)["checksum"])
    swapped["params"]["kernel"] = swapped["params"]["kernel"][::-1]
    assert int(_sealed(swapped)["checksum"]) != first


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # orbax leaves coroutines behind
def test_all_damaged_is_an_error_and_deletes_nothing(checkpoints, tmp_path):
    for step in (1, 2):
        checkpoints.save(step, tree(step))
    checkpoints.wait()
    for step in (1, 2):
        largest_file(tmp_path / "latest" / str(step)).write_bytes(b"")
    with pytest.raises(UserError, match=r"every checkpoint in .* is damaged"):
        checkpoints.restore(tree(0))
    assert checkpoints.steps() == [2, 1]


def test_what_a_killed_process_left_half_written_is_cleared(tmp_path):
    checkpoints = Checkpoints(tmp_path / "latest")
    checkpoints.save(1, tree(1))
    checkpoints.close()
    half = tmp_path / "latest" / "2.orbax-checkpoint-tmp"
    shutil.copytree(tmp_path / "latest" / "1", half)
    checkpoints = Checkpoints(tmp_path / "latest")
    assert checkpoints.restore(tree(0))[0] == 1
    checkpoints.save(3, tree(3))  # orbax clears beside us, and is done before it writes again
    assert not half.exists()
    checkpoints.close()
