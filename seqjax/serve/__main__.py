"""The server's command line; the package's docstring says what it does."""

import importlib.util
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from absl import flags

import seqjax.serve
from seqjax.command_line import run_tool
from seqjax.errors import UserError

FLAGS = flags.FlagValues()  # our own: those of seqjax.main are others
WORKDIR = flags.DEFINE_multi_string("workdir", [], "The folder of a run; again for each other run.", flag_values=FLAGS)
HOST = flags.DEFINE_string(
    "host", "127.0.0.1", "The address to listen at; 0.0.0.0: all of this machine's.", flag_values=FLAGS
)
PORT = flags.DEFINE_integer("port", 8000, "The port; 0: any that is free.", 0, 65_535, flag_values=FLAGS)
ALLOW_HOST = flags.DEFINE_multi_string(
    "allow_host", [], "A name by which browsers may call this server.", flag_values=FLAGS
)
TRUST = flags.DEFINE_bool(
    "trust", False, "Run the experiment.py of run folders from elsewhere: read it first.", flag_values=FLAGS
)
MAX_BODY = flags.DEFINE_integer("max_body", 4 << 20, "Bytes of a request, at most.", flag_values=FLAGS)
MAX_ROWS = flags.DEFINE_integer("max_rows", 5_000, "Texts or lines of a request, at most.", flag_values=FLAGS)
MAX_CHARACTERS = flags.DEFINE_integer(
    "max_characters", 20_000, "Of a text; a tenth of it may be drawn.", flag_values=FLAGS
)
MAX_SECONDS = flags.DEFINE_float("max_seconds", 120.0, "Of a recording.", flag_values=FLAGS)
RATE = flags.DEFINE_float("rate", 2_000.0, "Requests a second of one address; 0: any.", flag_values=FLAGS)
CONCURRENT = flags.DEFINE_integer("concurrent", 256, "Requests that are being answered at once.", flag_values=FLAGS)
QUEUE = flags.DEFINE_integer("queue", 1_024, "Examples that wait for a model, at most.", flag_values=FLAGS)
BATCH = flags.DEFINE_integer("batch", 16, "Examples that a model answers in one call.", flag_values=FLAGS)
TIMEOUT = flags.DEFINE_float("timeout", 20.0, "Seconds in which a request must have come.", flag_values=FLAGS)
NEEDED = ("starlette", "uvicorn")


def main(arguments: Sequence[str]) -> None:
    """Bind, read the runs, answer.

    Raises:
      UserError: a wrong flag, a port that is taken, no run, a package that is missing.
    """
    if arguments:
        raise UserError(f"{arguments[0]!r} is not a flag; give --workdir=RUN")
    check_needed()
    paths = [Path(path) for path in WORKDIR.value]
    if not paths:
        raise UserError("give --workdir=RUN, the folder of a finished run; and again for each other run")
    from seqjax.serve.limits import Limits

    wanted: dict[str, Any] = {name: FLAGS[name].value for name in Limits.__dataclass_fields__}
    limits = Limits(**wanted)
    from seqjax.serve import connections

    with connections.bound(HOST.value, PORT.value) as listening:
        from seqjax.runs.programs import settle

        settle()  # before JAX is imported
        from seqjax.serve.app import application
        from seqjax.serve.model import Model

        models = {
            name: Model(path, name, limits.batch, TRUST.value) for path, name in zip(paths, names(paths), strict=True)
        }
        app = application(models, limits, [*ALLOW_HOST.value, HOST.value])
        print(f"seqjax: {connections.address_of(listening)} answers for {', '.join(models)}", flush=True)
        connections.serve(app, listening, limits.timeout)


def check_needed() -> None:
    """Raises UserError: what serves is not installed."""
    if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        raise UserError(f'not installed: {" and ".join(missing)}: pip install "seqjax[serve]"')


def names(paths: Sequence[Path]) -> list[str]:
    """What runs are called in addresses: by their folders, and of equal ones the later with a number behind."""
    found: list[str] = []
    for path in paths:
        name = re.sub(r"[^\w.-]+", "_", path.resolve().name).lstrip(".") or "run"
        number, made = 1, name
        while made in found:
            number += 1
            made = f"{name}-{number}"
        found.append(made)
    return found


def run() -> None:
    """Entry point."""
    run_tool(main, FLAGS, seqjax.serve.__doc__)


if __name__ == "__main__":
    run()
