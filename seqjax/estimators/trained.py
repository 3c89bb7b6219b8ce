"""What all the estimators share: a row of experiments/ with its knobs, trained on one's own arrays by the usual loop.

Legend: N examples.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from seqjax import experiment as experiments
from seqjax.data.dataset import Dataset
from seqjax.errors import RunStoppedError, UserError, check_least
from seqjax.experiment import Experiment

Part = np.ndarray


class Trained(BaseEstimator):
    """An estimator whose parameters are its row's knobs, and a few that scikit-learn's users expect.

    After `fit`: `params_` (a tree of NumPy arrays, of the best epoch), `history_` (a row for each epoch),
    `best_epoch_` and `n_iter_` (epochs, from 1), `knobs_` (of the row), `n_features_in_`.
    """

    row: ClassVar[str]
    """The experiment that is trained."""
    own: ClassVar[tuple[str, ...]] = ()
    """Parameters that are none of its knobs, besides `COMMON`."""

    def _knobs(self) -> dict[str, Any]:
        """The row's knobs that are parameters here."""
        params = self.get_params(deep=False)
        return {name: value for name, value in params.items() if name not in (*COMMON, *self.own)}

    def _seed(self) -> int:
        """Of this fit. Raises UserError: a parameter that all estimators have makes no sense."""
        params = self.get_params(deep=False)
        _check_common(params)
        state = params["random_state"]
        if isinstance(state, int | np.integer) and not isinstance(state, bool):
            if state < 0:
                raise UserError(f"random_state={state}: must be None, a RandomState, or an integer of at least 0")
            return int(state) % (1 << 31)
        return int(check_random_state(state).randint(1 << 31))

    def _change(self, experiment: Experiment) -> Experiment:
        """The row's experiment for what the estimator wants of it."""
        return experiment

    def _experiment(self, knobs: Mapping[str, Any]) -> Experiment:
        function = experiments.load(experiments.find(self.row))
        made = experiments.build(function, _checked(function, knobs))
        return dataclasses.replace(self._change(made), scores={}, patience=self.get_params(deep=False)["patience"])

    def _program(self, dataset: Dataset, inputs: Callable) -> tuple[Any, Experiment]:
        """The compiled program of the fitted knobs, and their experiment."""
        from seqjax.estimators.programs import reusable

        told = {name: value for name, value in self.knobs_.items() if name != "seed"}
        told["examples"] = -(-told.get("examples", 0) // told["batch_size"])  # steps: all that a schedule looks at
        key = (type(self).__name__, self.row, tuple(sorted(told.items(), key=lambda pair: pair[0])))
        experiment = self._experiment(self.knobs_)
        return reusable(key, experiment, dataset, inputs), experiment

    def _train(self, knobs: Mapping[str, Any], dataset: Dataset, inputs: Callable) -> Self:
        """Fit on a dataset, whose test part is empty.

        Raises:
          UserError: the knobs make no sense, or the loss is not finite.
          KeyboardInterrupt: as asked for.
        """
        import jax

        from seqjax.estimators.memory import InMemory
        from seqjax.training.fit import fit
        from seqjax.training.progress import Progress, Silent

        params = self.get_params(deep=False)
        before = getattr(self, "params_", None) if params["warm_start"] else None
        self.knobs_ = {**knobs, **dataset.knobs}
        dataset = _started(dataset, before)
        workdir, progress = InMemory(), Progress if params["verbose"] else Silent
        try:
            found, experiment = self._program(dataset, inputs)
            program = found.of(experiment, dataset)
            found = fit(experiment, dataset, workdir, program.settings, progress=progress, program=program)
        except UserError as error:
            if before is not None and "initial values" in str(error):
                raise UserError(f"warm_start: {error}: what was learned before is of another shape") from error
            raise
        except RunStoppedError as error:
            if error.exit_code == 130:
                raise KeyboardInterrupt("fit was stopped; nothing was learned") from error
            if error.exit_code > 128:
                raise
            raise UserError(str(error).partition(";")[0] + ": try a lower learning rate, or scale y") from error
        _, best = workdir.best.restore(None) or (0, None)
        self.params_ = jax.tree.map(np.asarray, jax.device_get(best))
        self.history_, self.best_epoch_, self.n_iter_ = workdir.rows(), found["best_epoch"], len(workdir.rows())
        return self

    def _outputs(
        self,
        arrays: Mapping[str, np.ndarray],
        ids: np.ndarray | int,
        lengths: np.ndarray | None,
        gather: Callable,
        inputs: Callable,
    ) -> np.ndarray:
        """The model's answers to examples [N], or to all of so many."""
        check_is_fitted(self)
        ids = np.arange(ids, dtype=np.int32) if isinstance(ids, int) else ids
        dataset = Dataset(arrays, gather, {}, "", "", lengths=lengths)
        return self._program(dataset, inputs)[0].outputs(self.params_, arrays, ids, lengths)

    def save(self, path: Any) -> None:
        """Write a run's folder, that `seqjax.estimators.load` and `seqjax.load` read; see `seqjax.estimators.saving`.

        Raises:
          UserError: the folder holds something else, or cannot be written.
        """
        from seqjax.estimators.saving import save

        check_is_fitted(self)
        save(self, path)


COMMON = (
    "validation_fraction",
    "patience",
    "warm_start",
    "random_state",
    "verbose",
)


def _checked(function: Callable, knobs: Mapping[str, Any]) -> dict[str, Any]:
    """The knobs, each of the type and in the range that the row says. Raises UserError: one is not."""
    text = lambda value: str(value).lower() if value is None or isinstance(value, bool | np.bool_) else str(value)
    return experiments.options(function, [f"{knob}={text(value)}" for knob, value in knobs.items()])


def _check_common(params: Mapping[str, Any]) -> None:
    share, patience = params["validation_fraction"], params["patience"]
    for name, least in (("batch_size", 1), ("epochs", 0)):
        if isinstance(params[name], int | np.integer):
            check_least(name, params[name], least)
    if share is not None and not (isinstance(share, float | int) and 0 <= share < 1):
        raise UserError(f"validation_fraction={share!r}: must be in [0, 1); 0: the best epoch by the training part")
    if patience is not None:
        check_least("patience", patience, 1)


def _started(dataset: Dataset, params: Any) -> Dataset:
    """The dataset whose model begins with these parameters, if any."""
    if params is None:
        return dataset
    from flax import traverse_util

    return dataclasses.replace(dataset, initial=traverse_util.flatten_dict(params, sep="/"))


def draw(count: int, share: float | None, seed: int, classes: np.ndarray | None = None) -> tuple[Part, Part]:
    """Ids of the training and the validation part, int32, ascending.

    Args:
      count: N.
      share: for validation; of each class a share, rounded down, but one at least of three or more. None or 0, or if
        nothing is drawn: the training part is the validation part.
      seed: of the draw.
      classes: [N], to be drawn from each.
    """
    rng, ids = np.random.default_rng(seed), np.arange(count, dtype=np.int32)
    groups = [ids] if classes is None else [ids[classes == k] for k in np.unique(classes)]
    taken = [rng.permutation(own)[: max(int(len(own) * share), int(len(own) >= 3))] for own in groups if share]
    drawn = np.sort(np.concatenate([*taken, ids[:0]]))
    return (np.setdiff1d(ids, drawn), drawn) if len(drawn) else (ids, ids)


def parts_of(
    count: int, weights: np.ndarray | None, share: float | None, seed: int, classes: np.ndarray | None
) -> tuple[Part, Part]:
    """As `draw`, of the examples that weigh something. weights, classes: [N], or None."""
    kept = np.arange(count) if weights is None else np.flatnonzero(weights > 0)
    train, validation = draw(len(kept), share, seed, None if classes is None else classes[kept])
    return kept[train].astype(np.int32), kept[validation].astype(np.int32)


def label(
    arrays: dict[str, np.ndarray], targets: np.ndarray, K: int, weights: np.ndarray | None, train: np.ndarray
) -> None:
    """Add `labels`, numbers of K classes or others, and `weights`, of mean 1 over the training part, if there are."""
    arrays["labels"] = targets.astype(np.int32 if K > 2 else np.float32)
    if weights is not None:
        arrays["weights"] = (weights / weights[train].mean()).astype(np.float32)
