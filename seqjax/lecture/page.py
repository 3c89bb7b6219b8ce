"""The book: one page of HTML with everything in it, for light and dark, for a phone and for a desk."""

import html
import itertools
from collections.abc import Iterator, Mapping, Sequence
from types import ModuleType

from seqjax.lecture import statements
from seqjax.lecture.formula import mathml
from seqjax.lecture.listing import listing, name_of
from seqjax.lecture.prose import inline, plain, to_html
from seqjax.lecture.section import KINDS, Exercise, Judged, Picture, Section
from seqjax.lecture.style import STYLE
from seqjax.report.verdicts import Verdict

Book = Mapping[str, tuple[ModuleType, Sequence[Section]]]
"""Of each chapter, by its name: its module and its sections."""
TITLE = "Deep sequence modelling: the lecture, executed"
CLAIMS = "The claims, judged"
INDEX = "Index: every line of the lecture"


def whole(book: Book, said: str, claims: Sequence[Verdict] = ()) -> str:
    """The page.

    Args:
      book: chapters in order.
      said: what it was made of, in the marks of `prose`.
      claims: the report's verdicts; none: no chapter on them.
    """
    parts = [
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{TITLE}</title>\n<style>{STYLE}</style>\n</head>\n<body>",
        _contents(book, bool(claims)),
        f"<main>\n<h1>{TITLE}</h1>\n{to_html(said)}",
        *(_chapter(name, module, sections) for name, (module, sections) in book.items()),
        _claims(claims) if claims else "",
        f'<section id="index">\n<h2>{INDEX}</h2>\n{_index(book)}</section>',
        "</main>\n</body>\n</html>\n",
    ]
    return "\n".join(part for part in parts if part)


def _contents(book: Book, claims: bool) -> str:
    lines = [f'<li><a href="#{name}">{html.escape(module.TITLE)}</a></li>' for name, (module, _) in book.items()]
    lines += [f'<li><a href="#claims">{CLAIMS}</a></li>'] if claims else []
    lines += [f'<li><a href="#index">{INDEX}</a></li>']
    return f"<nav><details open><summary>Contents</summary>\n<ol>{''.join(lines)}</ol></details></nav>"


def _chapter(name: str, module: ModuleType, sections: Sequence[Section]) -> str:
    parts = [f'<section id="{name}">\n<h2>{html.escape(module.TITLE)}</h2>']
    parts += [_section(name, number, own) for number, own in enumerate(sections, 1)]
    return "\n".join([*parts, *map(exercise, module.EXERCISES), "</section>"])


def _section(chapter: str, number: int, own: Section) -> str:
    quotes = "".join(f"<blockquote>{quote(key)}</blockquote>" for key in own.lines)
    parts = [f'<h3 id="{chapter}-{number}">{inline(own.title)}</h3>', quotes, to_html(own.prose)]
    parts += [f'<div class="formula">{mathml(own.formula, block=True)}</div>'] if own.formula else []
    parts += [table(own.table)] if own.table else []
    parts += [figure(own.picture, f"{chapter}-{number}-picture")] if own.picture else []
    parts += [listing(own.function)] if own.function else []
    return "\n".join([*parts, verdict(own.verdict)])


def quote(key: str) -> str:
    """The beginning of the lecture's words, HTML."""
    words = statements.words(key)
    return f"{mathml(words)} ..." if "\\" in words else html.escape(words)


def _claims(claims: Sequence[Verdict]) -> str:
    """All that the report judges."""
    kinds = sorted({v.verdict for v in claims})
    counts = ", ".join(f"{sum(v.verdict == kind for v in claims)} {kind}" for kind in kinds)
    lines = [
        "".join(f"<td>{cell}</td>" for cell in (html.escape(v.claim.quote), badge(v.verdict), html.escape(v.evidence)))
        for v in claims
    ]
    head = "<thead><tr><th>The lecture says</th><th>Verdict</th><th>Evidence</th></tr></thead>"
    body = "\n".join(f"<tr>{line}</tr>" for line in lines)
    return (
        f'<section id="claims">\n<h2>{CLAIMS}</h2>\n<p>All claims of the lecture that compare two rows, as the report '
        f'judges them: {counts}.</p><div class="wide"><table>{head}\n<tbody>{body}</tbody></table></div></section>'
    )


def badge(kind: str) -> str:
    """A verdict in one word or two."""
    return f'<span class="badge {KINDS[kind]}">{kind}</span>'


def verdict(own: Judged) -> str:
    """A verdict and its evidence."""
    return f'<div class="verdict">{badge(own.kind)} {inline(own.said)}</div>'


def figure(own: Picture, name: str) -> str:
    """A picture in the page."""
    kind = ' class="scrolled wide"' if own.wide else ""
    label = html.escape(plain(own.title))
    svg = own.svg.replace("<svg", f'<svg role="img" aria-label="{label}"', 1)
    words = f"<figcaption>{inline(own.caption)}</figcaption>"
    return f'<figure id="{name}"{kind}><b>{inline(own.title)}</b>{svg}{words}</figure>'


def table(lines: Sequence[Sequence[str]], kind: str = "") -> str:
    """Lines of texts in the marks of `prose`, the heading first."""
    cells = lambda line, tag: "".join(f"<{tag}>{inline(text)}</{tag}>" for text in line)
    body = "\n".join(f"<tr>{cells(line, 'td')}</tr>" for line in lines[1:])
    head = f"<thead><tr>{cells(lines[0], 'th')}</tr></thead>"
    return f'<div class="wide"><table class="{kind}">{head}\n<tbody>{body}</tbody></table></div>'


def exercise(own: Exercise) -> str:
    """What to write, and how to have it checked."""
    head = f"def {own.name}({own.arguments}):"
    command = "python -m seqjax.lecture --check=exercise.py"
    return (
        f'<div class="exercise"><h3>Exercise: <code>{own.name}</code></h3>{to_html(own.task)}'
        f"<pre><code># exercise.py\n{html.escape(head)}\n    ...</code></pre>"
        f"<p>Then <code>{command}</code> tells whether it is right.</p></div>"
    )


def entries(book: Book) -> Iterator[tuple[str, str, int, Section, Section]]:
    """Of every statement that the book answers: key, chapter, place, its section, and the one with the picture."""
    for chapter, (_, sections) in book.items():
        pictured = [own for own in sections if own.picture]
        for number, own in enumerate(sections, 1):
            for key in own.lines:
                yield key, chapter, number, own, own if own.picture or not pictured else pictured[0]


def _index(book: Book) -> str:
    order = {key: place for place, key in enumerate(statements.STATEMENTS)}
    found = sorted(entries(book), key=lambda entry: order[entry[0]])
    lines = []
    for key, group in itertools.groupby(found, key=lambda entry: entry[0]):
        _, chapter, number, own, pictured = next(group)
        lines.append(_line(key, chapter, number, own, pictured, book))
    head = "<th>The lecture</th><th>Function</th><th>Test</th><th>Picture</th><th>Verdict</th>"
    body = f"<thead><tr>{head}</tr></thead>\n<tbody>{''.join(lines)}</tbody>"
    return f'<div class="wide"><table class="index">{body}</table></div>'


def _line(key: str, chapter: str, number: int, own: Section, pictured: Section, book: Book) -> str:
    code = f"<code>{name_of(own.function)}</code>" if own.function else "-"
    place = list(book[chapter][1]).index(pictured) + 1
    seen = f'<a href="#{chapter}-{place}-picture">{inline(pictured.picture.title)}</a>' if pictured.picture else "-"
    cells = [f'<a href="#{chapter}-{number}">{quote(key)}</a>', code, f"<code>{own.test or '-'}</code>", seen]
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in [*cells, badge(own.verdict.kind)]) + "</tr>\n"
