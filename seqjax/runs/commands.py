"""What the command line does, for programs too: train, evaluate, predict. Imports JAX when called."""

import os
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from absl import logging

from seqjax import experiment as experiments
from seqjax import peers, trust
from seqjax.errors import UserError
from seqjax.experiment import FILE_KNOBS, Experiment
from seqjax.runs import agreement, rolled
from seqjax.runs.lines import context
from seqjax.runs.machine import backends, device, layout, versions
from seqjax.runs.prediction import answering
from seqjax.runs.prediction import predict as predict  # the third command
from seqjax.runs.same_steps import same_steps
from seqjax.training import identity
from seqjax.training.workdir import Workdir

if TYPE_CHECKING:
    from jax.sharding import Mesh

    from seqjax.data.dataset import Dataset
    from seqjax.data.series.panel_parts import Folds
    from seqjax.training.program import Program, Settings


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
    folds: "Folds | None" = None,
    progress: Callable[[int, int], Any] | None = None,
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
      folds: train and test as at some time before, for a backtest.
      progress: makes what the run reports to (`seqjax.training.fit.Training`); None: a bar, or lines.

    Returns:
      what results.json holds.

    Raises:
      UserError: wrong name, option, data or workdir; nothing has been touched.
      RunStoppedError: a signal, or a loss that is not finite.
    """
    current = experiments.find(name)
    workdir.check({"experiment": name, "data": data})
    source_file = own_copy(workdir, current)
    function = experiments.load_copy(source_file)
    config = asked(name, function, options, data, settings)
    config |= {"folds": list(folds)} if folds else {}
    workdir.check(config)
    experiment = rolled.back(experiments.build(function, config["options"]), config)
    dataset = load(experiment, workdir, data, data_dir)
    experiment = as_told(function, config["options"], dataset)
    check_model(experiment, dataset)
    from seqjax.training.program import shared_by

    mesh = shared_by(experiment, settings.devices, settings.deterministic)  # refuses before the folder is claimed
    config |= found(experiment, dataset, mesh, tuned or {})
    if explained:
        print("\n".join(config["backends"]) or "no recurrent layer")
    moved = agreement.reach(workdir, config, source_file, settings)
    with workdir.lock():
        claim(workdir, config, dataset, source_file)
        agreement.share(workdir)
        said = f"{name}: {dataset.description}; {config['device']}; {workdir.path}"
        print(*filter(None, [said, moved]), sep="\n", flush=True)
        finished = workdir.results()
        peers.agree("the results", {"whether the run is finished": f"{finished is not None}"})
        if finished is not None:
            print(f"{workdir.path} is finished already")
            return finished
        from seqjax.training.fit import fit

        reported: dict[str, Any] = {"progress": progress} if progress else {}
        scores = fit(experiment, dataset, workdir, settings, **reported)
        return finish(experiment, dataset, workdir, config, scores)


def load(experiment: Experiment, workdir: Workdir, data: str, data_dir: Path) -> "Dataset":
    """The experiment's data.

    Raises:
      UserError: as `Source.load`; where a run's file is gone, the message says how to tell where it is now.
    """
    try:
        return rolled.known_then(experiment, experiment.source.load(data, data_dir))
    except UserError as error:
        known = (workdir.config() or {}).get("options", {})
        for knob in FILE_KNOBS:
            if data == "real" and known.get(knob) and f"{known[knob]}" in str(error):
                raise UserError(f"{error}; if it has moved: --set={knob}=PATH, the run stays the same") from error
        raise


def asked(name: str, function: Any, options: Sequence[str], data: str, settings: "Settings") -> dict[str, Any]:
    """What config.json says before the data are read; see `train` for the arguments."""
    knobs = {"options": experiments.options(function, options), "defaults": experiments.options(function, [])}
    how = {"settings": {"steps_per_dispatch": settings.steps_per_dispatch}, "deterministic": settings.deterministic}
    return {"experiment": name, **knobs, "given": sorted(names(options)), "data": data, **how}


def found(experiment: Experiment, dataset: "Dataset", mesh: "Mesh", tuned: Mapping[str, str]) -> dict[str, Any]:
    """What config.json says besides: data, backends, machine, versions, command."""
    return {
        "fingerprint": dataset.fingerprint,
        "told": dict(dataset.knobs),
        "description": dataset.description,
        "backends": backends(experiment.model, mesh),
        "tuned": dict(tuned),
        "device": device(),
        "layout": layout(mesh),
        "versions": versions(),
        "command": shlex.join(sys.argv),
    }


def as_told(function: Any, options: Mapping[str, Any], dataset: "Dataset") -> Experiment:
    """The experiment of some options, those that are None as the data tell."""
    return experiments.build(function, experiments.knobs({"options": options, "told": dataset.knobs}))


def claim(workdir: Workdir, config: Mapping[str, Any], dataset: "Dataset", source_file: Path) -> None:
    """`Workdir.claim` with the data's own files and a copy of the experiment's.

    Raises:
      UserError: it cannot be claimed; or more epochs are asked for, and would have been another run from the start.
    """
    before = (workdir.config() or {}).get("options", {})
    if identity.grows(before, config):
        function = experiments.load_copy(source_file)
        longer, shorter = (
            experiments.build(function, {**experiments.knobs(config), "epochs": epochs})
            for epochs in (config["options"]["epochs"], before["epochs"])
        )
        if not same_steps(shorter, longer, dataset):
            raise UserError(
                f"workdir {workdir.path} holds a run with epochs={before['epochs']}, which it depends on: "
                f"epochs={config['options']['epochs']} is another run; choose another --workdir"
            )
    text = experiments.source(source_file)
    trust.remember(text)
    workdir.claim(config, {**dataset.assets, "experiment.py": text})


def finish(
    experiment: Experiment, dataset: "Dataset", workdir: Workdir, config: Mapping[str, Any], scores: Mapping[str, Any]
) -> dict[str, Any]:
    """Write curves.png, then results.json from what `fit` returned; returns what the latter holds."""
    from seqjax.runs import curves

    if peers.is_first():
        curves.draw(workdir.rows(), scores["best_epoch"], next(iter(experiment.metrics)), workdir.path / "curves.png")
    results = {"experiment": config["experiment"], "options": config["options"], **scores}
    results |= context(experiment.lecture, dataset, config["data"], scores)
    workdir.write_results(results)
    return results


def own_copy(workdir: Workdir, source_file: Path) -> Path:
    """The experiment file to run: the run's own copy once it has begun, so that it ends as what it began as."""
    copy = workdir.path / "experiment.py"
    if not os.path.lexists(copy) and not (workdir.path / "checkpoints").exists():  # not yet written
        return source_file
    mine, current = (experiments.source(file).replace("\r\n", "\n") for file in (copy, source_file))
    if mine != current:
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
        experiment = experiments.build(function, experiments.options(function, options))
        if dataset is None or experiment.source != source:
            source, dataset = experiment.source, experiment.source.load(data, data_dir)
        check_model(as_told(function, experiments.options(function, options), dataset), dataset)


def check_model(experiment: Experiment, dataset: "Dataset") -> None:
    """Trace the model's initial values, without computing them, so that a senseless knob touches nothing.

    Raises:
      UserError: the model cannot be built with these knobs.
    """
    import jax

    from seqjax.training.state import create_state

    try:
        jax.eval_shape(
            lambda inputs: create_state(experiment, inputs, dataset.initial, dataset.target()), dataset.example()
        )
    except UserError:
        raise
    except Exception as error:  # whatever a layer raises when its numbers make no sense
        reason = str(error).partition("\n")[0]
        raise UserError(f"the model cannot be built with these knobs: {type(error).__name__}: {reason}") from error


def evaluate(
    workdir: Workdir, *, options: Sequence[str] = (), data_dir: Path, answer: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Test the best checkpoint of a run again; writes nothing.

    Args:
      workdir: of the run.
      options: `knob=value` each, to be checked against the run's own; none is enough. A knob that names a file says
        where it lies now.
      data_dir: as for `train`.
      answer: fields of the experiment's answer, to be set anew: `{"beam": 5}`.

    Returns:
      as `train`, without the times.

    Raises:
      UserError: no run or no checkpoint there, other options or other data; an answer without such a field.
    """
    from seqjax.data.pipeline import steps_per_epoch
    from seqjax.training.scores import add_scores
    from seqjax.training.state import count_parameters

    config = workdir.run()
    step, params, program = opened(workdir, options, data_dir, answer)
    experiment, dataset = program.experiment, program.dataset
    scores: dict[str, Any] = {}
    for part in ("validation", "test"):
        answers = program.answers(params, part) if experiment.scores else None
        add_scores(scores, part, program.evaluate(params, part), experiment, answers)
    return {
        "experiment": config["experiment"],
        "options": config["options"],
        "parameters": count_parameters(params),
        "best_epoch": step // steps_per_epoch(len(dataset.parts["train"]), experiment.batch_size),
        **scores,
        **context(experiment.lecture, dataset, config["data"], scores),
    }


def opened(
    workdir: Workdir, options: Sequence[str], data_dir: Path, answer: Mapping[str, Any] | None = None
) -> tuple[int, Any, "Program"]:
    """(step, parameters, program) of the best checkpoint of a run; arguments and errors are those of `evaluate`."""
    config = workdir.run()
    function = experiments.load_copy(workdir.path / "experiment.py")
    given = {knob: value for knob, value in experiments.options(function, options).items() if knob in names(options)}
    workdir.check({"options": {**config["options"], **given}})
    files = {knob: value for knob, value in given.items() if knob in FILE_KNOBS}
    experiment = rolled.back(experiments.build(function, experiments.knobs(config) | files), config)
    experiment = answering(experiment, answer or {}, config["experiment"])
    dataset = load(experiment, workdir, config["data"], data_dir)
    workdir.check({"fingerprint": dataset.fingerprint, "description": dataset.description})
    from seqjax.training.best import restore_best, shapes
    from seqjax.training.block_program import BlockProgram
    from seqjax.training.program import Program, Settings

    steps = config.get("settings", {}).get("steps_per_dispatch")
    if not isinstance(steps, int | None):
        raise UserError(f"{workdir.path / 'config.json'} is damaged (steps_per_dispatch={steps!r})")
    step, params = restore_best(workdir, shapes(experiment, dataset.example()))
    kind = BlockProgram if config.get("deterministic") else Program
    return step, params, kind(experiment, dataset, Settings(steps, deterministic=kind is BlockProgram))


def names(options: Sequence[str]) -> set[str]:
    """The knobs that are given, in options `knob=value` each."""
    return {option.partition("=")[0] for option in options}
