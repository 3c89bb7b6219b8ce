"""Huffman's tree over a vocabulary, for hierarchical softmax: frequent words have short ways. Needs NumPy only.

Legend: W words, D inner nodes on the longest way.
"""

import heapq

import numpy as np


def tree(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The way from the root to every word: the two rarest nodes are joined until one is left.

    Args:
      counts: [W] how often each word occurs; W >= 1.

    Returns:
      nodes: [W, D] int32: numbers of the inner nodes, 0 to W - 2, the root first; 0 behind the end.
      codes: [W, D] int8: the turn at each, 0 towards the rarer branch, 1 towards the other; -1 behind the end.
    """
    words = len(counts)
    heap = [(int(count), place) for place, count in enumerate(counts)]
    heapq.heapify(heap)
    parent, turn = np.zeros(2 * words - 1, np.int64), np.zeros(2 * words - 1, np.int8)
    for node in range(words, 2 * words - 1):
        (low, first), (high, second) = heapq.heappop(heap), heapq.heappop(heap)
        parent[[first, second]], turn[second] = node, 1
        heapq.heappush(heap, (low + high, node))
    ways: list[list[tuple[int, int]]] = []
    for word in range(words):
        way, place = [], word
        while place != 2 * words - 2:
            way.append((int(parent[place]) - words, int(turn[place])))
            place = int(parent[place])
        ways.append(way[::-1])
    deepest = max(1, max(map(len, ways)))
    nodes, codes = np.zeros((words, deepest), np.int32), np.full((words, deepest), -1, np.int8)
    for word, way in enumerate(ways):
        if way:
            nodes[word, : len(way)], codes[word, : len(way)] = zip(*way, strict=True)
    return nodes, codes
