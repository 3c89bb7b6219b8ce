"""Means, intervals and tests of significance."""

import pytest

from seqjax.runs import statistics


def test_the_tests_are_those_of_scipy():
    scipy = pytest.importorskip("scipy.stats")
    a, b = {0: 2.4, 1: 2.5, 2: 2.47, 9: 1.0}, {2: 2.52, 0: 2.45, 1: 2.53, 5: 7.0}
    paired = statistics.difference(a, b)
    peer = scipy.ttest_rel([2.4, 2.5, 2.47], [2.45, 2.53, 2.52])
    assert (paired.test, paired.count, paired.p) == ("paired t-test", 3, pytest.approx(peer.pvalue))
    single = statistics.difference(a, 2.62)
    peer = scipy.ttest_1samp(list(a.values()), 2.62)
    assert (single.test, single.count, single.p) == ("one-sample t-test", 4, pytest.approx(peer.pvalue))
    assert statistics.difference({0: 1.0, 1: 1.0, 2: 1.0}, 2.0).p == 0
    assert statistics.difference({0: 1.0, 1: 1.0, 2: 1.0}, 1.0).p == 1
