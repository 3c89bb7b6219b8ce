"""The pairs of all windows, in rows of fixed width."""

import jax
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from seqjax.models.windows import rows
from word_pairs import window_pairs

compiled_rows = jax.jit(rows, static_argnums=(2, 3, 4))


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    words=st.lists(st.tuples(st.booleans(), st.integers(1, 4)), min_size=12, max_size=12),
    blocks=st.sampled_from([1, 2, 3, 6]),
    width=st.sampled_from([1, 2, 5, 16]),
)
def test_rows_hold_the_pairs_of_all_windows_once(words, blocks, width):
    kept, reach = (np.array(column).reshape(blocks, -1) for column in zip(*words, strict=True))
    middle, around, pairs = (np.asarray(array) for array in compiled_rows(kept, reach, 4, width, -(-12 // width)))
    np.testing.assert_array_equal(middle, around[:, 4 : 4 + width])
    assert middle[middle < 12].tolist() == np.flatnonzero(kept).tolist()
    row, i, j = np.nonzero(pairs)
    block, first, length = *np.divmod(middle[row, i], 12 // blocks), 12 // blocks
    second = around[row, j] - block * length
    expected = window_pairs(kept, reach)
    assert len(row) == expected.sum()
    assert expected[block, first, second].all()


def test_words_without_room_are_left_out():
    kept = np.array([[True, False, True], [True, True, True]])
    middle, around, pairs = compiled_rows(kept, np.full((2, 3), 2), 2, 2, 2)
    assert middle.tolist() == [[0, 2], [3, 4]]
    assert around.tolist() == [[6, 6, 0, 2, 3, 4], [0, 2, 3, 4, 6, 6]]
    assert np.argwhere(pairs).tolist() == [[0, 0, 3], [0, 1, 2], [1, 0, 3], [1, 1, 2]]
