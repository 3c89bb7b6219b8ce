"""Examples that come at once are answered at once: one thread, one queue, and few shapes.

Nobody waits for company: an example that comes alone goes alone. While the model works, others gather, and the next
call takes as many of one shape as there is room for. Every call is of the same number of rows, the rest filled up, so
that nothing is compiled anew and an answer does not depend on who else asked.
"""

import collections
import concurrent.futures
import contextlib
import threading
from collections.abc import Callable, Hashable, Sequence
from typing import Any

from seqjax.serve.limits import RefusedError

Row = Any
"""A tree of arrays without an axis for the batch."""
Call = Callable[[Hashable, Sequence[Row]], Sequence[Any]]
"""(what the rows have in common, up to `most` rows) -> an answer for each."""


class Batches:
    """The queue."""

    def __init__(self, call: Call, most: int, capacity: int):
        """Args: call: the models. most: rows in one call. capacity: rows that may wait."""
        self.call, self.most, self.capacity = call, most, capacity
        self.calls, self.rows = 0, 0
        """How many there have been."""
        self._waiting: collections.OrderedDict[Hashable, collections.deque] = collections.OrderedDict()
        self._count, self._closed = 0, False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="seqjax-serve", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Rows that nobody has begun with."""
        return self._count

    def submit(self, key: Hashable, rows: Sequence[Row]) -> list[concurrent.futures.Future]:
        """Their answers to come. Raises RefusedError: there is no room for all of them."""
        with self._changed:
            if self._closed:
                raise RefusedError(429, "the server is ending", 5)
            if self._count + len(rows) > self.capacity:
                raise RefusedError(429, f"{self._count:,} examples are waiting already: ask again later", 1)
            found = [(row, concurrent.futures.Future()) for row in rows]
            self._waiting.setdefault(key, collections.deque()).extend(found)
            self._count += len(rows)
            self._changed.notify()
        return [future for _, future in found]

    def close(self) -> None:
        """Answer what waits, and end."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._count or self._closed)
                if not self._count:
                    return
                key, waiting = self._waiting.popitem(last=False)
                taken = [waiting.popleft() for _ in range(min(self.most, len(waiting)))]
                if waiting:
                    self._waiting[key] = waiting  # behind the others: each kind of row has its turn
                self._count -= len(taken)
            taken = [(row, future) for row, future in taken if future.set_running_or_notify_cancel()]
            if taken:
                self._answer(key, taken)

    def _answer(self, key: Hashable, taken: Sequence[tuple[Row, concurrent.futures.Future]]) -> None:
        self.calls += 1
        self.rows += len(taken)
        try:
            answers = self.call(key, [row for row, _ in taken])
        except BaseException as error:  # whatever a model makes of a row is that row's alone
            if len(taken) > 1:
                for one in taken:
                    self._answer(key, [one])
                return
            with contextlib.suppress(concurrent.futures.InvalidStateError):
                taken[0][1].set_exception(error)
            return
        for (_, future), answer in zip(taken, answers, strict=True):
            with contextlib.suppress(concurrent.futures.InvalidStateError):
                future.set_result(answer)
