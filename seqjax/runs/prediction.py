"""What --mode=predict does: a line for every example of the user's, from a finished or unfinished run alone."""

import dataclasses
import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from absl import logging

from seqjax import experiment as experiments
from seqjax.errors import UserError
from seqjax.experiment import Experiment
from seqjax.files import check_writable
from seqjax.training.workdir import Workdir

if TYPE_CHECKING:
    from seqjax.data.dataset import Requests


def predict(
    workdir: Workdir, text: TextIO, name: str, options: Mapping[str, Any] | None = None, attention: Path | None = None
) -> Iterator[str]:
    """A line for every example in `text` (called `name` in messages), from the run's workdir alone.

    Args:
      workdir: of the run.
      text: the examples.
      name: of the text.
      options: fields of the experiment's answer, to be set anew: `{"beam": 5}`.
      attention: draw there to which words of the source a translator looked, of the first examples.

    Raises:
      UserError: no run or no checkpoint there, malformed examples, or an option that the run's answer does not have.
    """
    if attention is not None:
        check_writable(attention, "--attention")
        options = {**(options or {}), "attention": True}
    requests, outputs = answers(workdir, text, name, options)
    if requests.header:
        yield requests.header
    found = enumerate(outputs)
    if attention is not None and requests.alignment is not None:
        from seqjax.runs import alignments

        first = list(itertools.islice(found, alignments.MOST))
        alignments.draw([requests.alignment(position, output) for position, output in first], attention)
        found = itertools.chain(first, found)
    for position, output in found:
        yield requests.line(position, output)


def answers(
    workdir: Workdir, text: TextIO, name: str, options: Mapping[str, Any] | None = None
) -> tuple["Requests", Iterator[Any]]:
    """-> (the examples, the answer to each in order: a tree of NumPy arrays); arguments and errors as of `predict`."""
    config = workdir.run()
    experiment = experiments.of_run(workdir.path, config)
    experiment = as_decided(answering(experiment, options or {}, config["experiment"]), workdir)
    requests = experiment.source.requests(workdir.path, text, name)
    from seqjax.training.best import predictions

    return requests, predictions(experiment, requests, workdir)


def answering(experiment: Experiment, options: Mapping[str, Any], name: str) -> Experiment:
    """The experiment `name` with other options of its answer, which are the fields of a dataclass.

    Raises:
      UserError: its answer has no such option, or refuses the value.
    """
    answer = experiment.answer
    able = {field.name for field in dataclasses.fields(answer)} if dataclasses.is_dataclass(answer) else set()
    for option in options:
        if option not in able:
            raise UserError(f"--{option} is for runs that translate, and {name} does not")
    if not options:
        return experiment
    return dataclasses.replace(experiment, answer=dataclasses.replace(answer, **options))  # type: ignore[type-var]


def as_decided(experiment: Experiment, workdir: Workdir) -> Experiment:
    """The experiment with what its validation part has decided, where its answer has a field `decided` for it."""
    answer = experiment.answer
    if not dataclasses.is_dataclass(answer) or "decided" not in {field.name for field in dataclasses.fields(answer)}:
        return experiment
    details = (workdir.results() or {}).get("details", {}).get("validation", {})
    if "decided" not in details:
        logging.warning("%s is not finished: its intervals are not calibrated yet", workdir.path)
        return experiment
    return dataclasses.replace(experiment, answer=dataclasses.replace(answer, decided=details["decided"]))  # type: ignore[type-var]
