"""Files that are read back: JSON as the standard has it, and text that is seen whole or not at all."""

import errno
import json
import math
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from seqjax.errors import UserError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""A disk, a quota or a limit of files that is full."""


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file that is seen either whole or not at all, also after a power cut."""
    temporary = path.with_name(path.name + ".tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def check_writable(path: Path, flag: str) -> None:
    """Raise UserError unless a file could be written there, its folder made if need be: asked before hours of work."""
    try:
        if path.is_dir():
            raise UserError(f"{flag}={shown(path)} is a folder, not a file")
        path.parent.mkdir(parents=True, exist_ok=True)
        if not os.access(path if path.exists() else path.parent, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise UserError(f"{flag}={shown(path)} cannot be written: {error.strerror}") from error


def unwritten(path: Path, error: BaseException) -> UserError:
    """What to raise where a run's folder could not be written: the reason, what is safe, how to go on."""
    kept = "what was saved before is whole, and the same command resumes"
    for number in filter(None, map(_number, _causes(error))):
        if number in FULL:
            return UserError(f"out of space at {shown(path)} ({os.strerror(number)}): make room; {kept}")
        return UserError(f"{shown(path)} cannot be written: {os.strerror(number)}; {kept}")
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return UserError(f"{shown(path)} cannot be written: {reason}; {kept}")


def shown(path: Path | str) -> str:
    """A path for a message: of a very long one the beginning, and nothing that a terminal would not print."""
    text = str(path)
    text = text if len(text) <= 200 else f"{text[:80]}...({len(text):,} characters)"
    return text if text.isprintable() else repr(text)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error, and those that it came from."""
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        seen.append(error)
        yield error
        error = error.__cause__ or error.__context__


def _number(error: BaseException) -> int | None:
    """The operating system's number of an error, which tensorstore gives within a text."""
    if isinstance(error, OSError):
        return error.errno
    found = re.search(r"os_error_code='(\d+)'", str(error))
    return int(found[1]) if found else None


def to_json(value: Any, indent: int | None = None) -> str:
    """JSON that every reader takes: a number that is not finite, for which JSON has no word, becomes null."""
    return json.dumps(_finite(value), indent=indent, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: _finite(one) for name, one in value.items()}
    return [_finite(one) for one in value] if isinstance(value, list | tuple) else value


def exact(value: Any) -> Any:
    """As JSON holds it without loss: a number that is not finite becomes `{"float": "inf"}`. Undone by `from_exact`."""
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": str(value)}
    if isinstance(value, Mapping):
        return {name: exact(one) for name, one in value.items()}
    return [exact(one) for one in value] if isinstance(value, list | tuple) else value


def from_exact(value: Any) -> Any:
    """Undo `exact`."""
    if isinstance(value, dict):
        if value.keys() == {"float"} and value["float"] in ("inf", "-inf", "nan"):
            return float(value["float"])
        return {name: from_exact(one) for name, one in value.items()}
    return list(map(from_exact, value)) if isinstance(value, list) else value


def read_json(path: Path, kind: type = dict) -> Any:
    """What a JSON file holds.

    Args:
      path: of the file.
      kind: what its outermost value is to be.

    Raises:
      UserError: it cannot be read, is no JSON, is nested too deep to be any file of ours, or holds another kind.
    """
    try:
        found = json.loads(path.read_bytes().decode("utf-8"))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error
    except RecursionError:
        raise UserError(f"{path} is damaged (nested too deep)") from None
    except ValueError as error:
        raise UserError(f"{path} is damaged ({error})") from error
    if not isinstance(found, kind):
        raise UserError(f"{path} is damaged (it holds {_SAID.get(type(found), 'null')}, not {_SAID[kind]})")
    return found


_SAID = {dict: "an object", list: "a list", str: "a string", int: "a number", float: "a number", bool: "true or false"}
