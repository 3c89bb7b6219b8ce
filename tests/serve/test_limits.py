"""Rates and ranges."""

import pytest
from scipy.stats import binomtest

from seqjax.errors import UserError
from seqjax.serve.__main__ import names
from seqjax.serve.limits import Limits, Rates, RefusedError


def test_a_bucket_fills_at_its_rate():
    now = [0.0]
    rates = Rates(10, lambda: now[0])
    taken = lambda address: sum(_is_taken(rates, address) for _ in range(100))
    assert taken("a") == 20  # twice the rate may come at once
    assert taken("b") == 20  # of each address
    now[0] = 0.5
    assert taken("a") == 5
    now[0] = 100.0
    assert taken("a") == 20
    assert all(_is_taken(Rates(0), "a") for _ in range(100))


def _is_taken(rates, address):
    try:
        rates.take(address)
    except RefusedError as error:
        return (error.status, error.retry) != (429, 1)
    return True


@pytest.mark.parametrize("wrong", [{"max_body": 0}, {"rate": -1}, {"batch": 0}, {"queue": 8}, {"timeout": 0}])
def test_numbers_out_of_range(wrong):
    with pytest.raises(UserError, match=f"--{next(iter(wrong))}"):
        Limits(**wrong)


def test_the_interval_of_a_share_is_scipys():
    from seqjax.serve.card import wilson

    for right, count in ((0, 5), (3, 7), (880, 1000), (1000, 1000)):
        low, high = binomtest(right, count).proportion_ci(0.95, method="wilson")
        assert wilson(right / count, count) == pytest.approx((low, high), abs=1e-6)


def test_names_of_runs_are_one_each(tmp_path):
    paths = [tmp_path / "a" / "run", tmp_path / "b" / "run", tmp_path / "odd name?", tmp_path / "run"]
    assert names(paths) == ["run", "run-2", "odd_name_", "run-3"]
