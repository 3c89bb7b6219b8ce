"""Files that are read back: JSON as the standard has it, and text that is seen whole or not at all."""

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seqjax.errors import UserError


def write_atomically(path: Path, text: str) -> None:
    """Write a file that is seen either whole or not at all, also after a power cut."""
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def to_json(value: Any, indent: int | None = None) -> str:
    """JSON that every reader takes: a number that is not finite, for which JSON has no word, becomes null."""
    return json.dumps(_finite(value), indent=indent, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: _finite(one) for name, one in value.items()}
    return [_finite(one) for one in value] if isinstance(value, list | tuple) else value


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
