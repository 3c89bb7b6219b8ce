"""The page: one file with its style and its program in it, and the policy that lets a browser run just these."""

import base64
import hashlib
from importlib import resources

STYLES = ("style.css",)
PROGRAMS = ("drawing.js", "asking.js", "texts.js", "tables.js", "writing.js", "sounds.js", "start.js")
"""In this order; see the head of each."""


def page() -> tuple[str, str]:
    """-> (the page, HTML; what its Content-Security-Policy has to allow)."""
    style, program = ("\n".join(map(_read, names)) for names in (STYLES, PROGRAMS))
    text = _read("page.html").replace("STYLE", style, 1).replace("PROGRAM", program, 1)
    return text, f"style-src {_hash(style)}; script-src {_hash(program)}"


def _read(name: str) -> str:
    return (resources.files("seqjax.serve") / "web" / name).read_text("utf-8")


def _hash(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
