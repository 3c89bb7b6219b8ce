"""Files of labelled series in any of the field's formats; which of them it is, the content says.

`.ts` (`ts_file`), `.arff` (`arff_file`), UCR's lines (`ucr_file`) and long tables (`long_table`); packed or not.
"""

import dataclasses
import re
from pathlib import Path

from seqjax.data import packed
from seqjax.data.decoding import utf8
from seqjax.data.series import arff_file, long_table, ts_file, ucr_file
from seqjax.data.series.long_table import Columns
from seqjax.data.series.ragged import Ragged, joined, numbers
from seqjax.errors import UserError


@dataclasses.dataclass(frozen=True)
class SeriesForm:
    """How files of series are read."""

    series: str = ""
    """The column of a long table that names the series; by default the file is of another kind."""
    label: str = ""
    time: str = ""
    values: str = ""
    """As in `long_table.Columns`, like the two before."""
    encoding: str = ""

    def __post_init__(self):
        stray = [knob for knob in ("label", "time", "values") if getattr(self, knob)]
        if stray and not self.series:
            raise UserError(f"{stray[0]} is for a long table: name its column of series too, --set=series=COLUMN")

    @property
    def columns(self) -> Columns:
        """Of a long table."""
        return Columns(self.series, self.label, self.time, self.values)


def read(path: Path, form: SeriesForm) -> Ragged:
    """Read a file with labels.

    Raises:
      UserError: unreadable or malformed; without labels; or one of them is missing.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from error
    if form.series and not form.label:
        raise UserError(f"{path}: label is missing: --set=label=COLUMN")
    found = parse(data, str(path), form)
    if found.labels is None:
        raise UserError(f"{path}: the header says @classLabel false: there is nothing to learn")
    for row, label in zip(found.rows, found.labels, strict=True):
        if label in ("", "?"):
            raise UserError(f"{path}: row {row}: the label is missing")
    return found


def parse(data: bytes, name: str, form: SeriesForm, *, labelled: bool = True) -> Ragged:
    """Read content.

    Args:
      data: of the file, packed or not.
      name: what messages call it.
      form: how it is written.
      labelled: False: a long table may lack its labels.

    Raises:
      UserError: malformed, with the row.
    """
    data = packed.unpacked(data, name)
    if form.series:
        return long_table.parse(data, name, form.columns, form.encoding, labelled=labelled)
    text = utf8(data, name, form.encoding).decode()
    if not text.strip():
        raise UserError(f"{name}: the file is empty")
    if arff_file.is_arff(text):
        return arff_file.parse(text, name)
    return ts_file.parse(text, name) if ts_file.is_ts(text) else ucr_file.parse(text, name)


def lines(text: str, name: str) -> Ragged:
    """Series without labels, one a line: values with commas or blanks between, dimensions with colons.

    Raises:
      UserError: with the row: malformed, or of other dimensions than the first.
    """
    values, rows = [], []
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), 1):
        if not line.strip():
            continue
        place = f"{name}: row {number}"
        channels = [ucr_file.split(own.strip()) for own in line.split(":")]
        own = joined([numbers(cells, f"{place}, dimension {k}") for k, cells in enumerate(channels, 1)], place)
        if values and own.shape[1] != values[0].shape[1]:
            raise UserError(f"{place}: {own.shape[1]} dimensions, but the first series has {values[0].shape[1]}")
        values.append(own)
        rows.append(number)
    return Ragged(values, None, ("",) * (values[0].shape[1] if values else 0), rows)
