"""An experiment at some time before, when the last rows of its series had not come yet: a fold of a backtest."""

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from seqjax.errors import UserError
from seqjax.experiment import Experiment

if TYPE_CHECKING:
    from seqjax.data.dataset import Dataset
    from seqjax.data.series.panel_windows import Windows


def windows_of(experiment: Experiment, name: str) -> "Windows":
    """The windows of the data of the experiment `name`. Raises UserError: they cannot be rolled back."""
    from seqjax.data.series.panel_windows import Windows

    windows = getattr(experiment.source, "windows", None)
    if not isinstance(windows, Windows):
        raise UserError(f"--backtest is for experiments that forecast all steps of a horizon, and {name} does not")
    return windows


def back(experiment: Experiment, config: Mapping[str, Any]) -> Experiment:
    """The experiment on the data of `config`'s folds, where it has any."""
    if "folds" not in config:
        return experiment
    from seqjax.data.series.panel_parts import Folds

    source: Any = experiment.source
    windows = dataclasses.replace(source.windows, folds=Folds(*config["folds"]))
    return dataclasses.replace(experiment, source=dataclasses.replace(source, windows=windows))


def known_then(experiment: Experiment, dataset: "Dataset") -> "Dataset":
    """The data of an experiment: of a fold without the best score there is, which is that of the whole."""
    folds = getattr(getattr(experiment.source, "windows", None), "folds", None)
    return dataset if folds is None else dataclasses.replace(dataset, optimum={})
