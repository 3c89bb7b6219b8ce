"""Series to be classified by a run: a file as those it has learned from, or a series a line.

Legend: N series, D dimensions, K classes.
"""

from pathlib import Path
from typing import TextIO

import numpy as np

from seqjax.data import packed
from seqjax.data.dataset import Requests
from seqjax.data.decoding import utf8
from seqjax.data.lengths import group_lengths
from seqjax.data.series import arff_file, series_files, ts_file, ucr_file
from seqjax.data.series.csv_table import content
from seqjax.data.series.ragged import Ragged
from seqjax.data.series.series_arrays import Scale, arrays_of, inputs
from seqjax.data.series.series_files import SeriesForm
from seqjax.data.series.sources import read_facts
from seqjax.data.text.classified import line_of
from seqjax.errors import UserError

ASSET = "series.json"
"""The names of the classes, how files are read, and how values are scaled."""
SCALE = ("normalize", "missing", "mean", "deviation")


def requests(assets: Path, text: TextIO, name: str) -> Requests:
    r"""See `Source.requests`: any kind of file that `series_files` reads, or lines.

    Lines with commas or blanks between the values, and colons between dimensions, hold no label. Lines with tabs are
    UCR's, with a label first, which is read over; so are those of a file called .tsv, or, where the run has learned
    from UCR's lines, called .txt or .csv.

    A line of output is the likeliest class and the probability of each class, with tabs between; the header names them.

    Raises:
      UserError: malformed, or of other dimensions than the run has learned from.
    """
    facts = read_facts(assets / ASSET, ("classes", "form", "lines", *SCALE))
    form = SeriesForm(**facts["form"])
    scale = Scale(**{key: facts[key] for key in SCALE})
    series = _parsed(content(text), name, form, facts["lines"])
    line = line_of(facts["classes"])
    if not len(series.values):
        return Requests({}, inputs, np.empty(0, np.int32), line, _header(facts["classes"]))
    if len(series.dimensions) != len(scale.mean):
        found, wanted = len(series.dimensions), len(scale.mean)
        raise UserError(f"{name}: row {series.rows[0]}: dimensions: {found}; those of the run: {wanted}")
    lengths = series.lengths
    longest = int(lengths.max())
    return Requests(
        arrays=arrays_of(series, scale, name),
        gather=inputs,
        ids=np.arange(len(lengths), dtype=np.int32),
        line=line,
        header=_header(facts["classes"]),
        lengths=None if (lengths == longest).all() else group_lengths(lengths, longest),
    )


def _header(classes: list[str]) -> str:
    return "\t".join(["class", *classes])


def _parsed(data: bytes, name: str, form: SeriesForm, learned: bool) -> Ragged:
    data = packed.unpacked(data, name)
    if form.series:
        return series_files.parse(data, name, form, labelled=False)
    text = utf8(data, name, form.encoding).decode()
    if arff_file.is_arff(text) or ts_file.is_ts(text):
        return series_files.parse(data, name, form)
    suffixes = [suffix.lower() for suffix in Path(name).suffixes]
    first = next((line for line in text.splitlines() if line.strip()), "")
    named = {".tsv"} | ({".txt", ".csv"} if learned else set())
    if named & set(suffixes) or ucr_file.mark_of(first) == "\t":
        return ucr_file.parse(text, name)
    return series_files.lines(text, name)
