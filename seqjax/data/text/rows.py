"""Rows of unlike length as arrays that a batch is gathered from. Needs NumPy only.

Padded to one width they are quickest to gather from, [N, K], and that is how they are kept where it costs little. One
long text among many short ones would make most of that padding: then they are kept one behind the other, so that the
memory is that of the tokens there are, and only a batch is ever padded.

Legend: N rows, T entries of all the rows together, K the width, B batch.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

SMALL = 1 << 22
"""Up to so many entries are padded in any case."""
SHARE = 16
"""And more are if so many times the entries that there are hold them; IMDB's bags of words take 6."""


def pack(
    flat: Mapping[str, np.ndarray], lengths: np.ndarray, width: int, padding: Mapping[str, int]
) -> dict[str, np.ndarray]:
    """Arrays for `take`.

    Args:
      flat: [T] each, by name: what the rows hold, one behind the other.
      lengths: [N] of the rows, each at most `width`.
      width: K.
      padding: what fills the rows of each.

    Returns:
      the same names, each [N, K]; or [T] each, and beside them `starts` [N + 1], `places` [K], `padding of NAME` [].
    """
    total = int(lengths.sum())
    if len(lengths) * width <= max(SMALL, SHARE * total):
        return {name: padded(values, lengths, width, padding[name]) for name, values in flat.items()}
    starts = np.append(0, np.cumsum(lengths)).astype(np.int32 if total < 1 << 31 else np.int64)
    rest = {_padding(name): np.array(padding[name], values.dtype) for name, values in flat.items()}
    behind = {name: values if total else np.full(1, padding[name], values.dtype) for name, values in flat.items()}
    return {**behind, **rest, "starts": starts, "places": np.arange(width, dtype=np.int32)}


def padded(values: np.ndarray, lengths: np.ndarray, width: int, padding: int) -> np.ndarray:
    """[N, K]: each row filled at its end."""
    rows = np.full((len(lengths), width), padding, values.dtype)
    starts = np.cumsum(lengths) - lengths
    for row, start, count in zip(rows, starts, lengths, strict=True):
        row[:count] = values[start : start + count]
    return rows


def is_packed(name: str) -> bool:
    """Whether an array of that name is one of those that `pack` puts beside the given ones."""
    return name in ("starts", "places") or name.startswith(_padding(""))


def count(arrays: Mapping[str, Any], name: str) -> int:
    """N."""
    return len(arrays["starts"]) - 1 if "starts" in arrays else len(arrays[name])


def width(arrays: Mapping[str, Any], name: str) -> int:
    """K."""
    return len(arrays["places"]) if "places" in arrays else arrays[name].shape[1]


def take(arrays: Mapping[str, Any], name: str, ids: Any) -> Any:
    """Rows of `pack`'s arrays, [B, K]. Plain indexing and arithmetic, on NumPy or traced by jit.

    Args:
      arrays: from `pack`.
      name: which.
      ids: [B] which rows.
    """
    values = arrays[name]
    if "starts" not in arrays:
        return values[ids]
    starts, ends = arrays["starts"][ids], arrays["starts"][ids + 1]
    places = starts[:, None] + arrays["places"][None, :]
    filled = (places < ends[:, None]).astype(values.dtype)
    return values[places.clip(0, len(values) - 1)] * filled + arrays[_padding(name)] * (1 - filled)


def flat(arrays: Mapping[str, np.ndarray], name: str, padding: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Undo `pack` for rows that hold no `padding` themselves: what they hold [T], and their lengths [N]."""
    if "starts" in arrays:
        lengths = np.diff(arrays["starts"])
        return arrays[name][: lengths.sum()], lengths
    held = arrays[name] != padding
    return arrays[name][held], np.count_nonzero(held, axis=1)


def _padding(name: str) -> str:
    return f"padding of {name}"
