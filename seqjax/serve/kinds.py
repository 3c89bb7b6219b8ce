"""Which kind of page a run has, what it expects, and how the rows of its inputs are cut and padded.

A kind is told by the run's source, never by its name.
"""

import dataclasses
from pathlib import Path
from typing import Any

from seqjax.data.text.vectorizer import OPTIONS

EXPECTS = {
    "text": ("texts", "texts to be classified"),
    "tags": ("texts", "sentences, words divided by spaces"),
    "translation": ("texts", "sentences of the source's language"),
    "language": ("texts", "texts, whose surprise in nats a character is told; /generate draws new ones"),
    "forecast": ("file", "a table with a header as the run has learned from, as CSV"),
    "hotword": ("audio", "a WAV file as base64"),
    "sound": ("audio", "a WAV file as base64"),
    "series": (
        "file",
        "a series a line, values divided by commas, or a file of the kind that the run has learned from",
    ),
    "visits": ("file", "a table of clicks as the run has learned from, as CSV"),
    "watch": ("file", "a table with a header as the run has learned from, as CSV"),
    "other": ("file", "what --mode=predict --input reads"),
}
"""Kind -> (what /predict is given, in words)."""
EXAMPLES = {
    "text": {"texts": ["A wonderful film."]},
    "tags": {"texts": ["show flights from boston to denver"]},
    "translation": {"texts": ["A man sits on a bench."]},
    "language": {"texts": ["ROMEO:"]},
    "forecast": {"file": "date,value\n2024-01-01,3.5\n2024-01-02,3.7\n...", "hold_out": True},
    "hotword": {"audio": "UklGR... (base64 of a WAV file)"},
    "sound": {"audio": "UklGR... (base64 of a WAV file)"},
    "series": {"file": "0.1,0.4,0.2,0.9"},
    "visits": {"file": "visitor,time,page\n..."},
    "watch": {"file": "timestamp,value\n..."},
    "other": {"file": "..."},
}


def kind_of(source: Any, path: Path) -> str:
    """Of a run with this source, in this folder."""
    from seqjax.data.clicks.labelled_visits import LabelledVisits
    from seqjax.data.series import (
        csv_panel,
        ett,
        jena,
        jena_hours,
        labelled_series,
        m4,
        table_watch,
        table_windows,
        walks,
    )
    from seqjax.data.sound.hotwords import Hotwords
    from seqjax.data.sound.labelled_sounds import LabelledSounds
    from seqjax.data.text.atis import Atis
    from seqjax.data.text.characters import Characters
    from seqjax.data.text.pairs import Pairs

    forecasts = (
        csv_panel.CsvPanel,
        ett.ETTh1,
        jena.Windows,
        jena_hours.Hours,
        m4.M4Hourly,
        table_windows.TableWindows,
        walks.Walk,
    )
    kinds = {
        Hotwords: "hotword",
        LabelledSounds: "sound",
        LabelledVisits: "visits",
        Characters: "language",
        Atis: "tags",
        Pairs: "translation",
        labelled_series.LabelledSeries: "series",
        table_watch.TableWatch: "watch",
        forecasts: "forecast",
    }
    found = next((kind for classes, kind in kinds.items() if isinstance(source, classes)), None)
    if found is None and (path / OPTIONS).is_file() and hasattr(source, "requests"):
        return "other" if type(source).__name__ in ("Blocks", "Cooccurrences") else "text"
    return found or "other"


@dataclasses.dataclass(frozen=True)
class Fit:
    """How long a row's steps are, which lie on the first axis of every leaf that has one."""

    trimmed: bool = False
    """Padding at the end is no part of a row: what it is asked with must not tell."""
    padding: int = 0
    """What integers are padded with; other numbers are with 0."""
    counts: str = ""
    """The request's array that tells the length of a row."""


def fit_of(kind: str, path: Path, source: Any) -> Fit | None:
    """Of a run's rows; None: they are all of one length, which the run has learned from."""
    if kind == "text":
        from seqjax.data.text.vectorizer import Vectorizer

        fitted = Vectorizer.load(path)
        return None if fitted.length is not None else Fit(True, fitted.padding)
    if kind in ("translation", "language", "visits", "tags"):
        return Fit(True)
    if kind == "sound":
        return Fit(counts="frames")
    return Fit() if kind == "series" else None
