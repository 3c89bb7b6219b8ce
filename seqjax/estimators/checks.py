"""The checks of scikit-learn that these estimators do not pass, in one place, each with the reason.

check_estimator(SeriesClassifier(), expected_failed_checks=expected_failed_checks(SeriesClassifier()))
"""

from typing import Any

from seqjax.estimators.forecaster import Forecaster
from seqjax.estimators.series import Series

WEIGHTS = (
    "a weight of 2 is a step twice as long, two copies are two examples: the order, the parts and the batches that are "
    "drawn differ, as in every estimator that learns by stochastic gradients"
)
FORECASTS = "fit takes y over time, not X and y: checks of tables of independent rows do not apply"
EXPECTED_FAILED_CHECKS: dict[type, dict[str, str]] = {
    Series: {
        "check_sample_weight_equivalence_on_dense_data": WEIGHTS,
    },
}
"""Class -> name of the check -> the reason."""


def expected_failed_checks(estimator: Any) -> dict[str, str]:
    """As `check_estimator` and `parametrize_with_checks` take it; of a `Forecaster` all checks that fit one."""
    if isinstance(estimator, Forecaster):
        from sklearn.utils.estimator_checks import estimator_checks_generator

        pairs: Any = estimator_checks_generator(estimator)
        names = (getattr(check, "func", check).__name__ for _, check in pairs)
        return {name: FORECASTS for name in names if name not in APPLY}
    found = (own for kind, own in EXPECTED_FAILED_CHECKS.items() if isinstance(estimator, kind))
    return {name: reason for own in found for name, reason in own.items()}


APPLY = {
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_estimator_tags_renamed",
    "check_get_params_invariance",
    "check_no_attributes_set_in_init",
    "check_parameters_default_constructible",
    "check_set_params",
    "check_valid_tag_types",
}
"""Of a `Forecaster`: those that fit nothing."""
