"""A function's own source, for the page: where it stands, and its text with words and comments marked."""

import html
import inspect
import io
import keyword
import textwrap
import tokenize
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SHORT = 30
"""Lines: a listing that is longer begins closed."""


def name_of(thing: Any) -> str:
    """`seqjax.lecture.backpropagation.terms`."""
    return f"{thing.__module__}.{thing.__qualname__}"


def place_of(thing: Any) -> str:
    """`seqjax/lecture/backpropagation.py, line 67`."""
    thing = inspect.unwrap(thing)
    path = Path(inspect.getsourcefile(thing) or "")
    shown = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path.name
    return f"{shown}, line {inspect.getsourcelines(thing)[1]}"


def listing(thing: Any) -> str:
    """HTML that opens and closes."""
    source = textwrap.dedent(inspect.getsource(inspect.unwrap(thing))).rstrip()
    opened = " open" if source.count("\n") < SHORT else ""
    head = f"<summary><code>{name_of(thing)}</code> <span class=faint>{place_of(thing)}</span></summary>"
    return f"<details class=source{opened}>{head}\n<pre><code>{marked(source)}</code></pre></details>"


def marked(source: str) -> str:
    """Python as HTML: keywords, strings and comments in elements of their own."""
    lines, found, end = source.splitlines(keepends=True), [], (1, 0)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        kind = _kind(token)
        if kind:
            text = html.escape(token.string, quote=False)
            found += [html.escape(_between(lines, end, token.start), quote=False), f"<i class={kind}>{text}</i>"]
            end = token.end
    return "".join([*found, html.escape(_between(lines, end, (len(lines), len(lines[-1]))), quote=False)])


def _kind(token: tokenize.TokenInfo) -> str:
    if token.type == tokenize.NAME and keyword.iskeyword(token.string):
        return "word"
    return {tokenize.COMMENT: "note", tokenize.STRING: "text"}.get(token.type, "")


def _between(lines: list[str], start: tuple[int, int], end: tuple[int, int]) -> str:
    """What stands from one place (line from 1, column) to another."""
    if start[0] == end[0]:
        return lines[start[0] - 1][start[1] : end[1]]
    middle = lines[start[0] : end[0] - 1]
    return "".join([lines[start[0] - 1][start[1] :], *middle, lines[end[0] - 1][: end[1]]])
