"""An experiment is a value; a row of the results table is a file that makes one.

`experiments/NAME.py` holds a docstring, whose first line `--list` shows, and one function

    def experiment(*, units: int = 16, learning_rate: float = 1e-3, ..., seed: int = 0) -> Experiment

whose keyword-only arguments are the knobs of `--set=knob=value`. Nothing is registered: a name is found by path, in
the `experiments/` of the current directory, then of the checkout, then of the installed package. This module is
standard library only, so that `--help` and `--list` answer at once.
"""

import ast
import dataclasses
import difflib
import inspect
import math
import os
import runpy
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from seqjax import trust
from seqjax.errors import UserError, check_least

Knob = bool | int | float | str | None
RANGES = {"learning_rate": (0, math.inf), "dropout": (0, 1), "recurrent_dropout": (0, 1), "layers": (1, math.inf)}
"""Knobs that mean the same in every experiment: from the first number on, and below the second."""
FILE_KNOBS = ("vectors", "file", "test_file", "labels")
"""Knobs that name a file. What is in it belongs to a run, as part of the data's fingerprint; where it lies does not."""
FOLDS = ("speaker",)
"""Knobs whose every value keeps another part of the data for the test (`none`: nothing); a sweep of them has a mean."""


@dataclasses.dataclass(frozen=True)
class Experiment:
    """All that defines a result: real objects, no configuration of them."""

    source: Any
    """Where the examples come from: a `seqjax.data.dataset.Source`."""
    model: Any
    """A Linen module: (inputs, train=) -> outputs, trees of [B, ...]. What it keeps in its collection "carry" is handed
    on from batch to batch; it is called without one too, and then begins anew."""
    loss: Callable[[Any, Any], Any]
    """(outputs, targets), trees of [B, ...] -> [B], or sums [B] and counts [B] whose quotient is the mean (over
    tokens, say): minimised, and it picks the best epoch on the validation part."""
    metrics: Mapping[str, Callable[[Any, Any], Any]]
    """Name -> function of the same form as `loss`; the first is the one that people quote, unless there are scores."""
    optimizer: Any
    """An `optax.GradientTransformation`."""
    epochs: int
    batch_size: int
    seed: int
    """Of the initial values, the order of the examples and the dropout masks."""
    lecture: Mapping[str, Mapping[str, float]] = dataclasses.field(default_factory=dict)
    """What the lecture prints, such as {"test": {"mae": 2.53}}. Write it as a literal: `--list` reads it unrun."""
    answer: Callable[[Any, Any, Any], Any] | None = None
    """(model, params, inputs) -> tree of [B, ...]: what predict prints and `scores` judge, where that is not the
    model's own output (a sentence found by a search, say). Pure; None: the model's output."""
    scores: Mapping[str, Callable[..., Any]] = dataclasses.field(default_factory=dict)
    """Name -> function of all answers of a part (`seqjax.data.dataset.Answers`), for what is no mean over examples: F1,
    BLEU. Computed for the best epoch. A number stands before the metrics; anything else (a table) under `details`."""
    decide: Callable[[Any], Mapping[str, Any]] | None = None
    """All answers of the validation part -> what is chosen by them, such as a threshold: the scores of both parts take
    it as a second argument, and it is kept as `decided` among the validation's `details`."""
    enough: float | None = None
    """Training ends after the first epoch whose validation loss is at most this, if any is; None: after all epochs."""
    patience: int | None = None
    """Training ends after so many epochs on end without a lower validation loss; None: after all epochs."""

    def __post_init__(self):
        for knob, least in (("epochs", 0), ("batch_size", 1), ("seed", 0)):
            check_least(knob, getattr(self, knob), least)


@dataclasses.dataclass(frozen=True)
class Listing:
    """What can be said of an experiment file without running it."""

    name: str
    description: str
    lecture: Mapping[str, Mapping[str, float]]


def folders() -> list[Path]:
    """The folders that are searched, in order: current directory, checkout, installed package."""
    package = Path(__file__).resolve().parent
    candidates = [Path.cwd() / "experiments", package.parent / "experiments", package / "experiments"]
    return list(dict.fromkeys(folder.resolve() for folder in candidates if folder.is_dir()))


def names() -> list[str]:
    """The names of all the experiments, sorted."""
    files = (file for folder in folders() for file in folder.glob("*.py"))
    return sorted({file.stem for file in files if file.stem.isidentifier() and not file.stem.startswith("_")})


def find(name: str) -> Path:
    """The file that defines experiment `name`.

    Raises:
      UserError: no such experiment, or not a bare name.
    """
    if name in names():
        return next(folder / f"{name}.py" for folder in folders() if os.path.lexists(folder / f"{name}.py"))
    raise UserError(f"there is no experiment {name!r}{_choices(name, names())}")


def listing(name: str) -> Listing:
    """Description and lecture's number of experiment `name`, read from its source; of one that is damaged, what is."""
    try:
        tree = ast.parse(source(find(name)))
    except SyntaxError as error:
        return Listing(name, f"(cannot be read: {error.msg}, line {error.lineno})", {})
    except (UserError, ValueError, RecursionError, MemoryError) as error:  # as ast says of a NUL, and of deep nesting
        return Listing(name, f"(cannot be read: {' '.join(str(error).split()) or type(error).__name__})", {})
    lecture: Mapping[str, Mapping[str, float]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "lecture":
            try:
                lecture = ast.literal_eval(node.value)
            except (ValueError, TypeError, RecursionError):
                continue  # computed rather than written out: shown as no number
    return Listing(name, (ast.get_docstring(tree) or "").partition("\n")[0], lecture)


def load(path: Path) -> Callable[..., Experiment]:
    """Run an experiment file and return its `experiment` function.

    Raises:
      UserError: there is no such file, it does not run, or it defines no such function.
    """
    source(path)
    try:
        function = runpy.run_path(str(path)).get("experiment")
    except (Exception, SystemExit) as error:  # whatever a user's own file does when it is run
        reason = " ".join(str(error).split())[:300]
        raise UserError(f"{path} does not run: {type(error).__name__}: {reason}") from error
    if not callable(function):
        raise UserError(f"{path} defines no function experiment(*, ...) -> Experiment")
    return typing.cast(Callable[..., Experiment], function)


def load_copy(path: Path) -> Callable[..., Experiment]:
    """As `load`, of a file that may be a run folder's. Raises UserError: as that; or it is a stranger's."""
    text, installed = source(path), folders()
    if path.resolve().parent not in installed:
        trust.check(path, text, (file for folder in installed for file in sorted(folder.glob("*.py"))))
    return load(path)


def trust_copy(folder: Path) -> None:
    """Let the experiment.py of a run's folder be run from now on. Raises UserError: that cannot be remembered."""
    if not trust.remember(source(folder / "experiment.py")):
        raise UserError("--trust: there is no cache folder that can be written to remember it; set XDG_CACHE_HOME")


def of_run(folder: Path, config: Mapping[str, Any]) -> Experiment:
    """The experiment of a run's folder, its knobs those of config.json. Raises UserError: as `load_copy`, `build`."""
    return build(load_copy(folder / "experiment.py"), knobs(config))


def source(path: Path) -> str:
    """The text of an experiment file.

    Raises:
      UserError: there is none, or it is not UTF-8.
    """
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError as error:
        raise UserError(f"there is no file {path}") from error
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        said = f"byte 0x{error.object[error.start]:02x} in line {line} is not UTF-8"
        raise UserError(f"{path} does not run: {said}") from error


def build(function: Callable[..., Experiment], knobs: Mapping[str, Any]) -> Experiment:
    """The experiment of some knobs.

    Raises:
      UserError: the function does not take them, refuses a value, or returns something else.
    """
    try:
        made = function(**knobs)
    except UserError:
        raise
    except Exception as error:  # whatever a user's own file, or a value from a damaged config.json, makes of itself
        reason = " ".join(str(error).split())[:300]
        raise UserError(f"the experiment cannot be built with these knobs: {type(error).__name__}: {reason}") from error
    if not isinstance(made, Experiment):
        raise UserError(f"experiment(...) returns a {type(made).__name__}, not an Experiment")
    return made


def knobs(config: Mapping[str, Any]) -> dict[str, Any]:
    """The knobs of a run's config.json: its options, and of those that are None (open) what the data `told`."""
    told = {knob: value for knob, value in config.get("told", {}).items() if config["options"].get(knob, 0) is None}
    return {**config["options"], **told}


def options(function: Callable[..., Experiment], settings: Iterable[str]) -> dict[str, Knob]:
    """All knobs of an experiment: the defaults, overridden by settings of the form `knob=value`.

    Values are read by the knob's annotation: `int`, `float`, `bool` (true or false), `str`, `Literal[...]`, and any
    of them `| None` (the word none).

    Raises:
      UserError: not of that form, an unknown knob, or a value of the wrong type or outside its `RANGES`.
    """
    parameters = inspect.signature(function).parameters
    hints = typing.get_type_hints(function)
    values: dict[str, Knob] = {name: parameter.default for name, parameter in parameters.items()}
    for setting in settings:
        knob, equals, text = setting.partition("=")
        if not equals:
            raise UserError(f"--set={setting} is not of the form --set=knob=value")
        if knob not in values:
            raise UserError(f"there is no knob {knob!r}{_choices(knob, list(values))}")
        values[knob] = value = _parse(knob, text, hints[knob])
        if knob in RANGES and isinstance(value, int | float):
            least, bound = RANGES[knob]
            if not least <= value < bound:
                raise UserError(f"{knob}={text} is not in [{least}, {bound})")
    return values


def _parse(knob: str, text: str, hint: Any) -> Knob:
    origin = typing.get_origin(hint)
    kinds = typing.get_args(hint) if origin in (typing.Union, types.UnionType) else (hint,)
    if types.NoneType in kinds and text.lower() == "none":
        return None
    for kind in kinds:
        if kind is bool and text.lower() in ("true", "false"):
            return text.lower() == "true"
        if typing.get_origin(kind) is typing.Literal and text in typing.get_args(kind):
            return text
        if kind is str:
            return text
        if kind in (int, float):
            try:
                value = kind(text)
            except ValueError:
                continue
            if isinstance(value, float) and not math.isfinite(value) and knob not in RANGES:  # those say more
                raise UserError(f"knob {knob!r} takes a finite number, not {text!r}")
            return value
    raise UserError(f"knob {knob!r} takes {' or '.join(map(_kind, kinds))}, not {text!r}")


def _kind(kind: Any) -> str:
    if typing.get_origin(kind) is typing.Literal:
        return "one of " + ", ".join(map(str, typing.get_args(kind)))
    words = {int: "an integer", float: "a number", bool: "true or false", str: "text", types.NoneType: "none"}
    return words[kind]


def _choices(wrong: str, choices: list[str]) -> str:
    near = difflib.get_close_matches(wrong, choices, n=1)
    return (f"; did you mean {near[0]!r}?" if near else ";") + f" choices: {', '.join(choices) or 'none'}"
