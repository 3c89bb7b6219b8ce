"""Forecaster of one series or many over time: the row csv_forecast on arrays and tables.

    Forecaster(horizon=24).fit(frame).predict()                 # a column a series, dates as its index
    Forecaster(horizon=24, context=96).fit(y).predict_quantiles()     # y [T] or [T, S]

Legend: T time, S series, K covariates known ahead, H horizon, Q levels.
"""

import dataclasses
import json
from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from seqjax.data.series import panel_parts, panel_requests, panel_truth, panel_windows
from seqjax.data.series.panel import Panel
from seqjax.data.series.panel_arrays import Gather
from seqjax.data.series.panel_parts import Edges
from seqjax.data.series.panel_windows import ASSET, LEVELS, Windows
from seqjax.errors import UserError, check_least
from seqjax.estimators import panels
from seqjax.estimators.panels import Columns
from seqjax.estimators.trained import Trained


class Forecaster(Trained):
    """Forecaster of all steps of a horizon at once, by quantiles. Raises ValueError: what makes no sense; it is named.

    y is numbers [T] or [T, S], a list of [T_n], a pandas Series or a DataFrame with a column for each series, whose
    index may be dates; or, with `target`, a table with a row for each date and series. NaN are missing values. All
    series share one model, and each is scaled by its own training rows. The last rows tell the best epoch.

    Args:
      horizon: rows that are forecast.
      context: rows that a forecast looks at; series that are shorter do.
      target: of a table: the column that is forecast.
      time: of a table: the column of the dates; None: rows are in order.
      series: of a table: the column that says which series a row belongs to.
      features: of a table: columns known up to now.
      known: of a table: columns known ahead; `predict` wants a table with rows behind the last target that hold them.
      season: rows of one, which the model sees beside each step; None: none.
      levels: of the quantiles, with 0.5 among them.
      scaling: `standard`, `mean` or `none`: of each series.
      normalize: of each window: `window`, `last`, `series` or `mean`; empty: what suits the likelihood.
      likelihood: `quantiles`, `student_t`, `negative_binomial` (counts) or `mean`.
      linear: a linear layer leads from the window to the horizon beside the recurrent one.
      embedding_size: of a vector for each series; 0: none.
      cell: `gru` or `lstm`.
      units, layers, dropout: of it.
      stride: rows from one training window to the next.
      learning_rate: of Adam.
      epochs: at most; the best by the validation part is kept.
      batch_size: windows in a step.
      validation_fraction: the last rows of each series, two horizons at least, are held out to tell the best epoch.
      patience: epochs without a better one after which training ends; None: never.
      warm_start: `fit` begins with what the last one has learned.
      random_state: of the initial values, the order and dropout; the same integer gives the same numbers.
      verbose: 1 prints a line for each epoch.
    """

    row: ClassVar[str] = "csv_forecast"
    own: ClassVar[tuple[str, ...]] = ("target", "time", "series", "features", "known", "levels", "season")

    def __init__(
        self,
        *,
        horizon: int = 24,
        context: int = 96,
        target: str | None = None,
        time: str | None = None,
        series: str | None = None,
        features: Sequence[str] = (),
        known: Sequence[str] = (),
        season: int | None = None,
        levels: Sequence[float] = LEVELS,
        scaling: Literal["standard", "mean", "none"] = "standard",
        normalize: Literal["", "series", "last", "window", "mean"] = "",
        likelihood: Literal["quantiles", "student_t", "negative_binomial", "mean"] = "quantiles",
        linear: bool = False,
        embedding_size: int = 0,
        cell: Literal["gru", "lstm"] = "gru",
        units: int = 32,
        layers: int = 1,
        dropout: float = 0.1,
        stride: int = 1,
        learning_rate: float = 3e-3,
        epochs: int = 50,
        batch_size: int = 64,
        validation_fraction: float | None = 0.2,
        patience: int | None = 10,
        warm_start: bool = False,
        random_state: Any = None,
        verbose: int = 0,
    ):
        self.horizon = horizon
        self.context = context
        self.target = target
        self.time = time
        self.series = series
        self.features = features
        self.known = known
        self.season = season
        self.levels = levels
        self.scaling = scaling
        self.normalize = normalize
        self.likelihood = likelihood
        self.linear = linear
        self.embedding_size = embedding_size
        self.cell = cell
        self.units = units
        self.layers = layers
        self.dropout = dropout
        self.stride = stride
        self.learning_rate = learning_rate
        self.epochs = epochs
        self.batch_size = batch_size
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, y: Any, X: Any = None) -> Self:
        """Train.

        Args:
          y: see the class.
          X: covariates known ahead, [T, K], beside a column or columns y.
        """
        levels = _levels(self.levels)
        for name in ("horizon", "context"):
            check_least(name, getattr(self, name), 1)
        if self.season is not None and self.season > self.context:
            raise UserError(f"season={self.season}: the window does not reach back so far; context={self.context}")
        found, form = panels.of_given(y, X, self._columns())
        _check_counts(found, self.likelihood)
        windows = Windows(self.context, self.horizon, levels, self.scaling, self.stride, season=self.season)
        edges = _edges(found, self.horizon, self.validation_fraction or 0)
        made = windows.dataset(found, edges, "y", panels.as_file(form), lambda dataset: {})
        self.form_, self.panel_, self.facts_ = form, found, json.loads(made.assets[ASSET])
        self.n_features_in_ = found.values.shape[1] + found.known.shape[1]
        from seqjax.estimators.programs import padded

        parts = {"train": made.parts["train"], "test": made.parts["train"][:0]}
        parts["validation"] = np.concatenate([made.parts["validation"], made.parts["test"]])
        text = ",".join(f"{level:g}" for level in levels)
        knobs = self._knobs() | {"seed": self._seed(), "levels": text, "season": self.season}
        knobs["series_count"] = made.knobs["series_count"]
        dataset = dataclasses.replace(made, arrays=padded(made.arrays), parts=parts, kept={}, knobs={}, assets={})
        return self._train(knobs, dataset, self._gather().history)

    def predict(self, horizon: int | None = None, *, y: Any = None, X: Any = None) -> Any:
        """The medians of what comes after the last value of each series, in the form of y in `fit`.

        Args:
          horizon: rows, at most those of the class; None: all of them.
          y: more recent values, or other series, in the form of `fit`'s; None: what was fitted. A series of a name that
            fit knew (in a list: in the same place) keeps its scale.
          X: covariates known ahead of the rows that are forecast, [H, K], if `fit` had some.

        Returns:
          [H] or [H, S], [N, H] of a list; a Series or DataFrame where y was one; of a table another one.
        """
        found, asked = self._forecasts(y, X)
        median = list(self.facts_["levels"]).index(0.5)
        return self._shown(found[:, : self._steps(horizon), median], asked)

    def predict_quantiles(self, horizon: int | None = None, *, y: Any = None, X: Any = None) -> Any:
        """As `predict`, of all levels.

        Returns:
          [H, Q] or [H, S, Q], [N, H, Q] of a list; a DataFrame where y was from pandas, whose columns are the levels
          (of several series: the series and the level); of a table another one with a column q0.1, q0.5, ... for each.
        """
        found, asked = self._forecasts(y, X)
        return self._shown(found[:, : self._steps(horizon)], asked)

    def score(self, y: Any, X: Any = None) -> float:
        """Minus the mean absolute error of the forecast of the last `horizon` rows of y from those before.

        Args:
          y: values in the form of `fit`'s, but for tables.
          X: covariates known ahead, [T, K], if `fit` had some.
        """
        check_is_fitted(self)
        if self.form_.kind == "table":
            raise UserError("score: a table is not split by it: predict, and compare")
        H, cut = self.horizon, lambda own, part: own.iloc[part] if hasattr(own, "iloc") else own[part]
        rows = y if self.form_.kind == "list" else [y]
        truth = [np.asarray(cut(own, slice(-H, None)), float) for own in rows]
        before = [cut(own, slice(None, -H)) for own in rows]
        if min(map(len, before)) < 1:
            raise UserError(f"score: y has {min(map(len, rows))} rows: more than the horizon, {H}, are needed")
        ahead = None if X is None else np.asarray(cut(X, slice(-H, None)), float)
        earlier = None if X is None else cut(X, slice(None, -H))
        found, form = panels.of_given(before if self.form_.kind == "list" else before[0], earlier, self._columns())
        del form
        forecast = self.predict(y=_Given(found), X=ahead)
        whole = np.asarray(truth if self.form_.kind == "list" else truth[0])
        return -float(np.nanmean(np.abs(np.asarray(forecast, float).reshape(whole.shape) - whole)))

    def assets(self) -> dict[str, str]:
        """The files of its run's folder."""
        return {ASSET: json.dumps(self.facts_) + "\n"}

    def _columns(self) -> Columns:
        return Columns(self.target, self.time, self.series, tuple(self.features), tuple(self.known))

    def _gather(self) -> Gather:
        facts = self.facts_
        return Gather(facts["context"], facts["horizon"], len(facts["roles"]["targets"]), facts["mixed"])

    def _steps(self, horizon: int | None) -> int:
        most = self.facts_["horizon"]
        if horizon is None:
            return most
        if isinstance(horizon, bool) or not isinstance(horizon, int | np.integer) or not 1 <= horizon <= most:
            raise UserError(f"horizon={horizon!r}: 1 to {most} rows can be forecast, as fit was asked for")
        return int(horizon)

    def _forecasts(self, y: Any, X: Any) -> tuple[np.ndarray, panel_requests.Asked]:
        """[S, H, Q] float64 in the own unit of the targets."""
        check_is_fitted(self)
        found = self.panel_
        if isinstance(y, _Given):
            found = y.panel
        elif y is not None:
            blank = (
                np.zeros((len(y), len(found.roles.known))) if self.form_.kind != "table" and found.roles.known else None
            )
            found, form = panels.of_given(y, blank, self._columns())
            if form.kind != self.form_.kind or found.roles.targets != self.panel_.roles.targets:
                raise UserError(
                    f"y is not as it was in fit: {form.kind} of {', '.join(found.roles.targets)[:80]}; then "
                    f"{self.form_.kind} of {', '.join(self.panel_.roles.targets)[:80]}"
                )
        if self.form_.kind in ("column", "columns"):
            found = panels.with_future(found, X, self.facts_["horizon"])
        elif X is not None:
            raise UserError("X: only a column or columns y have covariates beside them")
        asked = panel_requests.asked(found, self.facts_, "y", quiet=not self.verbose)
        gather = self._gather()
        from seqjax.estimators.programs import padded

        arrays = padded(asked.arrays)
        outputs = self._outputs(arrays, asked.ids, None, gather.examples, gather.history)
        values = asked.values(outputs)
        if self.knobs_["likelihood"] == "negative_binomial":
            values = panel_truth.counted(values, asked.level[:, None, None])
        return values, asked

    def _shown(self, values: np.ndarray, asked: panel_requests.Asked) -> Any:
        """Values [S, H] or [S, H, Q] in the form of y."""
        form = self.form_
        if form.kind == "list":
            return values
        if form.kind != "table":
            values = values[0] if form.kind == "column" else np.moveaxis(values, 0, 1)
        return panels.as_pandas(values, asked, form, tuple(self.facts_["levels"])) if form.pandas else values


@dataclasses.dataclass(frozen=True)
class _Given:
    panel: Panel


def _check_counts(found: Panel, likelihood: str) -> None:
    values = found.values[:, : len(found.roles.targets)]
    wrong = values[(values < 0) | (values != np.round(values)) & ~np.isnan(values)]
    if likelihood == "negative_binomial" and len(wrong):
        raise UserError(f"y holds {wrong[0]:g}, which is no count: choose likelihood quantiles or student_t")


def _levels(given: Sequence[float]) -> tuple[float, ...]:
    try:
        levels = tuple(float(level) for level in given)
    except (TypeError, ValueError):
        raise UserError(f"levels={given!r}: probabilities are expected") from None
    panel_windows.check_levels(levels)
    return levels


def _edges(found: Panel, horizon: int, share: float) -> Edges:
    """Validation is what is called validation and test here, up to the last row that has a target."""
    some = np.any(~np.isnan(found.values[:, : len(found.roles.targets)]), axis=1)
    starts = np.array([start for start, _ in found.bounds])
    stops = np.array(
        [start + int(np.flatnonzero(np.append(True, some[start:stop]))[-1]) for start, stop in found.bounds]
    )
    held = np.maximum(2 * horizon, ((stops - starts) * share).astype(int))
    return panel_parts.Edges(np.maximum(stops - held, starts), np.maximum(stops - horizon, starts), stops)
