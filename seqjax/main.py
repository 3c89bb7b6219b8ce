"""Train, evaluate or use a sequence model: python -m seqjax.main --experiment=NAME [flags].

--list                                            every experiment
--experiment=imdb_bilstm --data=sample            train on generated data, no files needed
--experiment=jena_lstm --set=units=32             train on the real data with another knob
--mode=evaluate --experiment=jena_lstm            test the best checkpoint of runs/jena_lstm
--mode=predict --workdir=runs/jena_lstm --input=weather.csv
"""

# Flags -> experiment -> fit, evaluate or predict -> print. JAX and TensorFlow are imported only when a run begins, so
# that --help, --list and a wrong flag answer at once.

import io
import os
import platform
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from absl import app, flags, logging

import seqjax
from seqjax import experiment as experiments
from seqjax.data.folders import data_dir_default
from seqjax.errors import RunStoppedError, UserError
from seqjax.experiment import Experiment
from seqjax.workdir import Workdir

if TYPE_CHECKING:
    from seqjax.data.dataset import Dataset

EXPERIMENT = flags.DEFINE_string("experiment", None, "Which one; see --list.")
SET = flags.DEFINE_multi_string("set", [], "knob=value: change a knob of the experiment; may be repeated.")
WORKDIR = flags.DEFINE_string("workdir", None, "The run's folder (default: runs/NAME). An unfinished run is resumed.")
DATA = flags.DEFINE_enum(
    "data", "real", ["real", "sample"], "The lecture's data, or a generated sample that needs no files and no network."
)
DATA_DIR = flags.DEFINE_string(
    "data_dir", None, "Where the data are or are downloaded to (default: $SEQJAX_DATA_DIR, else ~/.cache/seqjax)."
)
MODE = flags.DEFINE_enum(
    "mode",
    "train",
    ["train", "evaluate", "predict"],
    "train: also resumes. evaluate: test the best checkpoint. predict: from --input, with the best checkpoint.",
)
INPUT = flags.DEFINE_string("input", None, "predict: a file of reviews, one a line, or a weather CSV; - reads stdin.")
EXPLAIN = flags.DEFINE_bool("explain", False, "Say which backend runs each recurrent layer, and why; then train.")
LIST = flags.DEFINE_bool("list", False, "List every experiment: its name, the lecture's number, what it is.")
STEPS = flags.DEFINE_integer("steps_per_dispatch", 8, "Training steps in one call of the compiled program.")
CHECKPOINT_SECONDS = flags.DEFINE_float("checkpoint_seconds", 30.0, "Between checkpoints within an epoch.")
TUNE = flags.DEFINE_bool("tune", True, "Apply memory and vector settings that make CPU steps faster.")


def main(arguments: Sequence[str]) -> None:
    """Do what the flags say.

    Raises:
      UserError: the user can mend it; `run` prints it and exits with code 2.
    """
    if arguments[1:]:
        raise UserError(f"{arguments[1]!r} is not a flag; flags start with --, as in --experiment=imdb_bilstm")
    if LIST.value:
        print(table())
        return
    if MODE.value == "predict" and INPUT.value is None:
        raise UserError("--mode=predict needs --input=FILE, or --input=- for stdin")
    if MODE.value != "predict" and INPUT.value is not None:
        raise UserError(f"--input is for --mode=predict, not --mode={MODE.value}")
    if MODE.value == "train":
        train()
    else:
        workdir, config = existing_run()
        (evaluate if MODE.value == "evaluate" else predict)(workdir, config)


def table() -> str:
    """One line per experiment: name, the lecture's test figure, description."""
    listings = [experiments.listing(name) for name in experiments.names()]
    width = max(map(len, experiments.names()), default=0)
    return "\n".join(f"{row.name:<{width}}  {_quote(row.lecture):<14}  {row.description}" for row in listings)


def _quote(lecture: Mapping[str, Mapping[str, float]]) -> str:
    return ", ".join(f"{metric} {value:g}" for metric, value in lecture.get("test", {}).items()) or "-"


def train() -> None:
    """Train or resume, test the best epoch, write results.json and curves.png."""
    if EXPERIMENT.value is None:
        raise UserError(f"--experiment=NAME is missing; choices: {', '.join(experiments.names())}")
    source_file = experiments.find(EXPERIMENT.value)
    workdir = Workdir(Path(WORKDIR.value or f"runs/{EXPERIMENT.value}"))
    workdir.config()  # before anything slow: is the folder usable at all?
    tuned = runtime_settings()
    source_file = own_copy(workdir, source_file)
    function = experiments.load(source_file)
    knobs = experiments.options(function, SET.value)
    from seqjax.train import Settings

    settings = Settings(STEPS.value, CHECKPOINT_SECONDS.value)
    config: dict[str, Any] = {
        "experiment": EXPERIMENT.value,
        "options": knobs,
        "data": DATA.value,
        "settings": {"steps_per_dispatch": settings.steps_per_dispatch},
    }
    workdir.check(config)
    experiment = function(**knobs)
    dataset = experiment.source.load(DATA.value, data_dir())
    check_model(experiment, dataset)
    config |= {"fingerprint": dataset.fingerprint, "description": dataset.description}
    backends = explain(experiment.model)
    if EXPLAIN.value:
        print("\n".join(backends) or "no recurrent layer")
    config |= {
        "backends": backends,
        "tuned": tuned,
        "device": device(),
        "versions": versions(),
        "command": shlex.join(sys.argv),
    }
    with workdir.lock():
        workdir.claim(config, {**dataset.assets, "experiment.py": source_file.read_text(encoding="utf-8")})
        print(f"{EXPERIMENT.value}: {dataset.description}; {device()}; {workdir.path}")
        if workdir.results() is None:
            from seqjax.fit import fit
            from seqjax.report import curves

            scores = fit(experiment, dataset, workdir, settings)
            metric = next(iter(experiment.metrics))
            curves(workdir.rows(), scores["best_epoch"], metric, workdir.path / "curves.png")
            context = {"lecture": experiment.lecture, "data": DATA.value, "optimum": dataset.optimum}
            workdir.write_results({"experiment": EXPERIMENT.value, "options": knobs, **scores, **context})
        else:
            print(f"{workdir.path} is finished already")
    print(result_line(workdir.results() or {}))


def own_copy(workdir: Workdir, source_file: Path) -> Path:
    """The experiment file to run: the run's own copy once it has begun, so that it ends as what it began as."""
    copy = workdir.path / "experiment.py"
    if not copy.exists():
        return source_file
    if copy.read_bytes() != source_file.read_bytes():
        logging.warning("%s has changed since this run began; going on with %s", source_file, copy)
    return copy


def check_model(experiment: Experiment, dataset: "Dataset") -> None:
    """Trace the model's initial values, without computing them, so that a senseless knob touches nothing.

    Raises:
      UserError: the model cannot be built with these knobs.
    """
    import jax

    from seqjax.train import create_state

    try:
        jax.eval_shape(lambda inputs: create_state(experiment, inputs), dataset.example())
    except UserError:
        raise
    except Exception as error:  # whatever a layer raises when its numbers make no sense
        reason = str(error).partition("\n")[0]
        raise UserError(f"the model cannot be built with these knobs: {type(error).__name__}: {reason}") from error


def explain(model: Any) -> list[str]:
    """One line for each recurrent layer of a model: which backend trains it, and why."""
    from seqjax.models import composite

    masked = getattr(model, "mask_padding", False)
    layers = [layer for layer in vars(model).values() if isinstance(layer, composite.Recurrent)]
    return [line for layer in layers for line in composite.explain(layer, masked=masked, train=True)]


def existing_run() -> tuple[Workdir, dict[str, Any]]:
    """The workdir and config of a run that the flags point to and do not contradict."""
    if WORKDIR.value is None and EXPERIMENT.value is None:
        raise UserError(f"--mode={MODE.value} needs --workdir=DIR, or --experiment=NAME for runs/NAME")
    if EXPERIMENT.value is not None and WORKDIR.value is None:
        experiments.find(EXPERIMENT.value)
    workdir = Workdir(Path(WORKDIR.value or f"runs/{EXPERIMENT.value}"))
    config = workdir.config()
    if config is None:
        raise UserError(f"workdir {workdir.path} holds no run; train one first (--mode=train)")
    given: dict[str, Any] = {}
    if EXPERIMENT.value is not None:
        given["experiment"] = EXPERIMENT.value
    if flags.FLAGS["data"].present:
        given["data"] = DATA.value
    workdir.check(given)
    return workdir, config


def evaluate(workdir: Workdir, config: Mapping[str, Any]) -> None:
    """Test the best checkpoint again; writes nothing."""
    runtime_settings()
    function = experiments.load(workdir.path / "experiment.py")
    knobs = experiments.options(function, SET.value)
    if SET.value:
        workdir.check({"options": knobs})
    experiment = function(**config["options"])
    dataset = experiment.source.load(config["data"], data_dir())
    workdir.check({"fingerprint": dataset.fingerprint, "description": dataset.description})
    from seqjax.data.pipeline import steps_per_epoch
    from seqjax.fit import restore_best
    from seqjax.train import Program, Settings, count_parameters, create_state

    state = create_state(experiment, dataset.example())
    step, params = restore_best(workdir, state.params)
    program = Program(experiment, dataset, Settings(**config["settings"]))
    results = {
        "experiment": config["experiment"],
        "parameters": count_parameters(params),
        "best_epoch": step // steps_per_epoch(len(dataset.parts["train"]), experiment.batch_size),
        "validation": program.evaluate(params, "validation"),
        "test": program.evaluate(params, "test"),
        "lecture": experiment.lecture,
        "data": config["data"],
        "optimum": dataset.optimum,
    }
    print(result_line(results))


def predict(workdir: Workdir, config: Mapping[str, Any]) -> None:
    """Print a line for every example of --input, from the workdir alone."""
    name = INPUT.value or "-"
    text = read_input(name)
    runtime_settings()
    experiment = experiments.load(workdir.path / "experiment.py")(**config["options"])
    requests = experiment.source.requests(workdir.path, text, "stdin" if name == "-" else name)
    from seqjax.fit import predictions

    if requests.header:
        print(requests.header)
    for position, output in enumerate(predictions(experiment, requests, workdir)):
        print(requests.line(position, output))


def read_input(name: str) -> io.StringIO:
    """The text of a file, or of stdin for `-`.

    Raises:
      UserError: there is no such file, or it is not UTF-8.
    """
    try:
        data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        return io.StringIO(data.decode("utf-8"))
    except OSError as error:
        raise UserError(f"--input={name} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"--input={name} is not UTF-8 text (byte {error.start})") from error


def result_line(results: Mapping[str, Any]) -> str:
    """`jena_lstm: test mae 2.53 (lecture 2.53), validation mae 2.37, best epoch 7, 2,001 parameters`."""
    metric = next(name for name in results["test"] if name != "loss")
    lecture = results["lecture"].get("test", {}).get(metric)
    said = f" (lecture {lecture:g})" if lecture is not None else ""
    if results["data"] == "sample":
        said = f" (generated sample, not the lecture's data: {_known(metric, results['optimum'])})"
    return (
        f"{results['experiment']}: test {metric} {results['test'][metric]:.4f}{said}, "
        f"validation {metric} {results['validation'][metric]:.4f}, best epoch {results['best_epoch']}, "
        f"{results['parameters']:,} parameters"
    )


def _known(metric: str, optimum: Mapping[str, float]) -> str:
    """`best possible 0.96, bag of words at most 0.73` from {"accuracy": .96, "bag_of_words_accuracy": .73}."""
    if metric not in optimum:
        return "best possible score unknown for these knobs"
    limits = [
        f"{name.removesuffix(f'_{metric}').replace('_', ' ')} at most {value:.4g}"
        for name, value in optimum.items()
        if name != metric
    ]
    return ", ".join([f"best possible {optimum[metric]:.4g}", *limits])


def data_dir() -> Path:
    """The flag's folder, or the default."""
    return Path(DATA_DIR.value).expanduser() if DATA_DIR.value else data_dir_default()


def runtime_settings() -> dict[str, str]:
    """Quiet the libraries and, unless --notune, tune this process; to be called before JAX is imported."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if not flags.FLAGS["verbosity"].present:  # orbax logs a hundred lines a run
        logging.set_verbosity(logging.WARNING)
    if not TUNE.value:
        return {}
    from seqjax.runtime import tune

    return tune()


def device() -> str:
    """`2 cpu cores` or `1 x NVIDIA H100 80GB HBM3`."""
    import jax

    devices = jax.devices()
    if devices[0].platform == "cpu" and len(devices) == 1:
        return f"cpu, {os.cpu_count()} cores"
    return f"{len(devices)} x {devices[0].device_kind}"


def versions() -> dict[str, str]:
    """Of Python and of every package that can change a result."""
    from importlib.metadata import version

    packages = ["jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy"]
    return {"python": platform.python_version(), "seqjax": seqjax.__version__} | {p: version(p) for p in packages}


def run() -> None:
    """Entry point: parse the flags, call main, and turn errors that the user can mend into one line and exit code 2."""
    if {"-h", "-help", "--help"} & set(sys.argv[1:]):  # absl's own shows no flags to a console script, and exits with 1
        print(f"{__doc__}\n{flags.FLAGS.module_help(flags.FLAGS.find_module_defining_flag('experiment'))}")
        sys.exit(0)
    app.run(main_or_exit, flags_parser=parse_or_exit)


def parse_or_exit(arguments: Sequence[str]) -> Sequence[str]:
    """Parse the flags; a wrong one is a one-line error."""
    try:
        return flags.FLAGS(list(arguments))
    except flags.Error as error:
        fail(str(error))
        raise


def main_or_exit(arguments: Sequence[str]) -> None:
    """Call main; exit with 2 for the user's errors, 1 for a diverged run, 128 + n after signal n."""
    try:
        main(arguments)
        sys.stdout.flush()
    except (UserError, RunStoppedError) as error:
        fail(str(error), error.exit_code)
    except BrokenPipeError:  # `... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def fail(message: str, code: int = 2) -> None:
    """Print one line on stderr and exit."""
    print(f"seqjax: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    run()
