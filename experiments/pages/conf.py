"""Sphinx's settings for the pages; `launch/docs.sh` builds them.

Docstrings are plain text with `code` in single backticks and Google's sections (Args, Returns, Raises).
"""

import re
import sys
from pathlib import Path
from typing import Any

import seqjax

sys.path.insert(0, str(Path(__file__).parent))

project = "seqjax"
author = "the seqjax authors"
copyright = "the seqjax authors; Apache-2.0"
version = release = seqjax.__version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode", "kept", "reference"]
source_suffix = {".md": "myst-nb", ".ipynb": "myst-nb"}

html_theme = "furo"
html_title = "seqjax"
html_show_sourcelink = False
html_static_path = ["style"]
html_css_files = ["pages.css"]

myst_enable_extensions = ["colon_fence", "attrs_inline"]
myst_heading_anchors = 3
nb_execution_mode = "off"
"""Notebooks are executed by launch/docs.sh, which keeps their outputs."""

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
suppress_warnings = ["ref.python"]  # names of attributes in types, of which there are several
linkcheck_timeout = 10
linkcheck_anchors = False


def as_restructured_text(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """A docstring's `code` in double backticks; stars and bars, which are arithmetic, escaped; code blocks marked."""
    del app, what, name, thing, options
    found: list[str] = []
    for line in lines:
        if line.startswith("    ") and len(found) > 1 and not found[-1] and not found[-2].startswith("    "):
            found += ["::", ""]
        bullet, text = re.fullmatch(r"( *\* )?(.*)", line).groups("")  # type: ignore[union-attr]
        literal = line.startswith(("    ", ">>>"))
        parts = [text] if literal else re.split(r"(`[^`]+`)", text)
        escaped = [re.sub(r"([*|\\])|(?<=\w)(_)(?=\W|$)", r"\\\1\2", part) for part in parts]
        found.append(
            line if literal else bullet + "".join(f"`{p}`" if k % 2 else escaped[k] for k, p in enumerate(parts))
        )
    lines[:] = found


def without_linens_own(app: Any, what: str, name: str, thing: Any, options: Any, arguments: str, returns: str) -> Any:
    """A signature without the two arguments that every Linen module has."""
    del app, what, name, thing, options
    if arguments and ", parent: ~flax" in arguments:
        arguments = arguments.partition(", parent: ~flax")[0] + ")"
    return arguments, returns


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.connect("autodoc-process-signature", without_linens_own)
    app.connect("autodoc-process-docstring", as_restructured_text, priority=400)
