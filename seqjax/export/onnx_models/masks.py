"""Masks of any form, for operators that know lengths only.

The real steps of a row are moved to its front, in their order; a layer runs over as many; what it gives is moved back.
A step that is not real gets the output of the real one before it in the layer's direction (the state holds still), or
the initial one where there is none.

Legend: B batch, T time, D features, U units.
"""

import dataclasses

import numpy as np

from seqjax.export.graph import Graph, Value


@dataclasses.dataclass(frozen=True)
class Mask:
    """[B, T] bool, and what follows from it."""

    graph: Graph
    valid: Value
    counts: Value
    """[B, T] int64: real steps up to each, itself included."""
    lengths: Value
    """[B] int64: real steps in all."""
    order: Value | None
    """[B, T] int64: where each step of the row with real ones in front comes from; None: they are in front."""

    @classmethod
    def of(cls, graph: Graph, valid: Value, in_front: bool = False) -> "Mask":
        """in_front: whether the real steps of every row are known to be its first ones."""
        whole = valid.cast(np.int64)
        counts = graph.op("CumSum", whole, graph.constant(np.int64(1)))
        order = None
        if not in_front:
            steps = graph.steps(valid).unsqueeze(0)  # [1, T]
            rank = graph.where(valid, steps, steps + (1 << 40))  # the real ones first, each kind in its order
            _, order = graph.ops("TopK", rank, valid.size(1), outputs=2, largest=0, axis=1)
        return cls(graph, valid, counts, whole.sum(1), order)

    def front(self, x: Value, axes: int) -> Value:
        """[B, T, ...] of so many axes -> the same with the real steps of each row in front."""
        if self.order is None:
            return x
        if axes == 2:
            return self.graph.op("GatherElements", x, self.order, axis=1)
        return self.graph.op("GatherND", x, self.order.unsqueeze(2), batch_dims=1)

    def run_lengths(self) -> Value:
        """[B] int32 for an operator; of an empty row 1, as not every runtime takes 0."""
        return self.lengths.maximum(1).cast(np.int32)

    def last(self, last: Value, initial: Value | None) -> Value:
        """[B, U] after the last step: of an empty row the initial one."""
        none = self.lengths.equals(0).unsqueeze(1)
        return self.graph.where(none, 0.0 if initial is None else initial, last)

    def back(self, outputs: Value, initial: Value | None, reverse: bool) -> Value:
        """Outputs [B, T, U] of the real steps in front -> those of all steps."""
        place = self.counts - self.valid.cast(np.int64) if reverse else self.counts - 1
        none = (self.lengths.unsqueeze(1) <= place) if reverse else place < 0
        most = self.valid.size(1) - 1
        found = self.graph.op("GatherND", outputs, place.maximum(0).minimum(most).unsqueeze(2), batch_dims=1)
        rest = 0.0 if initial is None else initial.unsqueeze(1)
        return self.graph.where(none.unsqueeze(2), rest, found)
