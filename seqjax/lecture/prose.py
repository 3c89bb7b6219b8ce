"""The book's prose: plain text with a few marks, to HTML.

    paragraphs stand apart by an empty line; lines that begin with "- " are a list
    $formula$, `code`, *emphasis*, [words](address)

Numbers of results come in through f-strings: `typed_digits` finds those that were typed (a test walks all chapters).
"""

import html
import re

from seqjax.lecture.formula import mathml

MARKS = re.compile(r"\$([^$]+)\$|`([^`]+)`|\*([^*\n]+)\*|\[([^\]]+)\]\(([^)]+)\)")
APART = re.compile(r"\$[^$]+\$|`[^`]+`|\]\([^)]+\)")
"""In formulas, code and addresses a digit is a sign like any other."""


def to_html(text: str) -> str:
    """Paragraphs and lists."""
    blocks = [block.strip() for block in re.split(r"\n\s*\n", text) if block.strip()]
    return "\n".join(map(_block, blocks))


def _block(block: str) -> str:
    lines = [line.strip() for line in block.splitlines()]
    if all(line.startswith("- ") for line in lines):
        return "<ul>" + "".join(f"<li>{inline(line[2:])}</li>" for line in lines) + "</ul>"
    return f"<p>{inline(' '.join(lines))}</p>"


def inline(text: str) -> str:
    """One line's marks."""
    found, end = [], 0
    for match in MARKS.finditer(text):
        found += [html.escape(text[end : match.start()], quote=False), _marked(match)]
        end = match.end()
    return "".join([*found, html.escape(text[end:], quote=False)])


def _marked(match: re.Match[str]) -> str:
    formula, code, emphasis, words, address = match.groups()
    if formula:
        return mathml(formula)
    if code:
        return f"<code>{html.escape(code, quote=False)}</code>"
    if emphasis:
        return f"<em>{inline(emphasis)}</em>"
    return f'<a href="{html.escape(address)}">{inline(words)}</a>'


def plain(text: str) -> str:
    """Without the marks of code and emphasis, for where HTML has no place."""
    return re.sub(r"[`*$]", "", text)


def typed_digits(text: str) -> list[str]:
    """Words of a text with a digit in them, outside formulas and code."""
    return [word for word in APART.sub(" ", text).split() if any(letter.isdigit() for letter in word)]
