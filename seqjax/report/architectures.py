"""The page "architectures": those that the lecture draws, each from a model of ours, with its row and its figures."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seqjax import experiment as experiments
from seqjax.report import anatomy, page, table, unrolled
from seqjax.report.anatomy import Part
from seqjax.report.plots import Figure

ARCHITECTURES = (
    ("One to one", "jena_dense", {}, "Time is no axis of it: a step more would be more features."),
    ("One to many", "digit_words", {}, "The image is the first state; each step is fed the letter before."),
    ("Many to one", "jena_lstm", {}, "The last state is all that the last layer sees."),
    ("Many to one, in both directions", "imdb_bilstm_masked", {}, "The last states are those after step T and step 1."),
    ("Many to many, aligned", "atis_bilstm", {}, "An answer at every step, by the steps before and behind it."),
    (
        "Encoder-decoder",
        "multi30k_gru",
        {"attention": "none"},
        "The state after the source is the one before the target.",
    ),
    ("Encoder-decoder with attention", "multi30k_gru", {}, "Each step of the target looks at all of the source."),
    ("Pictures in time", "moving_digits", {}, "The state is a picture too; a step looks at its neighbourhood."),
)
"""The lecture's and one more, an experiment of each and its knobs, and what is to be seen."""
LEGEND = (
    "Boxes are the layers of the models that run, found by tracing them, at the steps 1, 2, ..., T (of a source S); "
    "beside them their kind, their width and the shape of their output, B being the batch. Green is the state."
)


def page_of(rows: Sequence[table.Row], data_dir: Path) -> str:
    """The page; architectures whose experiment is not here are left out.

    Args:
      rows: of the report's table, for the figures.
      data_dir: where sources may keep their sample.
    """
    known = set(experiments.names())
    sections = [_section(*one, rows, data_dir) for one in ARCHITECTURES if one[1] in known]
    return page.whole("Architectures", [f"<p>{LEGEND}</p>", '<p><a href="index.html">Results</a></p>', *sections])


def parts_of(experiment: str, knobs: Mapping[str, Any], data_dir: Path) -> tuple[list[Part], list[Part]]:
    """The inputs and the layers of an experiment's model, with these knobs and the others as they stand."""
    made = experiments.load(experiments.find(experiment))(**knobs)
    has_example = hasattr(made.model, "example")
    inputs = made.model.example() if has_example else made.source.load("sample", data_dir).example()
    return anatomy.parts(made.model, inputs)


def _section(
    title: str, experiment: str, knobs: Mapping[str, Any], seen: str, rows: Sequence[table.Row], data_dir: Path
) -> str:
    given, found = parts_of(experiment, knobs, data_dir)
    said = seen if knobs else f"{seen} {experiments.listing(experiment).description}"  # of the knobs as they stand
    layers = [("layer", "kind", "its output", "parameters")]
    layers += [(part.path, part.title, part.shape, f"{part.parameters:,}") for part in found]
    own = [row for row in rows if row["experiment"] == experiment and knobs.items() <= row["options"].items()]
    lines = [line for row in own for line in table.cells(row)]
    head = ("run", "score", "ours (mean ± 95 %, N)", "without a model (ours as a share)")
    figures = page.facts([head, *((line[0], line[1], line[3], line[4]) for line in lines)])
    name = " ".join([experiment, *(f"{knob}={value}" for knob, value in knobs.items())])
    drawing = page.figure(Figure(name, said, unrolled.draw(given, found)))
    return page.section(title, "\n".join([drawing, page.facts(layers), figures if lines else "<p>No run at hand.</p>"]))
