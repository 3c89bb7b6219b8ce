"""What a request says, read without trust: JSON as the standard has it, and nothing that it does not allow."""

import base64
import binascii
import json
import math
from collections.abc import Mapping
from typing import Any, NoReturn

from seqjax.errors import UserError
from seqjax.serve.limits import RefusedError

DEEPEST = 32
"""Brackets within brackets."""
DIGITS = 400
"""Of a whole number."""


def read(data: bytes) -> dict[str, Any]:
    """The JSON object of a body.

    Raises:
      UserError: no UTF-8, no JSON, no object; NaN, an infinity, a number that is too large; half a surrogate pair; too
        deep.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"the body is not UTF-8: byte 0x{data[error.start]:02x} at {error.start}") from error
    if _depth(text) > DEEPEST:
        raise UserError(f"the body is nested deeper than {DEEPEST} brackets")
    try:
        found = json.loads(
            text, parse_constant=_constant, parse_float=_float, parse_int=_int, object_pairs_hook=_object
        )
    except UserError:
        raise
    except (ValueError, RecursionError) as error:
        raise UserError(f"the body is not JSON: {' '.join(str(error).split())[:120]}") from error
    if not isinstance(found, dict):
        raise UserError('the body must be a JSON object, such as {"texts": ["A wonderful film."]}')
    return found


def _depth(text: str) -> int:
    """The most brackets that are open at once, those in strings left out."""
    deepest, depth, inside, escaped = 0, 0, False, False
    if text.count("[") + text.count("{") <= DEEPEST:
        return 0
    for letter in text:
        if inside:
            inside, escaped = escaped or letter != '"', not escaped and letter == "\\"
        elif letter == '"':
            inside = True
        elif letter in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif letter in "]}":
            depth -= 1
    return deepest


def _constant(name: str) -> NoReturn:
    raise UserError(f"the body is not JSON: {name} is no number of it")


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise UserError(f"the number {text[:40]} is too large")
    return value


def _int(text: str) -> int:
    if len(text) > DIGITS:
        raise UserError(f"the number {text[:40]}... is too large")
    return int(text)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise UserError(f"{twice!r:.60} is there twice")
    return found


def known(body: Mapping[str, Any], *names: str) -> None:
    """Raises UserError: there is another name, which would be passed over."""
    if wrong := [name for name in body if name not in names]:
        raise UserError(f"there is no {wrong[0]!r:.60} to be given here; choices: {', '.join(names)}")


def text(value: Any, name: str, most: int) -> str:
    """A string of so many characters at most. Raises UserError, RefusedError: something else; a longer one."""
    if not isinstance(value, str):
        raise UserError(f"{name} must be a string, not {_kind(value)}")
    if len(value) > most:
        raise RefusedError(413, f"{name} has {len(value):,} characters; the most is {most:,}")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise UserError(f"{name}: character {error.start + 1} is half of a surrogate pair") from error
    return value


def number(body: Mapping[str, Any], name: str, default: Any, least: float, most: float, whole: bool = False) -> Any:
    """A number in [least, most], or the default where there is none. Raises UserError: something else."""
    value = body.get(name)
    if value is None:
        return default
    fits = isinstance(value, int) if whole else isinstance(value, int | float)
    if not fits or isinstance(value, bool):
        raise UserError(f"{name} must be {'an integer' if whole else 'a number'}, not {_kind(value)}")
    if not least <= value <= most:
        shown = value if abs(value) < 1e15 else "a larger one"
        raise UserError(f"{name} must be in [{least:g}, {most:g}], not {shown}")
    return value


def flag(body: Mapping[str, Any], name: str) -> bool:
    """true or false; false where there is none. Raises UserError: something else."""
    value = body.get(name, False)
    if not isinstance(value, bool):
        raise UserError(f"{name} must be true or false, not {_kind(value)}")
    return value


def content(value: Any, name: str) -> bytes:
    """Of base64. Raises UserError: something else."""
    if not isinstance(value, str):
        raise UserError(f"{name} must be base64 in a string, not {_kind(value)}")
    try:
        return base64.b64decode(value.encode("ascii"), validate=True)
    except (binascii.Error, ValueError) as error:
        raise UserError(f"{name} is not base64: {' '.join(str(error).split())[:80]}") from error


def _kind(value: Any) -> str:
    kinds = {
        bool: "true or false",
        int: "a number",
        float: "a number",
        str: "a string",
        list: "a list",
        dict: "an object",
    }
    return "null" if value is None else kinds.get(type(value), "that")
