"""Batches are a function of (seed, step), and cover every example once an epoch."""

import numpy as np
import pytest

from seqjax.data.pipeline import batches, steps_per_epoch

IDS = np.arange(100, 123)  # 23 examples: 5 batches of 5, the last with 2 of padding


def flat(**options):
    """Step -> (ids, weights) of each single batch."""
    found = {}
    for stack in batches(IDS, batch_size=5, **options):
        for row, (ids, weights) in enumerate(zip(stack.ids, stack.weights, strict=True)):
            found[stack.step + row] = (ids.tolist(), weights.tolist())
    return found


def test_every_example_counts_once_an_epoch():
    for seed in (None, 3):
        found = flat(start=0, stop=5, seed=seed)
        chosen = [i for ids, weights in found.values() for i, w in zip(ids, weights, strict=True) if w]
        assert sorted(chosen) == IDS.tolist()
        assert sum(sum(weights) for _, weights in found.values()) == len(IDS)
    assert steps_per_epoch(23, 5) == 5
    assert steps_per_epoch(25, 5) == 5


def test_the_order_without_a_seed_is_that_of_the_ids():
    assert [i for ids, _ in flat(start=0, stop=4).values() for i in ids] == list(range(100, 120))


def test_epochs_differ_and_seeds_differ():
    epochs = flat(start=0, stop=10, seed=3)
    assert epochs[0] != epochs[5]
    assert flat(start=0, stop=1, seed=4)[0] != epochs[0]


@pytest.mark.parametrize("stack", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("start", [0, 3, 7, 9, 10, 15])
def test_a_batch_is_a_function_of_seed_and_step(stack, start):
    whole = flat(start=0, stop=15, seed=3)
    part = flat(start=start, stop=15, seed=3, stack=stack)
    assert part == {step: batch for step, batch in whole.items() if step >= start}


def test_stacks_end_with_the_epoch_so_that_few_shapes_are_compiled():
    shapes = [(stack.step, stack.ids.shape) for stack in batches(IDS, batch_size=5, start=0, stop=10, stack=3)]
    assert shapes == [(0, (3, 5)), (3, (2, 5)), (5, (3, 5)), (8, (2, 5))]


LENGTHS = np.array([3, 9, 5] * 7 + [9, 3])  # of IDS


@pytest.mark.parametrize("stack", [1, 2])
def test_batches_of_like_length_hold_every_example_once_and_say_how_long_it_is(stack):
    stacks = list(batches(IDS, batch_size=5, start=0, stop=5, seed=1, stack=stack, lengths=LENGTHS))
    rows = [(i, s.length) for s in stacks for i, w in zip(s.ids.ravel(), s.weights.ravel(), strict=True) if w]
    assert sorted(i for i, _ in rows) == IDS.tolist()
    assert all(LENGTHS[i - 100] <= length for i, length in rows)
    if stack == 1:
        assert all(s.length == LENGTHS[s.ids - 100].max() for s in stacks)
        assert sum(s.length for s in stacks[:4]) == min_cost(stacks)
    assert stacks[-1].weights[-1].tolist() == [1, 1, 1, 0, 0]


def min_cost(stacks):
    """The least sum of lengths that any cut of the first four batches' examples can have."""
    lengths = np.sort([LENGTHS[i - 100] for s in stacks[:4] for i in s.ids.ravel()])
    return lengths.reshape(4, 5).max(axis=1).sum()


def test_batches_of_like_length_are_a_function_of_seed_and_step():
    options = {"seed": 3, "lengths": LENGTHS}
    whole = flat(start=0, stop=15, **options)
    assert flat(start=7, stop=15, **options) == {step: batch for step, batch in whole.items() if step >= 7}
    assert whole[0] != whole[5]
    assert whole != flat(start=0, stop=15, seed=4, lengths=LENGTHS)


def test_batches_of_like_length_come_in_random_order_but_for_evaluation():
    lengths = lambda seed: [s.length for s in batches(IDS, batch_size=2, start=0, stop=11, seed=seed, lengths=LENGTHS)]
    assert lengths(None) == sorted(lengths(None))
    assert lengths(0) != sorted(lengths(0))
