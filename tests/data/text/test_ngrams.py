"""Kneser-Ney against its definition, written out with dictionaries."""

import lzma
import math
from collections import Counter, defaultdict

import numpy as np
import pytest

from seqjax.data.text.ngrams import kneser_ney, xz


def by_definition(train, symbols, order):
    """-> P(w | context): the formulas of the module's docstring, one n-gram at a time."""
    occurrences = {n: Counter(tuple(train[i - n + 1 : i + 1]) for i in range(n - 1, len(train))) for n in range(1, 9)}

    def counts(n):
        if n == order:
            return occurrences[n]
        return Counter(gram[1:] for gram in occurrences[n + 1])

    tables = []
    for n in range(1, order + 1):
        found = counts(n)
        once, twice = sum(c == 1 for c in found.values()), sum(c == 2 for c in found.values())
        totals, kinds = defaultdict(int), defaultdict(int)
        for gram, count in found.items():
            totals[gram[:-1]] += count
            kinds[gram[:-1]] += 1
        tables.append((found, totals, kinds, once / (once + 2 * twice) if once else 0.5))

    def probability(context, w):
        p = 1 / symbols
        for n, (found, totals, kinds, discount) in enumerate(tables, start=1):
            u = tuple(context[len(context) - n + 1 :])
            if totals[u]:
                p = max(found[(*u, w)] - discount, 0) / totals[u] + discount * kinds[u] / totals[u] * p
        return p

    return probability


@pytest.mark.parametrize("order", [1, 2, 3, 5])
@pytest.mark.parametrize("symbols", [2, 6])
def test_kneser_ney_is_its_definition_and_sums_to_one(order, symbols):
    rng = np.random.default_rng(order)
    train, text = rng.integers(symbols - (symbols > 2), size=150), rng.integers(symbols, size=60)
    probability = by_definition([int(w) for w in train], symbols, order)
    whole = [int(w) for w in np.concatenate([train, text])]
    expected = [-math.log(probability(whole[:i], whole[i])) for i in range(len(train), len(whole))]
    assert kneser_ney(train, text, symbols, order) == pytest.approx(np.mean(expected), rel=1e-12)
    assert sum(probability(whole[:170], w) for w in range(symbols)) == pytest.approx(1)


def test_a_text_that_repeats_itself_costs_almost_nothing_and_noise_costs_its_entropy():
    cycle = np.tile(np.arange(7), 300)
    assert kneser_ney(cycle, cycle[:70], 7) < 0.02
    noise = np.random.default_rng(0).integers(4, size=40_000)
    assert kneser_ney(noise[:30_000], noise[30_000:], 4) == pytest.approx(math.log(4), rel=0.02)
    assert kneser_ney(cycle, cycle[:0], 7) == 0


def test_xz_is_charged_for_what_the_text_adds():
    rng = np.random.default_rng(0)
    noise = rng.bytes(4000)
    assert xz(noise, noise) < 0.05 * 4000 * 8 * math.log(2)
    grown = len(lzma.compress(noise + noise[::-1], preset=9 | lzma.PRESET_EXTREME))
    alone = len(lzma.compress(noise, preset=9 | lzma.PRESET_EXTREME))
    assert xz(noise, noise[::-1]) == pytest.approx((grown - alone) * 8 * math.log(2))
