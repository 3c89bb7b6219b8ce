"""Alarms from a track: as a whole and frame by frame the same."""

import json
import math

import numpy as np
import pytest

from seqjax.data.sound.alarms import Alarms, Decoder
from seqjax.files import to_json


def test_smoothing_is_the_mean_up_to_the_present_frame():
    track = np.random.default_rng(0).random(50)
    expected = [np.append(np.zeros(7), track)[k + 1 : k + 8].mean() for k in range(50)]
    np.testing.assert_allclose(Decoder(7, 1).smoothed(track), expected)
    np.testing.assert_allclose(Decoder(1, 1).smoothed(track), track)


@pytest.mark.parametrize("smoothing", [1, 3, 8])
@pytest.mark.parametrize("refractory", [0, 1, 5])
def test_frame_by_frame_there_are_the_alarms_of_the_whole(smoothing, refractory):
    decoder = Decoder(smoothing, refractory, 0.45)
    track = np.random.default_rng(0).random(500).astype(np.float32)
    whole = decoder.smoothed(track)
    alarms, found, means = Alarms(decoder), [], []
    for frame, likely in enumerate(track):
        if frame % 7 == 0:  # as after a restart
            kept, alarms = alarms.state(), Alarms(decoder)
            alarms.restore(kept)
        now, mean = alarms(likely)
        found += [frame] * now
        means.append(mean)
    assert np.array_equal(means, whole)
    assert found == decoder.alarms(whole).tolist()
    assert len(found) > 5


def test_a_state_of_another_decoder_is_refused():
    with pytest.raises(ValueError, match="3 frames"):
        Alarms(Decoder(2, 1)).restore(Alarms(Decoder(3, 1)).state())


def test_a_decider_that_allows_no_alarm_gives_none():
    decided = json.loads(to_json({"smoothing": 1, "refractory": 25, "threshold": math.inf}))
    decoder = Decoder(**decided)
    assert decided["threshold"] is None
    assert len(decoder.alarms(np.ones(9))) == 0
    assert not any(Alarms(decoder)(1.0)[0] for _ in range(9))
