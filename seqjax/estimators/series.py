"""Classifier of whole series: the row ts_gru on arrays; and what it shares with the regressor.

    SeriesClassifier(units=32).fit(X, y).predict_proba(X)     # X [N, T, D], a list of [T_n, D], or [N, F]

Legend: N series, T_n steps of series n, F features, D dimensions, K classes.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from seqjax.data.dataset import Dataset
from seqjax.data.series import series_arrays, series_requests
from seqjax.data.series.ragged import Ragged
from seqjax.data.series.series_arrays import Scale
from seqjax.data.series.series_files import SeriesForm
from seqjax.errors import UserError
from seqjax.estimators import given
from seqjax.estimators.classified import Classified, shares
from seqjax.estimators.trained import Trained, label, parts_of
from seqjax.files import to_json


class Series(Trained):
    """What the two share. Raises ValueError: X, y, weights or knobs that make no sense; the message names the culprit.

    A table X [N, F] is N series of F steps, as where a column is a moment. NaN are missing values; see `missing`.
    Series of unlike length are padded and masked: what they are padded to changes nothing.

    Args:
      units: of each layer and direction; 64 x 65 x 3 weights of a GRU.
      cell: `gru`, `lstm` or `simple_rnn`.
      layers: one above the other.
      bidirectional: each in both directions.
      pooling: of the steps: `max`, `mean`, `attention`, or the `last` one alone, the regressor's default.
      patch: so many steps side by side are read as one.
      convolution: `front`, `branch` (LSTM-FCN) or `both`, of `filters` of `width` steps; `none`.
      normalize: `training`: each dimension by its mean and deviation over the training part; `series`: over its own
        series; `none`.
      missing: `interpolate`, `mask` (a further dimension says what is there) or `refuse`.
      dropout: of what is pooled.
      jitter, scaling, shift, time_mask: augmentation: see `seqjax.layers.augmentation.Augment`.
      learning_rate: of Adam, falling to 0 along a cosine.
      epochs: at most; the best by the validation part is kept.
      batch_size: series in a step.
      class_weight: None, `balanced`, or a dict (the classifier's).
      validation_fraction: this share of each class is held out to tell the best epoch; 0: training tells.
      patience: epochs without a better one after which training ends; None: never.
      warm_start: `fit` begins with what the last one has learned.
      random_state: of the initial values, the parts, the order and dropout; the same integer gives the same numbers.
      verbose: 1 prints a line for each epoch.
    """

    row: ClassVar[str] = "ts_gru"
    scale_: dict[str, Any]

    def _fit(
        self, found: list[np.ndarray], targets: np.ndarray, weights: np.ndarray | None, K: int, grouped: bool
    ) -> Any:
        """Train on series with targets [N] and weights; grouped: the targets are numbers of K classes."""
        knobs: dict[str, Any] = self._knobs() | {"seed": self._seed(), "classes": K}
        share = self.get_params(deep=False)["validation_fraction"]
        groups = targets if grouped else None
        train, validation = parts_of(len(found), weights, share, knobs["seed"], groups)
        if knobs["normalize"] not in ("training", "series", "none"):
            raise UserError(f"normalize={knobs['normalize']!r}: choose training, series, none")
        self._check_missing(found)
        scale = Scale.of([found[k] for k in train], knobs["normalize"], knobs["missing"])
        self.scale_ = dataclasses.asdict(scale)
        arrays, lengths = self._arrays(found)
        label(arrays, targets, K, weights, train)
        gather = series_arrays.labelled if weights is None else series_arrays.weighted
        from seqjax.estimators.programs import padded

        knobs |= {"examples": len(train), "class_weights": "none" if weights is None else "balanced"}
        parts = {"train": train, "validation": validation, "test": train[:0]}
        dataset = Dataset(padded(arrays), gather, parts, f"{len(found):,} series", "", lengths=lengths)
        return self._train(knobs, dataset, series_arrays.inputs)

    def _check_missing(self, found: list[np.ndarray]) -> None:
        if self.get_params(deep=False)["missing"] == "refuse":
            for place, own in enumerate(found):
                if np.isnan(own).any():
                    raise UserError(f"X[{place}] has a missing value (NaN): missing='interpolate' or 'mask' takes it")

    def _arrays(self, found: list[np.ndarray]) -> tuple[dict[str, np.ndarray], np.ndarray | None]:
        """-> (the arrays that `series_arrays.inputs` gathers from, to what length each series is cut)."""
        from seqjax.estimators.programs import few_lengths, rounded_up

        ragged = Ragged(found, None, ("",) * found[0].shape[1], range(len(found)))
        arrays = series_arrays.arrays_of(ragged, Scale(**self.scale_), "X")
        if "places" not in arrays:
            return arrays, None
        arrays["places"] = np.arange(rounded_up(int(ragged.lengths.max())), dtype=np.int32)
        return arrays, few_lengths(ragged.lengths)

    def _answers(self, X: Any) -> np.ndarray:
        """The model's outputs, [N] or [N, K]."""
        check_is_fitted(self)
        found = given.series(self, X, reset=False)
        given.check_dimensions(found, len(self.scale_["mean"]))
        self._check_missing(found)
        from seqjax.estimators.programs import padded

        arrays, lengths = self._arrays(found)
        return self._outputs(padded(arrays), len(found), lengths, series_arrays.labelled, series_arrays.inputs)

    def __sklearn_tags__(self) -> Any:
        """Scikit-learn's: series may have three axes, and NaN."""
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = tags.input_tags.allow_nan = True
        return tags


class SeriesClassifier(Classified, Series):  # pyright: ignore[reportIncompatibleMethodOverride]
    """Classifier of series: each is of a class. X and the knobs: see `seqjax.estimators.series.Series`."""

    own: ClassVar[tuple[str, ...]] = ("class_weight",)

    def __init__(
        self,
        *,
        units: int = 64,
        cell: Literal["gru", "lstm", "simple_rnn"] = "gru",
        layers: int = 1,
        bidirectional: bool = False,
        pooling: Literal["last", "mean", "max", "attention"] = "max",
        patch: int = 1,
        convolution: Literal["none", "front", "branch", "both"] = "none",
        filters: int = 64,
        width: int = 8,
        normalize: Literal["training", "series", "none"] = "training",
        missing: Literal["interpolate", "mask", "refuse"] = "interpolate",
        dropout: float = 0.2,
        jitter: float = 0.0,
        scaling: float = 0.0,
        shift: float = 0.0,
        time_mask: float = 0.0,
        learning_rate: float = 3e-3,
        epochs: int = 100,
        batch_size: int = 16,
        class_weight: str | Mapping[Any, float] | None = None,
        validation_fraction: float | None = 0.2,
        patience: int | None = 20,
        warm_start: bool = False,
        random_state: Any = None,
        verbose: int = 0,
    ):
        self.units = units
        self.cell = cell
        self.layers = layers
        self.bidirectional = bidirectional
        self.pooling = pooling
        self.patch = patch
        self.convolution = convolution
        self.filters = filters
        self.width = width
        self.normalize = normalize
        self.missing = missing
        self.dropout = dropout
        self.jitter = jitter
        self.scaling = scaling
        self.shift = shift
        self.time_mask = time_mask
        self.learning_rate = learning_rate
        self.epochs = epochs
        self.batch_size = batch_size
        self.class_weight = class_weight
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train.

        Args:
          X: see the class.
          y: [N] the classes: texts, numbers or truth values, two at least.
          sample_weight: [N] of the losses.
        """
        found = given.series(self, X, reset=True)
        self.classes_, which = given.classes(y, len(found), type(self).__name__)
        weights = given.weights(sample_weight, X, len(found), (self.classes_, which), self.class_weight)
        return self._fit(found, which, weights, len(self.classes_), grouped=True)

    def predict_proba(self, X: Any) -> np.ndarray:
        """[N, K] float64: of each class, in the order of `classes_`; a row's sum is 1."""
        return shares(self._answers(X))

    def assets(self) -> dict[str, str]:
        """The files of its run's folder, for `seqjax.load(...).predict` and --mode=predict."""
        facts = {"classes": [str(name) for name in self.classes_.tolist()], "form": dataclasses.asdict(SeriesForm())}
        return {series_requests.ASSET: to_json(facts | self.scale_ | {"lines": False}, indent=1) + "\n"}
