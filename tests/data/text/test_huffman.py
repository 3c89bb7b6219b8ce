"""Huffman's tree is a shortest prefix code."""

import heapq
import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from seqjax.data.text.huffman import tree


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.integers(1, 50), min_size=2, max_size=20))
def test_huffmans_tree_is_a_shortest_prefix_code(counts):
    nodes, codes = tree(np.array(counts))
    ways = ["".join(map(str, row[row >= 0])) for row in codes]
    assert not any(a != b and b.startswith(a) for a in ways for b in ways)
    assert math.isclose(sum(2.0 ** -len(way) for way in ways), 1)
    heap, cost = list(counts), 0
    heapq.heapify(heap)
    while len(heap) > 1:
        joined = heapq.heappop(heap) + heapq.heappop(heap)
        cost += joined
        heapq.heappush(heap, joined)
    assert sum(count * len(way) for count, way in zip(counts, ways, strict=True)) == cost
    beginnings = {}  # a node is one beginning of a way
    for row, way in zip(nodes, ways, strict=True):
        for depth in range(len(way)):
            assert beginnings.setdefault(int(row[depth]), way[:depth]) == way[:depth]
    assert sorted(beginnings) == list(range(len(counts) - 1))


def test_a_tree_of_one_word_has_no_turns():
    nodes, codes = tree(np.array([7]))
    assert (nodes.tolist(), codes.tolist()) == ([[0]], [[-1]])
