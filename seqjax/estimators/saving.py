"""Estimators without pickle: a run's folder, and `estimator.json` and `arrays.npz` in it. Nothing in it is executed.

    estimator.save("runs/mine"); estimator = seqjax.estimators.load("runs/mine")
    seqjax.load("runs/mine").predict(...); python -m seqjax.main --mode=predict --workdir=runs/mine ...

The folder holds what a trained run's does: knobs, parameters, epochs, the vocabulary or scale. What was trained on is
not there, so that it cannot be evaluated again or trained on. No row predicts as a SeriesRegressor does: only
`seqjax.estimators.load` reads it.
"""

import dataclasses
import os
from pathlib import Path
from typing import Any

import numpy as np

import seqjax
from seqjax import experiment as experiments
from seqjax.data.series import steps
from seqjax.data.series.panel import Panel, roles_of
from seqjax.data.text.vectorizer import Vectorizer
from seqjax.errors import UserError
from seqjax.estimators.forecaster import Forecaster
from seqjax.estimators.panels import Form
from seqjax.estimators.regression import SeriesRegressor
from seqjax.estimators.series import SeriesClassifier
from seqjax.estimators.texts import TextClassifier
from seqjax.estimators.trained import Trained
from seqjax.files import read_json, to_json, unwritten
from seqjax.training.workdir import Workdir

KINDS = {kind.__name__: kind for kind in (SeriesClassifier, SeriesRegressor, TextClassifier, Forecaster)}
FILE, ARRAYS = "estimator.json", "arrays.npz"
NUMBERS = ("target_mean_", "target_size_", "n_features_in_", "scale_", "facts_", "knobs_")
"""Fitted attributes that are JSON."""
PANEL = ("values", "known", "static")


def save(estimator: Any, path: str | os.PathLike) -> None:
    """See `Trained.save`."""
    workdir, row = Workdir(Path(path)), estimator.row
    own_row = not isinstance(estimator, SeriesRegressor)
    if workdir.config() is not None:
        raise UserError(f"{path} holds a run already: choose another folder")
    source = experiments.source(experiments.find(row))
    function = experiments.load(experiments.find(row))
    told = {"defaults": experiments.options(function, []), "settings": {}, "given": sorted(estimator.knobs_)}
    config = {"experiment": row, "options": {**told["defaults"], **estimator.knobs_}, "data": "real", **told}
    config |= {"versions": {"seqjax": seqjax.__version__}, "description": type(estimator).__name__}
    facts = {"class": type(estimator).__name__, "params": _written(estimator.get_params(deep=False))}
    facts |= {"fitted": {name: getattr(estimator, name) for name in NUMBERS if hasattr(estimator, name)}}
    arrays: dict[str, np.ndarray] = {}
    if hasattr(estimator, "classes_"):
        arrays["classes"] = _plain(estimator.classes_)
    if hasattr(estimator, "feature_names_in_"):
        arrays["features"] = np.asarray(estimator.feature_names_in_.tolist(), str)
    if isinstance(estimator, Forecaster):
        facts["form"], facts["panel"] = dataclasses.asdict(estimator.form_), _told(estimator.panel_, arrays)
    assets = {**getattr(estimator, "assets", dict)(), FILE: to_json(facts, indent=1) + "\n"}
    with workdir.lock():
        workdir.claim(config, assets | ({"experiment.py": source} if own_row else {}))
        try:
            with (workdir.path / ARRAYS).open("wb") as file:
                np.savez(file, allow_pickle=False, **arrays)
        except OSError as error:
            raise unwritten(workdir.path, error) from error
        for history in estimator.history_:
            workdir.append_row(history)
        best = workdir.checkpoints("best")
        best.save(_best_step(estimator), estimator.params_)
        best.close()
        scores = estimator.history_[estimator.best_epoch_ - 1]["validation"] if estimator.best_epoch_ else {}
        results = {"experiment": row, "options": config["options"], "best_epoch": estimator.best_epoch_}
        workdir.write_results(results | {"validation": scores, "test": {}})


def load(path: str | os.PathLike) -> Any:
    """The estimator that was saved in a folder.

    Raises:
      UserError: there is none, or it is damaged.
    """
    from seqjax.training.best import restore_best

    workdir = Workdir(Path(path))
    workdir.run()
    if not (workdir.path / FILE).is_file():
        raise UserError(f"{path} holds a run, but no estimator ({FILE}): read it by seqjax.load")
    facts = read_json(workdir.path / FILE)
    try:
        if facts["class"] not in KINDS:
            raise KeyError(f"class {facts['class']!r}; choices: {', '.join(KINDS)}")
        estimator = KINDS[facts["class"]](**_read(facts["params"]))
        for name, value in facts["fitted"].items():
            if name not in NUMBERS:
                raise KeyError(name)
            setattr(estimator, name, value)
        with np.load(workdir.path / ARRAYS, allow_pickle=False) as arrays:
            _set_arrays(estimator, facts, dict(arrays))
    except (KeyError, TypeError, ValueError, OSError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{workdir.path / FILE} is damaged: {error}") from error
    if isinstance(estimator, TextClassifier):
        estimator.vectorizer_ = Vectorizer.load(workdir.path)
    estimator.history_ = workdir.rows()
    estimator.n_iter_ = len(estimator.history_)
    estimator.best_epoch_ = (workdir.results() or {}).get("best_epoch", 0)
    import jax

    estimator.params_ = jax.tree.map(np.asarray, restore_best(workdir)[1])
    return estimator


def _set_arrays(estimator: Any, facts: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    if "classes" in arrays:
        estimator.classes_ = arrays["classes"]
    if "features" in arrays:
        estimator.feature_names_in_ = arrays["features"].astype(object)
    if "form" not in facts:
        return
    estimator.form_ = Form(**{**facts["form"], "names": tuple(facts["form"]["names"])})
    told = facts["panel"]
    step = None if told["step"] is None else steps.of_facts(told["step"])
    bounds = [(int(start), int(stop)) for start, stop in arrays["bounds"]]
    names = {"names": tuple(told["names"]), "zone": told["zone"], "step": step, "bounds": bounds}
    whole: dict[str, Any] = {name: arrays[name] for name in PANEL}
    estimator.panel_ = Panel(roles_of(told["roles"]), times=arrays.get("times"), **names, **whole)


def _told(panel: Panel, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """What JSON takes of a panel; its arrays are put among the others."""
    arrays |= {name: getattr(panel, name) for name in PANEL}
    arrays["bounds"] = np.array(panel.bounds)
    if panel.times is not None:
        arrays["times"] = panel.times
    step = None if panel.step is None else panel.step.facts()
    return {"roles": panel.roles.facts(), "names": list(panel.names), "zone": panel.zone, "step": step}


def _plain(classes: np.ndarray) -> np.ndarray:
    """Classes as NumPy writes them without pickle. Raises UserError: they are other objects than texts."""
    if classes.dtype != object:
        return classes
    if wrong := [own for own in classes if not isinstance(own, str)]:
        raise UserError(f"classes of {type(wrong[0]).__name__} cannot be saved: numbers and texts can")
    return classes.astype(str)


def _written(params: dict[str, Any]) -> dict[str, Any]:
    """Parameters as JSON: a dict as pairs, a RandomState as None."""
    found = dict(params)
    if isinstance(found.get("class_weight"), dict):
        pairs = [[_number(key), value] for key, value in found["class_weight"].items()]
        found["class_weight"] = {"pairs": pairs}
    if not isinstance(found["random_state"], int | None):
        found["random_state"] = None
    return {name: _number(value) for name, value in found.items()}


def _read(params: dict[str, Any]) -> dict[str, Any]:
    weights = params.get("class_weight")
    given = {"class_weight": dict(map(tuple, weights["pairs"]))} if isinstance(weights, dict) else {}
    return params | given


def _number(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    return list(value) if isinstance(value, tuple | np.ndarray) else value


def _best_step(estimator: Trained) -> int:
    return estimator.history_[estimator.best_epoch_ - 1]["step"] if estimator.best_epoch_ else 0
