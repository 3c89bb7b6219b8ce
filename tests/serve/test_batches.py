"""The queue: sizes, order, faults."""

import threading

import pytest

from seqjax.serve.batches import Batches
from seqjax.serve.limits import RefusedError


class Calls:
    """A model that waits to be told, doubles numbers and stumbles over 13."""

    def __init__(self):
        self.found, self.begun, self.go = [], threading.Event(), threading.Event()

    def __call__(self, key, rows):
        self.found.append((key, list(rows)))
        self.begun.set()
        assert self.go.wait(10)
        return [2 * (row if row != 13 else int("thirteen")) for row in rows]


def test_what_comes_while_the_model_works_goes_together():
    calls = Calls()
    batches = Batches(calls, most=4, capacity=100)
    first = batches.submit("a", [0])
    assert calls.begun.wait(10)
    later = batches.submit("a", [1, 2, 3]) + batches.submit("b", [4]) + batches.submit("a", [5, 6])
    assert batches.waiting == 6
    calls.go.set()
    assert [future.result(10) for future in first + later] == [0, 2, 4, 6, 8, 10, 12]
    assert calls.found == [("a", [0]), ("a", [1, 2, 3, 5]), ("b", [4]), ("a", [6])]
    assert (batches.calls, batches.rows, batches.waiting) == (4, 7, 0)
    batches.close()


def test_a_fault_is_of_its_own_row():
    calls = Calls()
    batches = Batches(calls, most=4, capacity=100)
    batches.submit("a", [0])
    assert calls.begun.wait(10)
    found = batches.submit("a", [1, 13, 3])
    calls.go.set()
    assert [found[k].result(10) for k in (0, 2)] == [2, 6]
    with pytest.raises(ValueError, match="thirteen"):
        found[1].result(10)
    assert batches.submit("a", [4])[0].result(10) == 8, "the thread lives on"
    batches.close()


def test_there_is_room_for_so_many_and_the_end_answers_them():
    calls = Calls()
    batches = Batches(calls, most=2, capacity=3)
    batches.submit("a", [0])
    assert calls.begun.wait(10)
    waiting = batches.submit("a", [1, 2])
    with pytest.raises(RefusedError) as refused:
        batches.submit("b", [3, 4])
    assert (refused.value.status, refused.value.retry) == (429, 1)
    given_up = batches.submit("b", [3])
    assert given_up[0].cancel()
    calls.go.set()
    batches.close()
    assert [future.result(0) for future in waiting] == [2, 4]
    assert ("b", [3]) not in calls.found, "nobody waits for it"
    with pytest.raises(RefusedError):
        batches.submit("a", [5])
