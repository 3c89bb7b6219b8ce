"""Scikit-learn's own checks of estimators; those that are not passed are named, with the reason, in one place."""

import subprocess
import sys

import pytest
from sklearn.base import clone
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks

from seqjax.estimators import (
    EXPECTED_FAILED_CHECKS,
    Forecaster,
    SeriesClassifier,
    SeriesRegressor,
    TextClassifier,
    expected_failed_checks,
)
from seqjax.estimators.checks import APPLY

CHECKED = [SeriesClassifier(random_state=0), SeriesRegressor(random_state=0), Forecaster(random_state=0)]
"""Scikit-learn has no checks of what reads texts: see `test_texts`."""


def name_of(check):
    return getattr(check, "func", check).__name__


@pytest.mark.slow
@parametrize_with_checks(CHECKED, expected_failed_checks=expected_failed_checks)
def test_every_check(estimator, check):
    check(estimator)


@pytest.mark.parametrize("name", sorted(APPLY))
def test_the_checks_that_fit_nothing(name):
    if not hasattr(estimator_checks, name):
        pytest.skip("not a check of this scikit-learn")
    for estimator in [*CHECKED, TextClassifier()]:
        getattr(estimator_checks, name)(type(estimator).__name__, clone(estimator))


def test_what_is_expected_to_fail_is_a_check():
    known = {name_of(check) for own in CHECKED for _, check in estimator_checks_generator(own)}
    for failing in EXPECTED_FAILED_CHECKS.values():
        assert set(failing) <= known
        assert all(failing.values()), "each with its reason"


def test_scikit_learn_and_jax_are_imported_when_they_are_used():
    code = "import sys, seqjax.estimators as E; print({'sklearn', 'jax', 'numpy'} & set(sys.modules))"
    code += "; E.SeriesClassifier(); print({'jax', 'tensorflow'} & set(sys.modules))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout
    assert said == "set()\nset()\n"
