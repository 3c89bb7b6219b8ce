"""seqjax.report.ranks and its diagram: against aeon's where it is installed, against hand-made figures elsewhere."""

import numpy as np
import pytest
from scipy.stats import rankdata

from seqjax.errors import UserError
from seqjax.report import critical_difference, ranks


def table(seed=0, methods=5, sets=25, spread=0.02):
    rng = np.random.default_rng(seed)
    hard = rng.uniform(0.5, 0.9, sets)
    return {
        f"m{k}": {f"d{n}": float(round(hard[n] + spread * k * 0.5 + rng.normal() * spread, 3)) for n in range(sets)}
        for k in range(methods)
    }


def test_ranks_share_equals_and_missing_cells_are_told():
    own = {"a": {"x": 0.9, "y": 0.5, "z": 0.1}, "b": {"x": 0.9, "y": 0.6, "w": 0.3}, "c": {"x": 0.2, "y": 0.7}}
    names, lacking = ranks.complete(own)
    assert names == ["x", "y"]
    assert lacking == {"a": ["w"], "b": ["z"], "c": ["w", "z"]}
    found = ranks.rank(own)
    assert dict(zip(found.methods, found.ranks, strict=True)) == {"b": 1.75, "c": 2.0, "a": 2.25}
    assert found.cliques == [(0, 2)], "two data sets tell nothing"


@pytest.mark.parametrize("test", ranks.TESTS)
@pytest.mark.parametrize("seed", range(4))
def test_it_is_aeons(seed, test):
    stats = pytest.importorskip("aeon.benchmarking.stats")
    drawing = pytest.importorskip("aeon.visualisation.results._critical_difference")
    own = table(seed, methods=3 + seed, sets=24, spread=0.02 + 0.02 * seed)
    found = ranks.rank(own, test, 0.05)
    scores = np.array([[own[method][name] for method in found.methods] for name in found.data_sets])
    places = rankdata(-scores, axis=1)
    np.testing.assert_allclose(found.ranks, places.mean(axis=0))
    assert found.friedman == pytest.approx(stats.check_friedman(places))
    count = len(found.methods)
    cliques, p = drawing._find_cliques(
        places, scores, np.array(found.methods), found.ranks, len(scores), count, test, "holm", 0.05, False
    )
    expected = sorted((int(row.argmax()), int(count - 1 - row[::-1].argmax())) for row in np.array(cliques, bool))
    assert sorted(found.cliques) == expected
    if test == "wilcoxon" and found.friedman < 0.05:
        above = np.triu_indices(count, 1)
        np.testing.assert_allclose(found.p[above], p[above], rtol=1e-6)


def test_the_critical_difference_is_demsars():
    """Table 5a of Demsar 2006: q of 5 % is 2.343 for three methods, 2.728 for five, 3.164 for ten."""
    for methods, q in ((2, 1.960), (3, 2.343), (5, 2.728), (10, 3.164)):
        assert ranks.critical_difference(methods, 6, 0.05) == pytest.approx(
            q * np.sqrt(methods * (methods + 1) / 36), rel=1e-3
        )
    assert ranks.critical_difference(5, 6, 0.10) == pytest.approx(2.459 * np.sqrt(30 / 36), rel=1e-3)


def test_friedman_decides_first_and_equals_differ_in_nothing():
    same = {name: {f"d{n}": 0.1 * n for n in range(8)} for name in "abc"}
    found = ranks.rank(same)
    assert (found.friedman, found.cliques) == (1.0, [(0, 2)])
    assert [row["p"] for row in ranks.against(found, "b") if row["method"] != "b"] == [1.0, 1.0]
    clear = {"good": {f"d{n}": 0.9 for n in range(12)}, "bad": {f"d{n}": 0.1 + 0.01 * n for n in range(12)}}
    found = ranks.rank(clear)
    assert np.isnan(found.friedman), "of two methods there is no such test"
    assert (found.methods, found.cliques) == (["good", "bad"], [])
    row = ranks.against(found, "bad")[0]
    assert (row["wins"], row["ties"], row["losses"]) == (0, 0, 12)
    assert row["p"] < 0.001


def test_cliques_go_on_to_the_first_that_differs():
    same = np.ones((4, 4), bool)
    same[0, 2] = False  # 0 ~ 1, 0 != 2, 0 ~ 3: the bar of 0 ends at 1
    assert ranks._cliques(same) == [(0, 1), (1, 3)]
    assert ranks._cliques(np.eye(3, dtype=bool)) == []


@pytest.mark.parametrize(
    ("own", "options", "said"),
    [
        ({"a": {"x": 1.0, "y": 0.5}}, {}, "1 methods with 2 data sets"),
        ({"a": {"x": 1.0}, "b": {"y": 1.0}}, {}, "2 methods with 0 data sets in common"),
        (table(), {"test": "t"}, "test 't' is unknown; choose one of wilcoxon, nemenyi"),
        (table(), {"level": 1.0}, "between 0 and 1, not 1.0"),
    ],
)
def test_what_cannot_be_ranked_is_refused(own, options, said):
    with pytest.raises(UserError, match=said):
        ranks.rank(own, **options)


@pytest.mark.parametrize("test", ranks.TESTS)
def test_the_diagram_has_every_method_and_bar(test):
    found = ranks.rank(table(1, methods=6), test)
    figure = critical_difference.picture(found)
    for name, place in zip(found.methods, found.ranks, strict=True):
        assert f"{name}" in figure.svg
        assert f"{place:.2f}" in figure.svg
    assert figure.svg.count("stroke-width: 4") == len(found.cliques) > 0
    assert ("CD " in figure.svg) == (test == "nemenyi")
    assert "25 data sets" in figure.caption
