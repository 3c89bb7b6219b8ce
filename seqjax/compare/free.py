"""Keras on its own: own initial values, own dropout; the same examples, epochs and batch size, the best epoch tested.

Legend: N examples, B batch.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from seqjax import experiment as experiments
from seqjax.compare.mirror import Mirror, check_initial_values, mirror
from seqjax.data.dataset import Dataset
from seqjax.errors import UserError
from seqjax.experiment import Experiment
from seqjax.files import to_json, write_atomically
from seqjax.interop.keras_models import import_keras

IDENTITY = ("experiment", "options", "data", "fingerprint")
Say = Callable[[str], None]


def run(
    name: str,
    function: Any,
    options: Mapping[str, Any],
    data: str,
    data_dir: Path,
    seeds: Sequence[int],
    output: Path,
    say: Say = print,
) -> dict[str, Any]:
    """Train the seeds that `output` does not hold yet, and write it after each one.

    Args:
      name: of the experiment.
      function: of its file.
      options: its knobs; the seed among them is not looked at.
      data: real or sample.
      data_dir: where the real data are.
      seeds: of Keras, for everything random in it.
      output: a JSON file; see `seqjax.report`.
      say: is called with one line an epoch.

    Returns:
      what the file holds.

    Raises:
      UserError: no counterpart in Keras, or the file belongs to another comparison.
    """
    keras = import_keras()
    options = {**options, "seed": 0}
    experiment: Experiment = function(**options)
    check_initial_values(experiment.model)
    dataset = experiment.source.load(data, data_dir)
    if dataset.initial:
        raise UserError("initial values from files have no counterpart in Keras here")
    found: dict[str, Any] = {"kind": "keras", "experiment": name, "options": options, "data": data}
    found |= {"fingerprint": dataset.fingerprint, "versions": {"keras": keras.__version__, "jax": jax.__version__}}
    found |= {"seeds": _finished(output, found, experiments.options(function, []))}
    for seed in seeds:
        if seed in (done["seed"] for done in found["seeds"]):
            say(f"seed {seed} is finished already")
            continue
        keras.utils.set_random_seed(seed)
        row = _train(experiment, mirror(experiment, options, dataset.example()), dataset, seed, say)
        found["seeds"] = sorted([*found["seeds"], row], key=lambda done: done["seed"])
        output.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(output, to_json(found, indent=1) + "\n")
    return found


def _finished(output: Path, wanted: Mapping[str, Any], defaults: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The seeds that the file holds; knobs that came after it count as at their default."""
    if not output.exists():
        return []
    try:
        old = json.loads(output.read_text(encoding="utf-8"))
        old["options"] = {**defaults, **old["options"]}
        differs = next((key for key in ("kind", *IDENTITY) if old[key] != wanted[key]), None)
        finished = old["seeds"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"--output={output} is no result of a comparison ({error!r}); choose another") from error
    if differs:
        raise UserError(f"--output={output} is of {differs}={old[differs]}, not {wanted[differs]}; choose another")
    return finished


def feeder(found: Mirror, dataset: Dataset, part: str, batch_size: int) -> Any:
    """A Keras dataset that gathers each batch when it is asked for, in order; `shuffle(seed, epoch)` gives another."""
    keras, ids = import_keras(), np.asarray(dataset.parts[part])

    class Feeder(keras.utils.PyDataset):
        def __init__(self):
            super().__init__()
            self.order = np.arange(len(ids))

        def __len__(self) -> int:
            return -(-len(ids) // batch_size)

        def __getitem__(self, position: int) -> tuple[Any, np.ndarray]:
            chosen = ids[self.order[position * batch_size : (position + 1) * batch_size]]
            inputs, targets = dataset.gather(dataset.arrays, chosen)
            return found.inputs(inputs), found.targets(targets)

        def shuffle(self, seed: int, epoch: int) -> None:
            self.order = np.random.default_rng((seed, epoch)).permutation(len(ids))

    return Feeder()


def _train(experiment: Experiment, found: Mirror, dataset: Dataset, seed: int, say: Say) -> dict[str, Any]:
    """One seed's row."""
    model, names = found.model, ("loss", *experiment.metrics)
    size = experiment.batch_size
    train, validation = feeder(found, dataset, "train", size), feeder(found, dataset, "validation", size)
    history: list[dict[str, Any]] = []
    best: dict[str, Any] = {}
    started = time.monotonic()
    with jax.numpy_rank_promotion("allow"):
        for epoch in range(1, experiment.epochs + 1):
            # An epoch a call: weights are kept between, and Keras's own loop and optimizer are all that trains.
            train.shuffle(seed, epoch)
            logs = model.fit(train, validation_data=validation, shuffle=False, verbose=0).history
            row = {"epoch": epoch, "train": {name: float(logs[name][0]) for name in names}}
            row |= {"validation": {name: float(logs[f"val_{name}"][0]) for name in names}}
            history.append(row)
            if not best or row["validation"]["loss"] < best["validation"]["loss"]:
                best = {**row, "weights": model.get_weights()}
            said = ", ".join(f"{name} {value:.4g}" for name, value in row["validation"].items())
            say(f"keras seed {seed}, epoch {epoch}/{experiment.epochs}: validation {said}")
        seconds = time.monotonic() - started
        if best:
            model.set_weights(best.pop("weights"))
        score = lambda part: _scores(model, feeder(found, dataset, part, size), names)
        validated, test = best["validation"] if best else score("validation"), score("test")
    row = {"seed": seed, "validation": validated, "test": test, "best_epoch": best.get("epoch", 0)}
    return row | {"seconds": round(seconds, 3), "parameters": model.count_params(), "history": history}


def _scores(model: Any, examples: Any, names: Sequence[str]) -> dict[str, float]:
    values = model.evaluate(examples, verbose=0, return_dict=True)
    return {name: float(values[name]) for name in names}
