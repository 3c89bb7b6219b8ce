"""Train, evaluate or use a sequence model: python -m seqjax.main --experiment=NAME [flags].

--list                                            every experiment
--experiment=imdb_bilstm --data=sample            train on generated data, no files needed
--experiment=jena_lstm --set=units=32             train on the real data with another knob
--experiment=jena_lstm --seeds=5                  five runs, their mean and interval
--experiment=m4_hourly_gru --backtest=3 --refit   three forecasts in the past, each trained on what came before
--mode=evaluate --experiment=jena_lstm            test the best checkpoint of runs/jena_lstm
--mode=predict --workdir=runs/jena_lstm --input=weather.csv
--mode=generate --workdir=runs/shakespeare_lstm --prompt="ROMEO:"
--mode=stream --workdir=runs/jena_lstm --state=jena.state < weather.csv
"""

# Flags -> commands -> fit. JAX is imported only when a run begins, TensorFlow only when it lasts, so
# that --help, --list and a wrong flag answer at once.

import contextlib
import io
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from absl import app, flags, logging

from seqjax import backtest, cluster, folders, generate, many, predict, stream
from seqjax import experiment as experiments
from seqjax.command_line import fail, failing
from seqjax.errors import UserError, check_least
from seqjax.peers.watch import WATCH
from seqjax.runs import commands, remote, writers
from seqjax.runs.lines import result_line
from seqjax.runs.programs import settle
from seqjax.training.workdir import Workdir

EXPERIMENT = flags.DEFINE_string("experiment", None, "Which one; see --list.")
SET = flags.DEFINE_multi_string("set", [], "knob=value: change a knob of the experiment; may be repeated.")
WORKDIR = flags.DEFINE_string(
    "workdir",
    None,
    "The run's folder (default: runs/NAME), or gs://BUCKET/FOLDER, s3://BUCKET/FOLDER. An unfinished run is resumed.",
)
DATA = flags.DEFINE_enum(
    "data", "real", ["real", "sample"], "The lecture's data, or a generated sample that needs no files and no network."
)
DATA_DIR = flags.DEFINE_string(
    "data_dir", None, "Where the data are or are downloaded to (default: $SEQJAX_DATA_DIR, else ~/.cache/seqjax)."
)
MODE = flags.DEFINE_enum(
    "mode",
    "train",
    ["train", "evaluate", "predict", "generate", "stream"],
    "train: also resumes. With the best checkpoint: evaluate: test it. predict: from --input. generate: write texts. "
    "stream: answer stdin as it comes.",
)
INPUT = flags.DEFINE_string(
    "input", None, "predict, stream: a file of texts, one a line, or a table (CSV); - reads stdin (stream's default)."
)
EXPLAIN = flags.DEFINE_bool("explain", False, "Say which backend runs each recurrent layer, and why; then train.")
LIST = flags.DEFINE_bool("list", False, "List every experiment: its name, the lecture's number, what it is.")
STEPS = flags.DEFINE_integer(
    "steps_per_dispatch",
    None,
    "Training steps in one call of the compiled program; signals and checkpoints wait for its end "
    "(default: 32 small ones or 8 large ones).",
)
CHECKPOINT_SECONDS = flags.DEFINE_float("checkpoint_seconds", 30.0, "Between checkpoints within an epoch.")
DEVICES = flags.DEFINE_integer(
    "devices", None, "Devices that share each batch (default: all accelerators; a CPU is one, with all its cores)."
)
THREADS = flags.DEFINE_integer(
    "threads", None, "On CPUs (default: the cores of this process and its cgroup, at most $OMP_NUM_THREADS)."
)
TUNE = flags.DEFINE_bool("tune", True, "Apply memory and vector settings that make CPU steps faster.")
WRITE_TO = flags.DEFINE_list("write_to", [], "tensorboard, wandb: where the metrics of each epoch go as well.")
TRUST = flags.DEFINE_bool(
    "trust", False, "Of a run folder from elsewhere: its experiment.py, a program, may be run here from now on."
)


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
    if MODE.value not in ("predict", "stream") and INPUT.value is not None:
        raise UserError(f"--input is for --mode=predict and stream, not --mode={MODE.value}")
    if MODE.value in ("predict", "generate", "stream") and SET.value:
        raise UserError(
            f"--set is for --mode=train and evaluate; a run {MODE.value}s with the knobs that it was trained with"
        )
    if MODE.value != "generate":
        generate.check_unused(MODE.value)
    if MODE.value != "predict":
        predict.check_unused(MODE.value)
    if MODE.value != "stream":
        stream.check_unused(MODE.value)
    several = many.check(MODE.value)
    backtest.check(MODE.value, several)
    cluster.check(MODE.value, several, backtest.BACKTEST.value is not None)
    if MODE.value == "train":
        train_many() if several else train()
        return
    wanted = generate.wish() if MODE.value == "generate" else None
    workdir = existing_run()
    if wanted is not None:
        runtime_settings()
        generate.write(workdir, wanted)
    elif MODE.value == "evaluate":
        runtime_settings()
        print(result_line(commands.evaluate(workdir, options=SET.value, data_dir=data_dir(), answer=predict.beam())))
    elif MODE.value == "stream":
        runtime_settings()
        stream.write(workdir, INPUT.value or "-")
    else:
        name = INPUT.value or "-"
        text = read_input(name)
        runtime_settings()
        predict.write(workdir, text, "stdin" if name == "-" else name)


def table() -> str:
    """One line per experiment: name, the lecture's test figure, description."""
    listings = [experiments.listing(name) for name in experiments.names()]
    width = max(map(len, experiments.names()), default=0)
    return "\n".join(f"{row.name:<{width}}  {_quote(row.lecture):<14}  {row.description}" for row in listings)


def _quote(lecture: Mapping[str, Mapping[str, float]]) -> str:
    return ", ".join(f"{metric} {value:g}" for metric, value in lecture.get("test", {}).items()) or "-"


def asked_experiment() -> str:
    """The flag's value. Raises UserError: there is none."""
    if EXPERIMENT.value is None:
        raise UserError(f"--experiment=NAME is missing; choices: {', '.join(experiments.names())}")
    return EXPERIMENT.value


def train() -> None:
    """Train or resume what the flags say, and print the result's line."""
    name = asked_experiment()
    experiments.find(name)
    settings = (STEPS.value, CHECKPOINT_SECONDS.value, DEVICES.value, *cluster.layout())
    if backtest.BACKTEST.value is not None:
        cluster.join(MODE.value, False, True)
        backtest.write(name, WORKDIR.value, SET.value, DATA.value, data_dir(), settings, runtime_settings())
        return
    with writers.opened(Path(WORKDIR.value or f"runs/{name}"), WRITE_TO.value) as workdir:
        if workdir.config() is not None and TRUST.value:  # before anything slow: is the folder usable at all?
            experiments.trust_copy(workdir.path)
        tuned = runtime_settings()
        cluster.join(MODE.value, False, False)
        from seqjax.training.program import Settings

        with WATCH.kept():
            results = commands.train(
                name,
                workdir,
                options=SET.value,
                data=DATA.value,
                data_dir=data_dir(),
                settings=Settings(*settings),
                tuned=tuned,
                explained=EXPLAIN.value,
            )
            print(result_line(results))


def train_many() -> None:
    """Train or resume the members that --seeds and --sweep ask for, and print their lines."""
    name = asked_experiment()
    for flag in (DEVICES, EXPLAIN):
        if flag.value != flag.default:
            raise UserError(f"--{flag.name} is for a single run, not for --seeds or --sweep")
    settings = (STEPS.value, CHECKPOINT_SECONDS.value, TUNE.value, WRITE_TO.value)
    asked = many.Asked(name, SET.value, DATA.value, data_dir(), *settings)
    many.write(asked, Path(WORKDIR.value or f"runs/{name}_many"), runtime_settings)


def existing_run() -> Workdir:
    """The workdir of a run that the flags point to and do not contradict."""
    if WORKDIR.value is None and EXPERIMENT.value is None:
        raise UserError(f"--mode={MODE.value} needs --workdir=DIR, or --experiment=NAME for runs/NAME")
    if EXPERIMENT.value is not None and WORKDIR.value is None:
        experiments.find(EXPERIMENT.value)
    workdir = Workdir(Path(WORKDIR.value or f"runs/{EXPERIMENT.value}"))
    workdir.run()
    if TRUST.value:
        experiments.trust_copy(workdir.path)
    given: dict[str, Any] = {}
    if EXPERIMENT.value is not None:
        given["experiment"] = EXPERIMENT.value
    if flags.FLAGS["data"].present:
        given["data"] = DATA.value
    workdir.check(given)
    return workdir


def read_input(name: str) -> io.TextIOWrapper:
    """The content of a file, or of stdin for `-`: to be read as text, or (`.buffer`) as a table in bytes.

    A byte order mark before a text, as Windows writes it, is no part of its first word.

    Raises:
      UserError: there is no such file.
    """
    try:
        data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise UserError(f"--input={name} cannot be read: {error.strerror}") from error
    return io.TextIOWrapper(io.BytesIO(data), encoding="utf-8-sig", newline="\n")


def data_dir() -> Path:
    """The flag's folder, or the default."""
    return folders.data_dir(DATA_DIR.value)


def runtime_settings() -> dict[str, str]:
    """Quiet the libraries, keep compiled programs and, unless --notune, tune; to be called before JAX is imported."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if not flags.FLAGS["verbosity"].present:  # orbax logs a hundred lines a run
        logging.set_verbosity(logging.WARNING)
    if THREADS.value is not None:
        check_least("threads", THREADS.value, 1)
    return settle(THREADS.value, TUNE.value)


def run() -> None:
    """Entry point: parse the flags, call main, and turn errors that the user can mend into one line and exit code 2."""
    if {"-h", "-help", "--help"} & set(sys.argv[1:]):  # absl's own shows no flags to a console script, and exits with 1
        ours = ("experiment", "seeds", "prompt", "state", "backtest", "coordinator")
        modules = {flags.FLAGS.find_module_defining_flag(name): None for name in ours}
        print("\n".join([__doc__ or "", *map(flags.FLAGS.module_help, modules)]))
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
    with failing(), contextlib.ExitStack() as stack:
        if remote.is_remote(WORKDIR.value):
            flags.FLAGS["workdir"].value = str(stack.enter_context(store_copy(str(WORKDIR.value))))
        main(arguments)
        sys.stdout.flush()


def store_copy(name: str) -> contextlib.AbstractContextManager[Path]:
    """The folder here that stands for one in a store. Raises UserError: several processes or workers would share it."""
    several = (cluster.COUNT.value or 1) > 1 or flags.FLAGS["members"].value == "shared"
    several = several or (cluster.DISTRIBUTED.value != "off" and MODE.value == "train" and cluster.found(os.environ))
    if several:
        raise UserError(
            f"--workdir={name}: several processes need one folder that all see: mount the store (gcsfuse, "
            "mountpoint-s3) and give the path"
        )
    return remote.working_copy(name, trains=MODE.value == "train", seconds=CHECKPOINT_SECONDS.value)


if __name__ == "__main__":
    run()
