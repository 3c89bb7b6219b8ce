"""Gates at work: what a trained LSTM lets in, keeps and gives out, and for how long it remembers.

    c_t = f_t * c_(t-1) + i_t * g_t        the conveyor belt: with f = 1 and i = 0 the memory passes unchanged
    h_t = o_t * tanh(c_t)

`read` takes any model and input, `sentence` and `week` a run's folder and what it was trained on: `imdb_bilstm` or a
relative, `jena_lstm` or one. All numbers are float64, of the cell's own equations (`seqjax.probes`).

Legend: B examples, T time, D features, U units.
"""

import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import numpy as np

from seqjax.errors import UserError
from seqjax.probes import view

if TYPE_CHECKING:
    from seqjax.training.program import Program
    from seqjax.training.workdir import Workdir


class Reading(NamedTuple):
    """One example, read by one direction of one layer; steps in the order of time, whatever the direction."""

    path: str
    title: str
    reverse: bool
    traces: dict[str, np.ndarray]
    """i, f, o, g, c, h of an LSTM, [T, U] each; other cells have other gates. Real steps alone."""


def read(model: Any, params: Any, inputs: Any) -> list[list[Reading]]:
    """What every layer did at every step, for each example.

    Args:
      model: a Linen module (inputs) -> outputs.
      params: of it.
      inputs: a tree of [B, ...].

    Raises:
      UserError: it has no recurrent layer.
    """
    recurrences, heard, _ = view.heard(model, params, inputs)
    found: list[list[Reading]] = [[] for _ in jax.tree.leaves(inputs)[0]]
    for path, recurrence in recurrences.items():
        one = heard[path]
        traces = view.traces(recurrence, one) | recurrence.named(one.states)
        turn = slice(None, None, -1 if recurrence.reverse else 1)
        for b, readings in enumerate(found):
            own = {name: values[b][one.valid[b]][turn] for name, values in traces.items()}
            readings.append(Reading(path, recurrence.title, recurrence.reverse, own))
    return found


def half_lives(forget: np.ndarray | Sequence[np.ndarray]) -> np.ndarray:
    """After how many steps half of a memory is left, by unit: ln(1/2) / mean ln f [U].

    Args:
      forget: f [T, U], or those of several examples; the mean is over all their steps.

    Returns:
      [U]; infinite where f is always 1, and 0 where it is ever 0.
    """
    steps = np.concatenate([np.atleast_2d(one) for one in forget]) if isinstance(forget, Sequence) else forget
    with np.errstate(divide="ignore"):
        rate = np.log(steps).mean(axis=0)
        return math.log(0.5) / np.where(rate == 0, -0.0, rate)


def week(workdir: "Workdir", data_dir: Path, start: str = "2016-07-04", hours: int = 168) -> dict[str, Any]:
    """A week of weather, read by a run on the Jena climate.

    Args:
      workdir: of the run.
      data_dir: where the data are.
      start: its first day; the step is the run's own.
      hours: its length.

    Returns:
      `times` [T] as text, `temperature` [T] in degrees, `hours` a step takes, `readings`.

    Raises:
      UserError: another kind of run, or a start that is not in the data.
    """
    from seqjax.data.series.jena import TEMPERATURE, Windows

    params, program = _opened(workdir, data_dir)
    source = program.experiment.source
    if not isinstance(source, Windows):
        raise UserError(f"{workdir.path} is no run on windows of the Jena climate")
    table, name, _ = source.table(workdir.run()["data"], data_dir)
    step = float((table.times[1] - table.times[0]) / np.timedelta64(1, "s"))
    rate = source.span(step, name).sampling_rate
    first = int(np.searchsorted(table.times, np.datetime64(start)))
    places = first + rate * np.arange(int(hours * 3600 / step / rate))
    if places[-1] >= len(table.times):
        raise UserError(f"{name} has no {hours} hours from {start} on: it ends at {table.times[-1]}")
    inputs = program.dataset.arrays["series"][places][None]
    return {
        "times": [str(time)[:16] for time in table.times[places]],
        "temperature": table.values[places, TEMPERATURE],
        "hours": step * rate / 3600,
        "readings": read(program.experiment.model, params, inputs)[0],
    }


def sentence(workdir: "Workdir", data_dir: Path, text: str | int, most: int = 30) -> dict[str, Any]:
    """A text, or the review of an id, read by a run on reviews of whole words; its first `most` words.

    Returns:
      `words` [T] as the run knows them ("" unknown), `logit`, `readings`.

    Raises:
      UserError: another kind of run, a run that reads one-hot vectors of windows, or an id that is none.
    """
    from seqjax.data.text.imdb import Reviews
    from seqjax.data.text.vectorizer import Vectorizer

    params, program = _opened(workdir, data_dir)
    experiment, dataset = program.experiment, program.dataset
    if not isinstance(experiment.source, Reviews) or experiment.source.encoding != "int":
        raise UserError(f"{workdir.path} is no run on the words of reviews in their order")
    if isinstance(text, int):
        count = 1 + max(int(ids.max()) for ids in dataset.parts.values())
        if not 0 <= text < count:
            raise UserError(f"there is no review {text}: they are numbered from 0 to {count - 1}")
        tokens = dataset.gather(dataset.arrays, np.array([text]))[0]
    else:
        asked = experiment.source.requests(workdir.path, io.StringIO(text), "the sentence")
        tokens = asked.gather(asked.arrays, asked.ids[:1])
    tokens = np.asarray(tokens)
    tokens = tokens[:, : max(1, min(most, int((tokens != 0).sum())))]
    logit = experiment.model.apply({"params": params}, tokens)
    words = Vectorizer.load(workdir.path).decode(tokens[0])
    readings = read(experiment.model, params, tokens)[0]
    return {"words": words, "logit": float(jax.device_get(logit)[0]), "readings": readings}


def _opened(workdir: "Workdir", data_dir: Path) -> tuple[Any, "Program"]:
    from seqjax.runs import commands

    _, params, program = commands.opened(workdir, [], data_dir)
    return params, program


def lives(workdir: "Workdir", data_dir: Path, examples: int = 16, part: str = "validation") -> Mapping[str, np.ndarray]:
    """The half-lives in steps [U] of every LSTM of a run, by path, over examples evenly from a part."""
    params, program = _opened(workdir, data_dir)
    dataset = program.dataset
    ids = dataset.parts[part][np.linspace(0, len(dataset.parts[part]) - 1, examples).astype(int)]
    length = None if dataset.lengths is None else int(dataset.lengths[ids].max())
    inputs, _ = dataset.cut(length)(dataset.arrays, ids)
    found = read(program.experiment.model, params, inputs)
    paths = [one.path for one in found[0] if "f" in one.traces]
    return {path: half_lives([one.traces["f"] for each in found for one in each if one.path == path]) for path in paths}
