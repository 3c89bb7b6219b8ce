"""Steps of time, against pandas's offsets."""

import numpy as np
import pandas as pd
import pytest

from seqjax.data.series import steps
from seqjax.data.series.steps import BUSINESS_DAYS, MONTHS, Step, find
from seqjax.errors import UserError


def dates(*args, **options):
    return pd.date_range(*args, **options).to_numpy().astype("datetime64[us]")


@pytest.mark.parametrize(
    ("frequency", "first", "said"),
    [
        ("MS", "1949-01-01", "1 month"),
        ("ME", "1949-01-31", "1 month"),
        ("QS", "2001-01-01", "3 months"),
        ("QE", "2001-03-31", "3 months"),
        ("YS", "1990-01-01", "12 months"),
        ("B", "2001-01-01", "1 business day"),
        ("D", "2001-01-01", "1440 min"),
        ("7D", "2001-01-01", "10080 min"),
        ("h", "2001-01-31", "60 min"),
        ("30s", "2001-01-31", "30 s"),
        ("5ms", "2001-01-31", "5 ms"),
        ("250us", "2001-01-31", "250 us"),
    ],
)
def test_steps_are_told_from_dates_and_go_ahead_as_pandas_does(frequency, first, said):
    whole = dates(first, periods=40, freq=frequency)
    step = find([whole[:28]])
    assert str(step) == said
    np.testing.assert_array_equal(step.ahead(whole[:28], 12), whole[12:])
    np.testing.assert_array_equal(step.ahead(whole[:20], np.arange(20)), whole[::2])
    assert steps.of_facts(step.facts()) == step
    assert step.missing(whole) == 0
    assert step.missing(np.delete(whole, [5, 6, 20])) == 3
    step.check([whole[25:31]], "new.csv")  # fewer rows than tell a calendar


def test_months_that_are_cut_short():
    on_the_30th = np.array(["2020-01-30", "2020-02-29", "2020-03-30", "2020-04-30", "2020-05-30"], "datetime64[us]")
    step = find([on_the_30th])
    assert step == Step(1, MONTHS, 30)
    assert str(step.ahead(on_the_30th[:1], 1)[0])[:10] == "2020-02-29"
    assert str(step.ahead(on_the_30th[1:2], 1)[0])[:10] == "2020-03-30"  # back to its day
    month_end = find([dates("2019-11-30", periods=20, freq="ME")])
    assert str(month_end.ahead(np.array(["2020-02-29"], "datetime64[us]"), 1)[0])[:10] == "2020-03-31"


@pytest.mark.parametrize("frequency", ["MS", "ME"])
def test_a_date_that_is_off_leaves_months_months(frequency):
    whole = dates("2015-01-31", periods=40, freq=frequency)
    off = whole.copy()
    off[7] += np.timedelta64(5 if frequency == "MS" else -5, "D")
    step = find([off])
    assert step == find([whole])
    np.testing.assert_array_equal(step.ahead(off[-1:], 3), dates(whole[-1], periods=4, freq=frequency)[-1:])
    assert step.missing(off) == 0
    assert str(find([off[:10]])) != "1 month"
    assert find([dates("2015-01-01", periods=60, freq="28D")]) == Step(28 * steps.UNITS["day"])
    assert find([dates("2015-01-01", periods=60, freq="30D")]) == Step(30 * steps.UNITS["day"])


def test_a_clock_that_jitters_ticks_one_step():
    rng = np.random.default_rng(0)
    even = dates("2021-01-01", periods=400, freq="5min")
    for size in (2_000, 300_000, 5_000_000):  # microseconds
        jittered = even + rng.normal(0, size, 400).astype("timedelta64[us]")
        assert str(find([jittered])) == "5 min", size
        Step(300_000_000).check([jittered[:50]], "new.csv")
    assert find([even[[0, 1, 3, 4, 7, 8, 9]]]) == Step(300_000_000)


def test_business_days_with_holidays_and_days_with_weekends():
    weekdays = dates("2021-01-04", periods=60, freq="B")
    holidays = np.delete(weekdays, [10, 33])
    assert find([holidays]) == Step(1, BUSINESS_DAYS)
    assert Step(1, BUSINESS_DAYS).missing(holidays) == 2
    assert find([dates("2021-01-04", periods=5, freq="D")]) == Step(86_400_000_000)  # no weekend to pass over
    with pytest.raises(
        UserError, match=r"new\.csv: 2021-01-09 is on a Saturday or Sunday, but the model's rows are not"
    ):
        Step(1, BUSINESS_DAYS).check([dates("2021-01-04", periods=30, freq="D")], "new.csv")


@pytest.mark.parametrize(
    ("model", "other"), [("MS", "D"), ("D", "MS"), ("h", "30min"), ("MS", "QS"), ("B", "7D"), ("5ms", "6ms")]
)
def test_rows_of_another_step_are_refused(model, other):
    step = find([dates("2001-01-01", periods=30, freq=model)])
    with pytest.raises(UserError, match=r"new.csv: .* but the model's (are .* apart|rows are not)"):
        step.check([dates("2001-01-01", periods=30, freq=other)], "new.csv")


def test_a_months_last_days_are_no_first_days():
    step = find([dates("2001-01-31", periods=30, freq="ME")])
    with pytest.raises(UserError, match="2021-02-01 is on another day of the month"):
        step.check([dates("2021-02-01", periods=3, freq="MS")], "new.csv")


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Europe/London", "Asia/Tokyo", "America/New_York"])
@pytest.mark.parametrize(("frequency", "said", "season"), [("MS", "1 month", 12), ("B", "1 business day", 5)])
def test_calendars_of_a_zone_are_told_in_utc(zone, frequency, said, season):
    local = pd.date_range("2017-01-02", periods=300, freq=frequency, tz=zone)
    whole = local.tz_convert("UTC").tz_localize(None).to_numpy().astype("datetime64[us]")
    step = find([whole])
    assert str(step) == said
    assert steps.season_lengths(step) == [season]
    apart = np.abs(step.ahead(whole[:-12], 12) - whole[12:])
    assert apart.max() <= np.timedelta64(1, "h")  # summer time is not in UTC
    assert step.missing(whole) == 0


def test_uneven_steps_are_counted_and_other_series_named():
    every_third_friday = dates("2001-01-01", periods=40, freq="WOM-3FRI")
    assert find([every_third_friday]).uneven(every_third_friday) > 10
    hours, days = dates("2021-01-01", periods=50, freq="h"), dates("2021-01-01", periods=30, freq="D")
    step = find([hours, days])
    with pytest.raises(UserError, match="x: the series 'b': rows are 1440 min apart, but those of most are 60 min"):
        step.check([hours, days], "x", ["a", "b"], "those of most")


def test_several_series_share_a_step():
    assert find([dates("2001-01-01", periods=1), dates("2005-01-01", periods=5, freq="MS")]) == Step(1, MONTHS, 1)
    assert find([dates("2001-01-01", periods=1), dates("2005-01-01", periods=1)]) is None


def test_seasons():
    seasons = lambda frequency: steps.season_lengths(find([dates("2001-01-01", periods=30, freq=frequency)]))
    found = {name: seasons(name) for name in ("h", "10min", "D", "B", "7D", "MS", "QS", "YS", "7min", "5h")}
    assert found == {
        "h": [24, 168], "10min": [144, 1008], "D": [7], "B": [5], "7D": [52], "MS": [12], "QS": [4], "YS": [],
        "7min": [1440], "5h": [],
    }  # fmt: skip


def test_dates_are_written_with_the_digits_they_need():
    assert steps.texts(dates("2001-01-01", periods=2, freq="h"))[1] == "2001-01-01 01:00:00"
    every = steps.texts(dates("2001-01-01", periods=2, freq="5ms"))
    assert every == ["2001-01-01 00:00:00.000", "2001-01-01 00:00:00.005"]
    assert steps.texts(dates("2001-01-01", periods=2, freq="7us"))[1] == "2001-01-01 00:00:00.000007"
