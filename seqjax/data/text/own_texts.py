"""A collection of `labelled` texts: a table of your own."""

import dataclasses
from pathlib import Path

from seqjax.data.text import splits, text_table
from seqjax.data.text.labelled import Examples
from seqjax.errors import UserError

UNSEEN = "\u200b\u200e\u200f\u2060\ufeff"
"""Marks without width that copying leaves at the ends of a label."""


@dataclasses.dataclass(frozen=True)
class OwnTexts:
    """A `Collection`: columns of a file that `text_table` reads."""

    file: str
    """Here or in the data folder."""
    text: str
    """The column of the texts; of several, with commas between, the cells are joined."""
    label: str
    """The column of the classes."""
    split: str = ""
    """The column of `splits.NAMES`; by default the parts are drawn."""
    encoding: str = ""
    delimiter: str = ""
    quotes: str = "double"
    """Of a CSV: `double`, or `none`: they are characters like others."""

    def __post_init__(self):
        if self.quotes not in ("double", "none"):
            raise UserError(f"quotes={self.quotes!r}: choose 'double' or 'none'")

    def form(self) -> dict[str, str]:
        """See `Collection`."""
        return {"column": self.text, "encoding": self.encoding, "delimiter": self.delimiter, "quotes": self.quotes}

    def examples(self, data_dir: Path) -> tuple[Examples, str]:
        """See `Collection`; rows without a text or a label are left out, counted and said.

        Raises:
          UserError: no file, one that is malformed, or hardly a row that has both.
        """
        path = self._path(data_dir)
        columns = [self.text, self.label, *([self.split] if self.split else [])]
        try:
            data = path.read_bytes()
        except OSError as error:
            raise UserError(f"{path}: {error.strerror or error}") from error
        cells = text_table.read(data, str(path), columns, self.encoding, self.delimiter, self.quotes == "double")
        for column, found in zip(columns[1:], cells.columns[1:], strict=True):
            if (row := next((k for k, cell in enumerate(found) if "\n" in cell), None)) is not None:
                said = f"{found[row][:40]!r} goes over several lines: is a quote left open"
                where = f"{path}: row {cells.lines[row]}, column {column!r}"
                raise UserError(f"{where}: {said}? --set=quotes=none reads it as it is")
        texts, labels = cells.columns[0], [" ".join(label.split()).strip(UNSEEN) for label in cells.columns[1]]
        whole = [k for k, (text, label) in enumerate(zip(texts, labels, strict=True)) if text and label]
        notes = []
        for column, found in ((self.text, texts), (self.label, labels)):
            if missing := [line for line, cell in zip(cells.lines, found, strict=True) if not cell]:
                rows = (
                    f"row {missing[0]:,}" if len(missing) == 1 else f"{len(missing):,} rows, row {missing[0]:,} first,"
                )
                notes.append(f"{rows} left out: no {column!r}")
        if 2 * len(whole) < len(texts):
            raise UserError(
                f"{path}: of {len(texts):,} rows {len(whole):,} have a text and a label: {'; '.join(notes)}"
            )
        if lines := sum("\n" in text for text in texts):
            notes.append(f"{lines:,} {'texts go' if lines > 1 else 'text goes'} over several lines")
        parts = None
        if self.split:
            named = [cells.columns[2][k] for k in whole]
            parts = splits.named(named, [cells.lines[k] for k in whole], str(path))
        return Examples([texts[k] for k in whole], [labels[k] for k in whole], parts, tuple(notes)), str(path)

    def _path(self, data_dir: Path) -> Path:
        """Where the file is. Raises UserError: nowhere, or a knob is missing."""
        for knob in ("file", "text", "label"):
            if not getattr(self, knob):
                example = "--set=file=PATH.csv --set=text=COLUMN --set=label=COLUMN"
                raise UserError(f"{knob} is missing: {example}, or --data=sample to try")
        for path in (Path(self.file).expanduser(), data_dir.expanduser() / self.file):
            if path.is_file():
                return path
        raise UserError(f"file={self.file} is neither here nor in {data_dir}")
