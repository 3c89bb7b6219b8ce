r"""Formulas as MathML, which browsers draw by themselves: from a small part of LaTeX's notation.

    mathml(r"\frac{\partial J_t}{\partial W} = \sum_{k \le t} a_k")

Known are letters, numbers, groups in braces, _ and ^, \frac, \sqrt, \text, \bold, \hat, \bar, the Greek letters and
signs of `SIGNS`, and functions' names (`NAMES`). Lines end with \\ and become formulas of their own.
"""

import html
import re
from collections.abc import Iterator

from seqjax.errors import UserError

SIGNS = {
    "partial": "∂", "sum": "∑", "prod": "∏", "le": "≤", "ge": "≥", "ne": "≠", "approx": "≈", "in": "∈", "to": "→",
    "odot": "⊙", "cdot": "·", "times": "×", "dots": "…", "infty": "∞", "norm": "‖", "quad": "\u2003", "pm": "±",
    "lambda": "λ", "rho": "ρ", "sigma": "σ", "theta": "θ", "nu": "ν", "gamma": "γ", "phi": "φ", "mu": "μ",
    "epsilon": "ε", "alpha": "α", "beta": "β", "eta": "η", "prime": "′", "mid": "∣", "sim": "∼", "plus": "+",
}  # fmt: skip
GREEK = ("lambda", "rho", "sigma", "theta", "nu", "gamma", "phi", "mu", "epsilon", "alpha", "beta", "eta", "partial")
BIG = ("sum", "prod")
NAMES = ("tanh", "relu", "log", "ln", "exp", "max", "min", "diag", "Re")
ACCENTS = {"hat": "^", "bar": "¯"}
TOKEN = re.compile(r"\\[A-Za-z]+|\\\\|\d+(?:[.,]\d+)*|\s+|.")


def mathml(text: str, block: bool = False) -> str:
    """One <math> for each line of `text`. Raises UserError: a sign that is not known, or a brace too many."""
    kind = ' display="block"' if block else ""
    lines = [line for line in text.split("\\\\") if line.strip()]
    return "\n".join(f"<math{kind}>{_row(_read(_tokens(line), line))}</math>" for line in lines)


def _tokens(text: str) -> list[str]:
    return [token for token in TOKEN.findall(text) if not token.isspace()][::-1]


def _read(tokens: list[str], line: str, until: str = "") -> list[str]:
    """The elements up to a closing brace; tokens are taken from the list's end."""
    found: list[str] = []
    while tokens and tokens[-1] != until:
        token = tokens.pop()
        if token in ("_", "^"):
            if not found:
                raise UserError(f"formula {line!r}: {token} stands behind nothing")
            found.append(_script(found.pop(), token, _one(tokens, line), tokens, line))
        else:
            found.append(_element(token, tokens, line))
    if until:
        if not tokens:
            raise UserError(f"formula {line!r}: a brace is not closed")
        tokens.pop()
    return found


def _one(tokens: list[str], line: str) -> str:
    """The next element, or the next group as one."""
    if not tokens:
        raise UserError(f"formula {line!r} ends too early")
    token = tokens.pop()
    return _row(_read(tokens, line, "}")) if token == "{" else _element(token, tokens, line)


def _script(inner: str, sign: str, outer: str, tokens: list[str], line: str) -> str:
    """An index or exponent, or both; above and below a sum."""
    other = None
    if tokens and tokens[-1] in "_^" and tokens[-1] != sign:
        tokens.pop()
        other = _one(tokens, line)
    low, high = (outer, other) if sign == "_" else (other, outer)
    big = inner.startswith("<mo>") and inner[4] in {SIGNS[name] for name in BIG}
    names = ("munder", "mover", "munderover") if big else ("msub", "msup", "msubsup")
    name = names[2] if low and high else names[0] if low else names[1]
    return f"<{name}>{inner}{low or ''}{high or ''}</{name}>"


def _element(token: str, tokens: list[str], line: str) -> str:
    name = token.removeprefix("\\")
    if token == "{":
        return _row(_read(tokens, line, "}"))
    if token == "\\frac":
        return f"<mfrac>{_one(tokens, line)}{_one(tokens, line)}</mfrac>"
    if token == "\\sqrt":
        return f"<msqrt>{_one(tokens, line)}</msqrt>"
    if name in ACCENTS and token != name:
        return f"<mover accent='true'>{_one(tokens, line)}<mo>{ACCENTS[name]}</mo></mover>"
    if token in ("\\text", "\\bold"):
        return f"<mtext{' class=bold' if name == 'bold' else ''}>{html.escape(''.join(_words(tokens, line)))}</mtext>"
    if token.startswith("\\") and (name in SIGNS or name in NAMES):
        if name in NAMES:
            return f"<mi>{name}</mi>"
        return f"<mi>{SIGNS[name]}</mi>" if name in GREEK else f"<mo>{SIGNS[name]}</mo>"
    if token.startswith("\\") or token == "}":
        raise UserError(f"formula {line!r}: {token} is not known")
    if token[0].isdigit():
        return f"<mn>{token}</mn>"
    if token.isalpha():
        return f"<mi>{token}</mi>"
    return f"<mo>{html.escape({'-': '−', '*': '∗'}.get(token, token))}</mo>"


def _words(tokens: list[str], line: str) -> Iterator[str]:
    r"""What stands in the braces of \text, in which ~ is a space."""
    if not tokens or tokens.pop() != "{":
        raise UserError(f"formula {line!r}: \\text wants braces")
    while tokens:
        token = tokens.pop()
        if token == "}":
            return
        yield token.replace("~", "\u00a0")
    raise UserError(f"formula {line!r}: a brace is not closed")


def _row(elements: list[str]) -> str:
    return elements[0] if len(elements) == 1 else f"<mrow>{''.join(elements)}</mrow>"
