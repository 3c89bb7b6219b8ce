"""Alarms against events, beside counting by hand."""

import itertools

import numpy as np
import pytest

from seqjax.data.sound.alarms import Decoder
from seqjax.training import detection
from seqjax.training.detection import COLLAR, Curve, Stream


def drawn(seed, frames=400, events=9):
    rng = np.random.default_rng(seed)
    ends = np.sort(rng.choice(np.arange(2, 40), events, replace=False)) * 1.0
    track = rng.random(frames) ** 4
    times = (np.arange(frames) + 1) * 0.1
    return Stream(track, times, np.stack([ends - 0.4, ends], axis=1), 40.0)


def by_hand(stream, decoder, threshold):
    """Frame by frame, alarm by alarm, event by event."""
    alarms, quiet_until = [], -1
    for frame, value in enumerate(stream.track):
        if value >= threshold and frame >= quiet_until:
            alarms.append(stream.times[frame])
            quiet_until = frame + decoder.refractory
    left, late = list(alarms), []
    for start, stop in stream.events:
        inside = [alarm for alarm in left if start <= alarm < stop + detection.LATE]
        if inside:
            left.remove(inside[0])
            late.append(inside[0] - stop)
    return len(late), len(left), late, alarms


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("threshold", [0.05, 0.5, 0.9])
@pytest.mark.parametrize("refractory", [0, 3, 12])
def test_what_alarms_are_worth_is_what_counting_says(seed, threshold, refractory):
    stream, decoder = drawn(seed), Decoder(1, refractory)
    hits, false, late, alarms = by_hand(stream, decoder, threshold)
    found = detection.judged([stream, stream], decoder, threshold)
    assert (found.hits, found.false_alarms, found.events) == (2 * hits, 2 * false, 18)
    np.testing.assert_allclose(found.latencies, late * 2)
    np.testing.assert_allclose(stream.times[decoder.alarms(stream.track, threshold)], alarms)


def test_the_curve_is_that_of_every_threshold_and_says_what_is_missed():
    stream, decoder = drawn(1), Decoder(1, 5)
    found = detection.curve([stream], decoder)
    assert found.misses[0] == 1
    assert found.false_alarms[0] == 0
    assert list(found.thresholds) == sorted(found.thresholds, reverse=True)
    for threshold, rate, missed in zip(*found, strict=True):
        hits, false, *_ = by_hand(stream, decoder, threshold)
        assert (rate, missed) == (pytest.approx(false * 90), pytest.approx(1 - hits / 9))
    curve = Curve(np.array([3.0, 2.0, 1.0]), np.array([0.0, 0.9, 1.1]), np.array([1.0, 0.3, 0.1]))
    assert [curve.misses_at(rate) for rate in (0.5, 1.0, 2.0)] == [1.0, 0.3, 0.1]
    assert curve.threshold_at(1.0) == 2.0


def test_where_false_alarms_begin_every_peak_is_a_threshold():
    rng = np.random.default_rng(0)
    track = rng.random(50_000) * 0.9
    ends = np.arange(300) * 160 + 80
    track[ends] = 0.85 + 0.1 * rng.random(300)
    events = np.stack([ends - 5, ends], axis=1) * 0.1
    found = detection.curve([Stream(track, np.arange(50_000) * 0.1, events, 5_000.0)], Decoder(1, 5))
    assert len(found.thresholds) <= 2 * detection.THRESHOLDS + 1
    own = np.sort(detection.peaks(track))[::-1]
    few = [
        judge.false_alarms
        for judge in (detection.match(np.flatnonzero(track >= height) * 0.1, events) for height in own[:400])
    ]
    first = int(np.flatnonzero(few)[0])
    assert {*own[first - 1 : first + 3]} <= {*found.thresholds}
    assert found.misses_at(0.9) == pytest.approx((track[ends] < own[first - 1]).mean())


def most_pairs(alarms, ends, collar):
    """By trying all ways to pair them."""
    if not len(alarms) or not len(ends):
        return 0
    rest = most_pairs(alarms[1:], ends, collar)
    for k, end in enumerate(ends):
        if abs(end - alarms[0]) <= collar:
            rest = max(rest, 1 + most_pairs(alarms[1:], np.delete(ends, k), collar))
    return rest


@pytest.mark.parametrize("seed", range(20))
def test_f1_counts_the_most_pairs_within_the_collar(seed):
    rng = np.random.default_rng(seed)
    alarms, ends = (np.sort(rng.uniform(0, 2, int(rng.integers(0, 6)))) for _ in range(2))
    total = len(alarms) + len(ends)
    expected = 2 * most_pairs(alarms, ends, COLLAR) / total if total else 1.0
    assert detection.event_f1([alarms], [ends]) == pytest.approx(expected)


def test_a_detector_that_knows_finds_all_and_one_of_chance_finds_nothing():
    stream = drawn(2)
    knows = np.array([any(0 <= time - end < 0.1 for end in stream.events[:, 1]) for time in stream.times], float)
    assert detection.curve([stream._replace(track=knows)], Decoder(1, 5)).misses_at(0.5) == 0
    guesses = [stream._replace(track=np.random.default_rng(seed).random(400)) for seed in range(20)]
    assert detection.curve(guesses, Decoder(1, 5)).misses_at(1.0) > 0.95
    assert list(itertools.chain(detection.match(np.zeros(0), stream.events)[:3])) == [0, 9, 0]
