"""Batches are a function of (seed, step), cover every example once an epoch, and divide over hosts."""

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
@pytest.mark.parametrize("start", [0, 10])
def test_a_batch_is_a_function_of_seed_and_step(stack, start):
    whole = flat(start=0, stop=15, seed=3)
    part = flat(start=start, stop=15, seed=3, stack=stack)
    assert part == {step: batch for step, batch in whole.items() if step >= start}


def test_starting_within_an_epoch():
    whole = flat(start=0, stop=15, seed=3)
    assert flat(start=7, stop=15, seed=3, stack=2) == {step: batch for step, batch in whole.items() if step >= 7}


def test_stacks_end_with_the_epoch_so_that_few_shapes_are_compiled():
    shapes = [(stack.step, stack.ids.shape) for stack in batches(IDS, batch_size=5, start=0, stop=10, stack=3)]
    assert shapes == [(0, (3, 5)), (3, (2, 5)), (5, (3, 5)), (8, (2, 5))]


@pytest.mark.parametrize("hosts", [2, 4])
def test_hosts_take_slices_of_one_global_order(hosts):
    options = {"batch_size": 8, "start": 0, "stop": 6, "seed": 1, "stack": 2}
    whole = list(batches(IDS, **options))
    parts = [list(batches(IDS, **options, host=host, hosts=hosts)) for host in range(hosts)]
    for k, stack in enumerate(whole):
        np.testing.assert_array_equal(np.concatenate([part[k].ids for part in parts], axis=1), stack.ids)
        np.testing.assert_array_equal(np.concatenate([part[k].weights for part in parts], axis=1), stack.weights)


def test_a_batch_that_does_not_divide_over_the_hosts_is_refused():
    with pytest.raises(ValueError, match="does not divide over 3 hosts"):
        next(batches(IDS, batch_size=5, start=0, stop=1, hosts=3))
