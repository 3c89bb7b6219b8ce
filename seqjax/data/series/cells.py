"""The cells of a text table, one at a time: what is missing, what is a number, and how numbers may be written.

The quick road (`csv_columns`) must agree with this; here are also the words for a malformed cell.
"""

import dataclasses
import functools
import math
import re
from collections.abc import Sequence

EMPTY = ("", "na", "n/a", "nan", "-nan", "null", "none", "nat", "?", "-", "--", ".", "..", "#n/a", "#na", "<na>")
"""What files write, in any case of letters, where there is no value."""
SPACES = " \u00a0\u2009\u202f"
"""What a space between groups of digits may be."""
WRITTEN = ((",", ""), (".", ""), (".", ","), (",", "."), (".", "'"), (",", "'"), (".", " "), (",", " "))
"""The ways that are tried for advice: decimal, thousands."""


def is_missing(cell: str) -> bool:
    """Whether a cell holds no value."""
    return cell.strip().lower() in EMPTY


def series_name(parts: Sequence[str]) -> str:
    """The name of a series by the cells of its key columns: a single one as it is, of several no two alike.

    Between parts is a slash; slashes and backslashes within them have a backslash before. Empty if all are.
    """
    parts = [part.strip() for part in parts]
    if len(parts) == 1 or not any(parts):
        return parts[0]
    return "/".join(re.sub(r"[\\/]", r"\\\g<0>", part) for part in parts)


@dataclasses.dataclass(frozen=True)
class Numbers:
    """How numbers are written."""

    decimal: str = "."
    thousands: str = ""

    @functools.cached_property
    def grouping(self) -> str:
        """What lies between groups of digits, for a regular expression; or nothing."""
        return {"": "", " ": f"[{SPACES}]", "'": "['’]"}.get(self.thousands, re.escape(self.thousands))

    @functools.cached_property
    def pattern(self) -> str:
        """Of a whole cell, for Python's regular expressions and RE2's."""
        point, whole = re.escape(self.decimal), "[0-9]+"
        if self.thousands:  # groups of two are India's
            mark = self.grouping
            whole = f"(?:[0-9]{{1,3}}(?:{mark}[0-9]{{2,3}})*{mark}[0-9]{{3}}|[0-9]+)"
        return f"[+-]?(?:{whole}(?:{point}[0-9]*)?|{point}[0-9]+)(?:[eE][+-]?[0-9]+)?"

    def read(self, cell: str) -> float:
        """NaN for a missing value. Raises ValueError: no finite number."""
        text = cell.strip()
        if is_missing(text):
            return math.nan
        if not re.fullmatch(self.pattern, text):
            raise ValueError(text)
        if self.thousands:
            text = re.sub(self.grouping, "", text)
        value = float(text.replace(self.decimal, "."))
        if not math.isfinite(value):
            raise ValueError(text)
        return value

    def is_number(self, cell: str) -> bool:
        """Whether a cell is one; a missing one is none."""
        try:
            return math.isfinite(self.read(cell))
        except ValueError:
            return False

    def advice(self, cell: str) -> str:
        """The knobs that make a number of a cell that is none: `--set=decimal=,`; empty if there are none."""
        found = []
        for decimal, thousands in WRITTEN:
            if thousands and not re.search(Numbers(decimal, thousands).grouping, cell):
                continue
            if thousands == "." and cell.count(".") == 3 and "," not in cell:
                continue  # 192.168.100.100
            if Numbers(decimal, thousands).is_number(cell):
                knobs = [f"--set=decimal={decimal}"] * (decimal != self.decimal)
                knobs += [f"--set=thousands={thousands.replace(' ', 'space') or 'none'}"] * (
                    thousands != self.thousands
                )
                if not any(set(fewer) <= set(knobs) for fewer in found):
                    found.append(knobs)
        return " or ".join(" ".join(knobs) for knobs in found)
