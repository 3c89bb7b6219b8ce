"""The pages of the reference: one a public module, made from its docstrings when the pages are built."""

import importlib
from pathlib import Path
from typing import Any

PUBLIC = {
    "Runs": ("seqjax", "seqjax.interface", "seqjax.experiment", "seqjax.runs.commands", "seqjax.errors"),
    "Layers": ("seqjax.layers", "seqjax.layers.initializers", "seqjax.layers.vocabulary", "seqjax.layers.pooling"),
    "Models": (
        "seqjax.models.forecasters",
        "seqjax.models.panel_forecasters",
        "seqjax.models.classifiers",
        "seqjax.models.series_classifier",
        "seqjax.models.taggers",
        "seqjax.models.language",
        "seqjax.models.translation",
        "seqjax.models.hotwords",
        "seqjax.models.remedies",
    ),
    "Training": ("seqjax.training.metrics", "seqjax.training.optimizers", "seqjax.training.classification"),
    "Data": (
        "seqjax.data.dataset",
        "seqjax.data.text.vectorizer",
        "seqjax.data.series.jena",
        "seqjax.data.memory.adding",
        "seqjax.data.memory.copying",
    ),
    "Decoding": ("seqjax.decoding",),
    "Scores": ("seqjax.scoring.forecasts", "seqjax.scoring.conformal", "seqjax.scoring.nab", "seqjax.scoring.ranges"),
    "Weights of others": ("seqjax.interop",),
    "Mechanisms": ("seqjax.lecture.backpropagation", "seqjax.lecture.conveyor_belt", "seqjax.probes.jacobians"),
}
"""Heading -> modules."""


def page(name: str) -> str:
    """A module's page. What a package offers by `__all__` is documented where it is offered."""
    offered = hasattr(importlib.import_module(name), "__all__")
    members = "\n   :imported-members:" if offered else ""
    return f"# {name}\n\n```{{eval-rst}}\n.. automodule:: {name}\n   :members:{members}\n```\n"


def write(folder: Path) -> None:
    """All of them, and their table of contents; a page whose text is the same is not touched."""
    contents = [
        "# Reference",
        "",
        "What other programs may rely on; all else is found in [what is where](../what_is_where.md).",
    ]
    files = {}
    for heading, names in PUBLIC.items():
        contents += ["", f"## {heading}", "", "```{toctree}", ":maxdepth: 1", "", *names, "```"]
        files |= {f"{name}.md": page(name) for name in names}
    files["index.md"] = "\n".join([*contents, ""])
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        path = folder / name
        if not path.exists() or path.read_text() != text:
            path.write_text(text)


def setup(app: Any) -> None:
    """Called by Sphinx, before it looks for pages."""
    write(Path(app.srcdir) / "reference")
