"""Examples as a program has them, as the file that the commands would read."""

import csv
import io
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from seqjax.errors import UserError


def as_text(examples: Any) -> tuple[io.TextIOWrapper, str]:
    """-> (the examples as a file that has been read, its name in messages); see `seqjax.interface.Run.predict`.

    Raises:
      UserError: they are none.
    """
    if isinstance(examples, str | os.PathLike):
        try:
            data, name = Path(examples).read_bytes(), os.fspath(examples)
        except (OSError, ValueError) as error:
            said = f"{examples!r:.80} cannot be read as a file: {getattr(error, 'strerror', None) or error}"
            raise UserError(f"{said}; give texts as a list") from error
    elif hasattr(examples, "to_csv") and getattr(examples, "ndim", 2) == 2:
        dates = str(getattr(examples.index, "dtype", "")).startswith(("datetime64", "period"))
        data = examples.to_csv(index=dates, index_label=(examples.index.name or "date") if dates else None).encode()
        name = "the table"
    elif hasattr(examples, "write_csv") and hasattr(examples, "columns"):
        data, name = examples.write_csv().encode(), "the table"
    elif isinstance(examples, Mapping):
        lengths = {name: len(column) for name, column in examples.items()}
        if len(set(lengths.values())) > 1:
            raise UserError(f"the table's columns are of different lengths: {lengths}")
        rows = zip(*examples.values(), strict=True)
        data, name = "".join(row_of(cells) for cells in [list(examples), *rows]).encode(), "the table"
    else:
        lines = list(examples) if isinstance(examples, Iterable) else [examples]
        if wrong := [line for line in lines if not isinstance(line, str)]:
            raise UserError(f"examples must be texts, a table or a file's path, not {type(wrong[0]).__name__}")
        data, name = "".join(" ".join(line.splitlines()) + "\n" for line in lines).encode(), "the examples"
    return io.TextIOWrapper(io.BytesIO(data), encoding="utf-8-sig", newline="\n"), name


def row_of(cells: Iterable[Any]) -> str:
    """A line of a CSV file; what is None or NaN is empty."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(["" if cell is None or cell != cell else cell for cell in cells])
    return line.getvalue()
