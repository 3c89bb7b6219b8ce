"""What the command line does, for programs too: train, evaluate, predict. Imports JAX and TensorFlow when called."""

import os
import platform
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from absl import logging

import seqjax
from seqjax import experiment as experiments
from seqjax.errors import UserError
from seqjax.experiment import Experiment
from seqjax.runs.lines import skill
from seqjax.training.workdir import Workdir

if TYPE_CHECKING:
    from jax.sharding import Mesh

    from seqjax.data.dataset import Dataset
    from seqjax.training.program import Settings


def train(
    name: str,
    workdir: Workdir,
    *,
    options: Sequence[str] = (),
    data: str = "real",
    data_dir: Path,
    settings: "Settings",
    tuned: Mapping[str, str] | None = None,
    explained: bool = False,
) -> dict[str, Any]:
    """Train or resume an experiment, test its best epoch, write results.json and curves.png.

    Args:
      name: of the experiment.
      workdir: its own, an unfinished run's of the same experiment and options, or a free one.
      options: `knob=value` each.
      data: `real` or `sample`.
      data_dir: where the real data are, or are downloaded to.
      settings: how to run.
      tuned: what `seqjax.runtime.tune` has applied, for config.json.
      explained: print which backend runs each recurrent layer, and why.

    Returns:
      what results.json holds.

    Raises:
      UserError: wrong name, option, data or workdir; nothing has been touched.
      RunStoppedError: a signal, or a loss that is not finite.
    """
    current = experiments.find(name)
    workdir.check({"experiment": name, "data": data})
    source_file = own_copy(workdir, current)
    function = experiments.load(source_file)
    config = asked(name, function, options, data, settings)
    workdir.check(config)
    experiment = function(**config["options"])
    dataset = experiment.source.load(data, data_dir)
    check_model(experiment, dataset)
    from seqjax.training.program import shared_by

    mesh = shared_by(experiment, dataset, settings.devices)  # refuses a number of devices before the folder is claimed
    config |= found(experiment, dataset, mesh, tuned or {})
    if explained:
        print("\n".join(config["backends"]) or "no recurrent layer")
    with workdir.lock():
        claim(workdir, config, dataset, source_file)
        print(f"{name}: {dataset.description}; {config['device']}; {workdir.path}", flush=True)
        finished = workdir.results()
        if finished is not None:
            print(f"{workdir.path} is finished already")
            return finished
        from seqjax.training.fit import fit

        return finish(experiment, dataset, workdir, config, fit(experiment, dataset, workdir, settings))


def asked(name: str, function: Any, options: Sequence[str], data: str, settings: "Settings") -> dict[str, Any]:
    """What config.json says before the data are read; see `train` for the arguments."""
    knobs = {"options": experiments.options(function, options), "defaults": experiments.options(function, [])}
    return {"experiment": name, **knobs, "data": data, "settings": {"steps_per_dispatch": settings.steps_per_dispatch}}


def found(experiment: Experiment, dataset: "Dataset", mesh: "Mesh", tuned: Mapping[str, str]) -> dict[str, Any]:
    """What config.json says besides: data, backends, machine, versions, command."""
    return {
        "fingerprint": dataset.fingerprint,
        "description": dataset.description,
        "backends": explain(experiment.model, mesh),
        "tuned": dict(tuned),
        "device": device(),
        "versions": versions(),
        "command": shlex.join(sys.argv),
    }


def claim(workdir: Workdir, config: Mapping[str, Any], dataset: "Dataset", source_file: Path) -> None:
    """`Workdir.claim` with the data's own files and a copy of the experiment's."""
    workdir.claim(config, {**dataset.assets, "experiment.py": source_file.read_text(encoding="utf-8")})


def finish(
    experiment: Experiment, dataset: "Dataset", workdir: Workdir, config: Mapping[str, Any], scores: Mapping[str, Any]
) -> dict[str, Any]:
    """Write curves.png, then results.json from what `fit` returned; returns what the latter holds."""
    from seqjax.runs import curves

    curves.draw(workdir.rows(), scores["best_epoch"], next(iter(experiment.metrics)), workdir.path / "curves.png")
    results = {"experiment": config["experiment"], "options": config["options"], **scores}
    results |= known(experiment, dataset, config, scores)
    workdir.write_results(results)
    return results


def known(
    experiment: Experiment, dataset: "Dataset", config: Mapping[str, Any], scores: Mapping[str, Any]
) -> dict[str, Any]:
    """What a result is to be seen beside: the lecture's, the best possible, and what needs no model."""
    beside: dict[str, Any] = {"lecture": experiment.lecture, "data": config["data"], "optimum": dataset.optimum}
    if dataset.baselines:
        beside |= {"baselines": dataset.baselines, "skill": skill(scores, dataset.baselines)}
    return beside


def own_copy(workdir: Workdir, source_file: Path) -> Path:
    """The experiment file to run: the run's own copy once it has begun, so that it ends as what it began as."""
    copy = workdir.path / "experiment.py"
    if not copy.exists():
        return source_file
    if copy.read_bytes() != source_file.read_bytes():
        logging.warning("%s has changed since this run began; going on with %s", source_file, copy)
    return copy


def check(name: str, settings: Sequence[Sequence[str]], data: str, data_dir: Path) -> None:
    """Load the data and `check_model` for each list of `knob=value`; the other arguments are those of `train`.

    Raises:
      UserError: as `train`, before it touches anything.
    """
    function = experiments.load(experiments.find(name))
    source, dataset = None, None
    for options in settings:
        experiment = function(**experiments.options(function, options))
        if dataset is None or experiment.source != source:
            source, dataset = experiment.source, experiment.source.load(data, data_dir)
        check_model(experiment, dataset)


def check_model(experiment: Experiment, dataset: "Dataset") -> None:
    """Trace the model's initial values, without computing them, so that a senseless knob touches nothing.

    Raises:
      UserError: the model cannot be built with these knobs.
    """
    import jax

    from seqjax.training.state import create_state

    try:
        jax.eval_shape(lambda inputs: create_state(experiment, inputs, dataset.initial), dataset.example())
    except UserError:
        raise
    except Exception as error:  # whatever a layer raises when its numbers make no sense
        reason = str(error).partition("\n")[0]
        raise UserError(f"the model cannot be built with these knobs: {type(error).__name__}: {reason}") from error


def explain(model: Any, mesh: "Mesh") -> list[str]:
    """One line for each recurrent layer of a model: which backend trains it on the devices of a mesh, and why."""
    import jax

    from seqjax.layers import composite

    with jax.set_mesh(mesh):
        return [composite.said(*pair) for pair in composite.choices(model)]


def evaluate(workdir: Workdir, *, options: Sequence[str] = (), data_dir: Path) -> dict[str, Any]:
    """Test the best checkpoint of a run again; writes nothing.

    Args:
      workdir: of the run.
      options: `knob=value` each, to be checked against the run's own; none is enough.
      data_dir: as for `train`.

    Returns:
      as `train`, without the times.

    Raises:
      UserError: no run or no checkpoint there, other options or other data.
    """
    config = workdir.config() or {}
    function = experiments.load(workdir.path / "experiment.py")
    if options:
        workdir.check({"options": experiments.options(function, options)})
    experiment = function(**config["options"])
    dataset = experiment.source.load(config["data"], data_dir)
    workdir.check({"fingerprint": dataset.fingerprint, "description": dataset.description})
    from seqjax.data.pipeline import steps_per_epoch
    from seqjax.training.fit import restore_best
    from seqjax.training.program import Program, Settings
    from seqjax.training.state import count_parameters, create_state

    state = create_state(experiment, dataset.example())
    step, params = restore_best(workdir, state.params)
    program = Program(experiment, dataset, Settings(**config["settings"]))
    scores = {part: program.evaluate(params, part) for part in ("validation", "test")}
    return {
        "experiment": config["experiment"],
        "options": config["options"],
        "parameters": count_parameters(params),
        "best_epoch": step // steps_per_epoch(len(dataset.parts["train"]), experiment.batch_size),
        **scores,
        **known(experiment, dataset, config, scores),
    }


def predict(workdir: Workdir, text: TextIO, name: str) -> Iterator[str]:
    """A line for every example in `text` (called `name` in messages), from the run's workdir alone.

    Raises:
      UserError: no run or no checkpoint there, or malformed examples.
    """
    config = workdir.config() or {}
    experiment = experiments.load(workdir.path / "experiment.py")(**config["options"])
    requests = experiment.source.requests(workdir.path, text, name)
    from seqjax.training.fit import predictions

    if requests.header:
        yield requests.header
    for position, output in enumerate(predictions(experiment, requests, workdir)):
        yield requests.line(position, output)


def device() -> str:
    """`2 cpu cores` or `1 x NVIDIA H100 80GB HBM3`."""
    import jax

    devices = jax.devices()
    if devices[0].platform == "cpu":  # several of them are the cores of one machine
        return f"cpu, {os.cpu_count()} cores"
    return f"{len(devices)} x {devices[0].device_kind}"


def versions() -> dict[str, str]:
    """Of Python and of every package that can change a result."""
    from importlib.metadata import version

    packages = ["jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy"]
    return {"python": platform.python_version(), "seqjax": seqjax.__version__} | {p: version(p) for p in packages}
