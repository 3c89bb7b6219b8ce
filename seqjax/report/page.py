"""index.html: one page with everything in it, to be read without a network."""

import base64
import html
from collections.abc import Sequence

from seqjax.report import table as tables
from seqjax.report.plots import Figure
from seqjax.report.table import Findings, Row
from seqjax.report.verdicts import HELD, NOT_HELD, NOT_RUN, UNDECIDED, Verdict

STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #1c1c1c; background: #fff; }
body { max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1, h2 { line-height: 1.2; } h2 { margin-top: 2.5rem; border-bottom: 1px solid #ddd; padding-bottom: .2rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem; }
th { border-bottom: 2px solid #999; white-space: nowrap; }
tr.first td { border-top: 1px solid #ddd; }
table.facts th { white-space: normal; vertical-align: bottom; }
td.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
td.name { font-family: ui-monospace, monospace; }
.verdict { white-space: nowrap; font-weight: 600; padding: .1rem .5rem; border-radius: .3rem; }
.held { background: #d7f0dd; color: #10502a; } .not-held { background: #fbdcd9; color: #7c1d14; }
.undecided { background: #fdf0cf; color: #5f4600; } .not-run { background: #eee; color: #555; }
.evidence, figcaption { color: #555; font-size: .85rem; }
figure { margin: 1.5rem 0; } figure img { width: 100%; height: auto; } figcaption { margin-top: .2rem; }
h3 { margin-bottom: 0; }
"""
CLASSES = {HELD: "held", NOT_HELD: "not-held", UNDECIDED: "undecided", NOT_RUN: "not-run"}


def page(found: Findings, figures: Sequence[Figure], others: Sequence[str] = ()) -> str:
    """index.html, with links to the `others` beside it, NAME.html each."""
    keras = [said for row in found.rows if (said := tables.beside_keras(row))]
    links = "".join(f'<p><a href="{name}.html">{_text(name.capitalize())}</a></p>' for name in others)
    parts = [
        links,
        _summary(found.rows, found.verdicts),
        _table(found.rows),
        section("Beside Keras", _items(keras)) if keras else "",
        section("The lecture's claims", _claims(found.verdicts)),
        *(section(title, facts(texts)) for title, texts in found.comparisons),
        section("Unfinished runs", _items([tables.progress(row) for row in found.waiting])) if found.waiting else "",
        section("Pictures", "\n".join(map(figure, figures))) if figures else "",
        section("Notes", _items(found.notes)) if found.notes else "",
    ]
    return whole("Results", parts)


def whole(title: str, parts: Sequence[str]) -> str:
    """A page of its own, with everything in it."""
    head = [
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>seqjax: {_text(title.lower())}</title>\n<style>{STYLE}</style>\n</head>\n<body>",
        f"<h1>{_text(title)}</h1>",
    ]
    return "\n".join(part for part in (*head, *parts, "</body>\n</html>\n") if part)


def _summary(table: Sequence[Row], verdicts: Sequence[Verdict]) -> str:
    runs = sum(len(row["seeds"]) for row in table)
    counts = [(kind, sum(v.verdict == kind for v in verdicts)) for kind in CLASSES]
    said = ", ".join(f"{count} {kind}" for kind, count in counts if count)
    devices = ", ".join(sorted({device for row in table for device in row["devices"]})) or "no device"
    return f"<p>{runs} finished runs in {len(table)} rows, on {_text(devices)}. Claims of the lecture: {said}.</p>"


def _text(words: object) -> str:
    return html.escape(str(words))


def section(title: str, body: str) -> str:
    """A heading and what is below it, HTML."""
    return f"<h2>{_text(title)}</h2>\n{body}"


def _items(texts: Sequence[str]) -> str:
    return "<ul>\n" + "\n".join(f"<li>{_text(text)}</li>" for text in texts) + "\n</ul>"


def _table(table: Sequence[Row]) -> str:
    lines = []
    for row in table:
        for k, texts in enumerate(tables.cells(row)):
            kinds = ["name", "", *["number"] * (len(tables.HEADER) - 2)]
            body = "".join(f'<td class="{kind}">{_text(t)}</td>' for kind, t in zip(kinds, texts, strict=True))
            lines.append(f'<tr class="{"" if k else "first"}">{body}</tr>')
    head = "".join(f"<th>{_text(title)}</th>" for title in tables.HEADER)
    return _wide(head, lines)


def _claims(verdicts: Sequence[Verdict]) -> str:
    lines = []
    for v in verdicts:
        quote = f"{_text(v.claim.quote)}<br><span class='evidence'>{_text(v.claim.meaning)}</span>"
        verdict = f'<span class="verdict {CLASSES[v.verdict]}">{v.verdict}</span>'
        evidence = f'<td class="evidence">{_text(v.evidence)}</td>'
        lines.append(f'<tr class="first"><td>{quote}</td><td>{verdict}</td>{evidence}</tr>')
    return _wide("<th>The lecture says</th><th>Verdict</th><th>Evidence</th>", lines)


def facts(texts: Sequence[Sequence[str]]) -> str:
    """A table of texts, its head first."""
    head = "".join(f"<th>{_text(text)}</th>" for text in texts[0])
    lines = ["".join(f"<td>{_text(text)}</td>" for text in line) for line in texts[1:]]
    return _wide(head, [f'<tr class="first">{line}</tr>' for line in lines], "facts")


def _wide(head: str, lines: Sequence[str], kind: str = "") -> str:
    body = "\n".join(lines)
    rows = f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>"
    return f'<div class="wide"><table class="{kind}">\n{rows}\n</table></div>'


def figure(found: Figure) -> str:
    """A picture, the page's own, with its title and sentence."""
    data = base64.b64encode(found.svg.encode()).decode()
    picture = f'<img alt="{_text(found.title)}" src="data:image/svg+xml;base64,{data}">'
    return f"<h3>{_text(found.title)}</h3>\n<figure>{picture}<figcaption>{_text(found.caption)}</figcaption></figure>"
