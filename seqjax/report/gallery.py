"""Which figures the report shows, and a sentence for each that it cannot."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seqjax import analogies
from seqjax.data.series.jena import TEMPERATURE
from seqjax.data.text import glove
from seqjax.errors import UserError
from seqjax.report import (
    alarms,
    calendar_errors,
    calibration,
    confusion,
    fans,
    forecasts,
    horizons,
    plots,
    prefixes,
    residuals,
    shift,
    strips,
    trade_off,
)
from seqjax.report.plots import Figure
from seqjax.report.runs import Group

SIZE = 100  # of the vectors that imdb_glove takes
WORDS = {word for pairs in analogies.RELATIONS.values() for pair in pairs for word in pair}


def figures(groups: Sequence[Group], rows: Sequence[dict[str, Any]], data_dir: Path) -> tuple[list[Figure], list[str]]:
    """-> (figures in order, notes)."""
    found = [
        plots.comparison([row for row in rows if (row["metric"], row["data"]) == kind], kind[0], "test")
        for kind in sorted({(row["metric"], row["data"]) for row in rows})
    ]
    table, note = forecasts.weather(groups, data_dir)
    notes = [note]
    if table is not None:
        found += plots.overview(table, TEMPERATURE)
        made, left_out = _forecasts(groups, data_dir)
        notes += left_out
        if made:
            found += [plots.stretches(made), plots.errors(made)]
    made, left_out = _relations(groups, data_dir)
    kinds = (
        confusion,
        calibration,
        strips,
        prefixes,
        trade_off,
        fans,
        horizons,
        calendar_errors,
        residuals,
        alarms,
        shift,
    )
    found += [figure for row in groups for kind in kinds if (figure := kind.picture(row))]
    found += [*made, *(figure for row in groups if (figure := plots.curves(row)))]
    return found, notes + left_out


def _relations(groups: Sequence[Group], data_dir: Path) -> tuple[list[Figure], list[str]]:
    """Among the vectors of the first run of each row of vectors, and among GloVe's own."""
    vectors = [row for row in groups if row.experiment in ("word2vec", "glove")]
    sources = {row.label: row.runs[0].path for row in vectors if not row.runs[0].kept}
    file = glove.find(data_dir, SIZE) if any(row.experiment == "imdb_glove" for row in groups) else None
    sources |= {file.name: file} if file else {}
    left_out = [f"No picture of the relations of {row.label}: its vectors are not kept" for row in vectors]
    made, notes = [], [said for said, row in zip(left_out, vectors, strict=True) if row.runs[0].kept]
    for name, path in sources.items():
        try:
            made.append(plots.relations(name, analogies.read(path, WORDS)))
        except UserError as error:
            notes.append(f"No picture of the relations of {name}: {error}")
    return made, notes


def _forecasts(groups: Sequence[Group], data_dir: Path) -> tuple[list[forecasts.Forecasts], list[str]]:
    """Of one kind of data, the real one if there is any, and one row of each experiment: that trained longest."""
    temperature = [row for row in groups if forecasts.is_temperature(row)]
    data = "real" if any(row.data == "real" for row in temperature) else "sample"
    chosen: dict[str, Group] = {}
    for row in sorted(temperature, key=lambda row: row.options.get("epochs") or 0, reverse=True):
        if row.data == data and row.plain:
            chosen.setdefault(row.experiment, row)
    made, notes = [], []
    for row in sorted(chosen.values(), key=lambda row: row.label):
        try:
            made.append(forecasts.of(row, data_dir))
        except UserError as error:
            notes.append(f"No forecasts of {row.label}: {error}")
    return made, notes
