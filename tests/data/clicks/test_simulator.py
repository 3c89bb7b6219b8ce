"""Generated visitors: the verdicts that are said to be the best are, by brute force and by what comes true."""

import itertools

import numpy as np
import pytest

from seqjax.data.clicks import simulator
from seqjax.data.clicks.simulator import Simulator
from seqjax.errors import UserError


def lognormal(seconds, mean, deviation):
    z = (np.log(seconds) - mean) / deviation
    return np.exp(-z * z / 2) / (seconds * deviation * np.sqrt(2 * np.pi))


def likelihood(pages, seconds, kind, imitation):
    """Summed over all ways in which the hidden modes may have gone; kind: of a bot, or None."""
    total = 0.0
    for modes in itertools.product(range(2), repeat=len(pages)):
        p = simulator.MODE_START[modes[0]]
        for t in range(1, len(pages)):
            p *= simulator.MODES[modes[t - 1], modes[t]]
            before, page, mode = pages[t - 1], pages[t], modes[t]
            mean = simulator.HUMAN_TIMES[0][mode] + simulator.LONGER[before]
            click = simulator.HUMAN[mode, before, page] * lognormal(seconds[t], mean, simulator.HUMAN_TIMES[1][mode])
            if kind is not None:
                mean, deviation = (values[kind] for values in simulator.BOT_TIMES)
                own = simulator.BOTS[kind, before, page] * lognormal(seconds[t], mean, deviation)
                click = imitation * click + (1 - imitation) * own
            p *= click
        total += p
    return total


@pytest.mark.parametrize("imitation", [0.0, 0.6])
def test_the_odds_are_those_of_all_hidden_ways_together(imitation):
    visits = Simulator(imitation).visits(20, 3)
    for k in range(6):
        for steps in (1, 2, min(5, visits.lengths[k])):
            pages, seconds = visits.pages[k, :steps], visits.seconds[k, :steps]
            bots = [likelihood(pages, seconds, kind, imitation) for kind in range(3)]
            expected = np.log(np.mean(bots)) - np.log(likelihood(pages, seconds, None, imitation))
            assert visits.log_odds is not None
            assert visits.log_odds[k, steps - 1] == pytest.approx(expected, abs=1e-9)


def test_the_best_verdicts_are_right_as_often_as_they_say():
    visits = Simulator(0.5).visits(6000, 0)
    odds = visits.log_odds
    assert odds is not None
    assert visits.labels is not None
    p = 1 / (1 + np.exp(-odds[np.arange(6000), visits.lengths - 1]))
    assert np.mean((p > 0.5) == visits.labels) == pytest.approx(np.mean(np.maximum(p, 1 - p)), abs=0.015)
    for low in (0.0, 0.2, 0.4, 0.6, 0.8):
        inside = (p >= low) & (p < low + 0.2)
        assert visits.labels[inside].mean() == pytest.approx(p[inside].mean(), abs=0.06)


def test_imitation_is_the_knob_of_how_hard_it_is_and_at_1_nothing_tells():
    best = []
    for imitation in (0.0, 0.5, 1.0):
        odds = Simulator(imitation).visits(1000, 0).log_odds
        assert odds is not None
        best.append(np.mean(1 / (1 + np.exp(-np.abs(odds[:, -1])))))
    assert best[0] > best[1] + 0.05 > best[2] + 0.3
    assert best[2] == pytest.approx(0.5)


def test_visits_are_a_function_of_the_seed_and_of_the_asked_length():
    one, two, other = (Simulator().visits(200, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.pages, two.pages)
    np.testing.assert_array_equal(one.seconds, two.seconds)
    assert (one.pages != other.pages).any()
    np.testing.assert_array_equal((one.pages >= 0).sum(axis=1), one.lengths)
    assert one.lengths.min() >= 2
    assert np.unique(one.lengths).size > 20
    for probabilities in (simulator.HUMAN, simulator.BOTS, simulator.MODES, simulator.START):
        np.testing.assert_allclose(probabilities.sum(axis=-1), 1)


@pytest.mark.parametrize("imitation", [-0.1, 1.1])
def test_imitation_is_a_probability(imitation):
    with pytest.raises(UserError, match=r"is not in \[0, 1\]"):
        Simulator(imitation)
