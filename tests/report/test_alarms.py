"""The picture of a row's alarms."""

import types

import numpy as np

from seqjax.report import alarms


def row(details):
    first = {"details": {"test": details}}
    return types.SimpleNamespace(label="nab_gru", first=first, runs=[])


def alarm(name="realTweets/x.csv", labelled=()):
    wave = " ".join(map(str, np.sin(np.arange(20))))
    marks = " ".join(map(str, labelled))
    own = {"series": name, "date": "2020-01-01 00:00:00", "score": 7.5, "row": 9, "labelled": marks}
    return {**own, "values": wave, "expected": wave}


def test_alarms_are_drawn_with_what_was_expected_and_counted():
    found = {f"a {k}": alarm(labelled=range(5, 12)) for k in range(4)}
    figure = alarms.picture(row({"alarms": found, "by_series": {"x": [2, 1, 3, -0.5], "y": [1, 1, 0, 1]}}))
    assert figure.title == "Alarms: nab_gru"
    assert "the 4 alarms of the highest scores" in figure.caption
    assert "Of 3 windows of anomalies 2 have an alarm, and 3 alarms are outside" in figure.caption
    assert "point-adjusted" in figure.caption
    assert "<svg" in figure.svg


def test_a_single_alarm_is_drawn_and_none_is_no_picture():
    assert alarms.picture(row({"alarms": {"a": alarm()}})) is not None
    assert alarms.picture(row({"alarms": {}})) is None
    assert alarms.picture(row({})) is None
