"""Scikit-learn's habits for one's own arrays: fit, predict, predict_proba, score, in pipelines and searches.

    from seqjax.estimators import Forecaster, SeriesClassifier, SeriesRegressor, TextClassifier

    TextClassifier().fit(["A wonderful film.", "Dull.", ...], ["good", "bad", ...]).predict(["I loved it."])
    SeriesClassifier().fit(X, y).predict_proba(X)       # X [N, T, D], a list of [T_n, D], or [N, F]
    Forecaster(horizon=24).fit(frame).predict()         # a column a series, dates as its index

Each is a row of experiments/ trained by the loop of the commands: the best epoch by a validation part that is drawn, or
the last rows. Nothing is written unless `save` is called, nothing is printed unless `verbose`. What was compiled is
used again by every fit of like shape. Pickle works; `save` and `load` go without it, through a run's folder.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seqjax.estimators.checks import EXPECTED_FAILED_CHECKS as EXPECTED_FAILED_CHECKS
    from seqjax.estimators.checks import expected_failed_checks as expected_failed_checks
    from seqjax.estimators.forecaster import Forecaster as Forecaster
    from seqjax.estimators.regression import SeriesRegressor as SeriesRegressor
    from seqjax.estimators.saving import load as load
    from seqjax.estimators.series import SeriesClassifier as SeriesClassifier
    from seqjax.estimators.texts import TextClassifier as TextClassifier

WHERE = {
    "EXPECTED_FAILED_CHECKS": "checks",
    "Forecaster": "forecaster",
    "SeriesClassifier": "series",
    "SeriesRegressor": "regression",
    "TextClassifier": "texts",
    "expected_failed_checks": "checks",
    "load": "saving",
}
"""The module of each name."""
__all__ = [
    "EXPECTED_FAILED_CHECKS",
    "Forecaster",
    "SeriesClassifier",
    "SeriesRegressor",
    "TextClassifier",
    "expected_failed_checks",
    "load",
]


def __getattr__(name: str) -> Any:
    """Imported when it is asked for, and scikit-learn with it."""
    if name not in WHERE:
        raise AttributeError(f"module 'seqjax.estimators' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"seqjax.estimators.{WHERE[name]}"), name)


def __dir__() -> list[str]:
    """With what is imported late."""
    return sorted([*globals(), *__all__])
