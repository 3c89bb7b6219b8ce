"""The table "lecture | ours | Keras here | parameters | time", as data and as Markdown."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seqjax.files import to_json
from seqjax.report.run import Run
from seqjax.report.runs import Group
from seqjax.report.verdicts import Verdict
from seqjax.runs import statistics
from seqjax.runs.lines import skill

PARTS = ("test", "validation")
Row = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Findings:
    """All that the report says in words and numbers."""

    rows: Sequence[Row]
    verdicts: Sequence[Verdict]
    comparisons: Sequence[tuple[str, Sequence[Sequence[str]]]]
    """Of `comparisons.tables`."""
    waiting: Sequence[Row]
    """Of `unfinished`."""
    notes: Sequence[str]


def rows(groups: Sequence[Group], keras: Sequence[Mapping[str, Any]]) -> list[Row]:
    """One for each group, all that the report says of it."""
    return [_row(group, _keras_of(group, keras)) for group in groups]


def _row(group: Group, keras: Mapping[str, Any] | None) -> Row:
    results: Any = [run.results for run in group.runs]
    first = results[0]
    ours = {part: [result[part][group.metric] for result in results] for part in PARTS}
    if group.deterministic:
        ours = {part: values[:1] for part, values in ours.items()}
    return {
        "label": group.label,
        "experiment": group.experiment,
        "data": group.data,
        "options": dict(group.options),
        "metric": group.metric,
        # Said of the row as it stands: with other knobs it is another model, or other data.
        "lecture": first.get("lecture", {}) if group.plain else {},
        "optimum": first.get("optimum", {}),
        "baselines": first.get("baselines", {}),
        "skill": skill({part: {group.metric: _mean(ours[part])} for part in PARTS}, first.get("baselines", {})),
        "seeds": [run.seed for run in group.runs],
        "ours": {part: {**vars(statistics.mean(values)), "values": values} for part, values in ours.items()},
        "best_epochs": [result["best_epoch"] for result in results],
        "keras": keras and _keras(group, keras),
        "parameters": first["parameters"],
        "seconds": statistics.mean([result["seconds"] or 0 for result in results]).mean,
        "devices": sorted({run.config.get("device", "unknown") for run in group.runs}),
        "paths": list(dict.fromkeys(str(run.path) for run in group.runs)),
    }


def _mean(values: Sequence[float]) -> float:
    return statistics.mean(values).mean


def _keras_of(group: Group, keras: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The Keras result on the same experiment, knobs and data; of several that with most seeds."""
    same = lambda found: (
        found["experiment"] == group.experiment
        and found.get("data", "real") == group.data
        and found["options"] == group.options
        and found["seeds"]
    )
    return max(filter(same, keras), key=lambda found: len(found["seeds"]), default=None)


def _keras(group: Group, found: Mapping[str, Any]) -> Row:
    """Keras's scores, and ours minus Keras's: their seeds have nothing in common, so never paired."""
    row: Row = {"seeds": [seed["seed"] for seed in found["seeds"]]}
    for part in PARTS:
        theirs = [seed[part][group.metric] for seed in found["seeds"]]
        results: Any = [run.results for run in group.runs]
        ours = {k: result[part][group.metric] for k, result in enumerate(results)}
        apart = statistics.difference(ours, {-1 - k: value for k, value in enumerate(theirs)})
        row[part] = {**vars(statistics.mean(theirs)), "values": theirs, "ours_minus_keras": vars(apart)}
    return row


def unfinished(runs: Sequence[Run]) -> list[Row]:
    """Path, experiment and progress of the runs without a result."""
    return [
        {
            "path": str(run.path),
            "experiment": run.config["experiment"],
            "seed": run.seed,
            "epochs_done": len(run.rows),
            "epochs": run.config["options"].get("epochs"),
        }
        for run in runs
        if run.results is None
    ]


HEADER = (
    "experiment",
    "part",
    "lecture",
    "ours (mean ± 95 %, N)",
    "without a model (ours as a share)",
    "Keras here",
    "parameters",
    "time",
)


def cells(row: Row) -> list[list[str]]:
    """The texts below `HEADER`, one line for each part."""
    metric = row["metric"]
    lines = []
    for part in PARTS:
        lecture = row["lecture"].get(part, {}).get(metric)
        keras = row["keras"] and score(row["keras"][part], metric)
        first = part == PARTS[0]
        lines.append([
            row["label"] if first else "",
            f"{part} {metric}",
            "-" if lecture is None else number(lecture, metric),
            score(row["ours"][part], metric),
            beside(row, part),
            keras or "-",
            f"{row['parameters']:,}" if first else "",
            duration(row["seconds"]) if first else "",
        ])  # fmt: skip
    return lines


def beside(row: Row, part: str) -> str:
    """`naive 2.620, seasonal naive 2.702 (0.95)`: what needs no model, and ours as a share of the better."""
    metric = row["metric"]
    scores = {name: own[part][metric] for name, own in row["baselines"].items() if metric in own.get(part, {})}
    said = ", ".join(f"{name.replace('_', ' ')} {number(value, row['metric'], 3)}" for name, value in scores.items())
    share = row["skill"].get(part)
    return said + (f" ({share:.3f})" if share is not None else "") or "-"


def number(value: float, metric: str, digits: int = 2, beside: float | None = None) -> str:
    """`87.2 %` for an accuracy; `2.62` otherwise, of a small one as many digits as it takes to see two.

    Args:
      value: the number.
      metric: what it is of.
      digits: behind the point.
      beside: the number whose size decides; by default the value itself.
    """
    size = abs(value if beside is None else beside)
    if metric != "accuracy" and 0 < size < 10.0 ** (1 - digits):
        digits = max(digits, 1 - math.floor(math.log10(size)) + (digits > 2))
    return f"{100 * value:.{max(digits - 1, 1)}f} %" if metric == "accuracy" else f"{value:.{digits}f}"


def score(found: Mapping[str, Any], metric: str) -> str:
    """`2.615 ± 0.129 (5)`."""
    mean = number(found["mean"], metric, 3)
    half = "" if found["half"] is None else f" ± {number(found['half'], metric, 3, found['mean'])}"
    return f"{mean.removesuffix(' %') if half and metric == 'accuracy' else mean}{half} ({found['count']})"


def duration(seconds: float) -> str:
    """`38 s`, `12 min` or `3.1 h`; `-` for nothing."""
    if not seconds:
        return "-"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def beside_keras(row: Row) -> str | None:
    """Whether ours and Keras's scores can be told apart, in words; None without Keras."""
    if not row["keras"]:
        return None
    said = []
    for part in PARTS:
        found = row["keras"][part]["ours_minus_keras"]
        if found["p"] is None:
            said.append(f"{part} {found['mean']:+.4f}, undecided (fewer than {statistics.LEAST} seeds)")
        else:
            told = "they differ" if found["p"] < statistics.LEVEL else "no difference found"
            said.append(f"{part} {found['mean']:+.4f} (95 %: {found['low']:+.4f} to {found['high']:+.4f}), {told}")
    return f"{row['label']}: ours minus Keras, {'; '.join(said)}"


def markdown(found: Findings) -> str:
    """report.md."""
    devices = ", ".join(sorted({device for row in found.rows for device in row["devices"]})) or "-"
    lines = ["# Results", "", *pipes([HEADER, *(texts for row in found.rows for texts in cells(row))])]
    lines += ["", f"Time is a run's training on {devices}. The epoch with the lowest validation loss is tested."]
    keras = [said for row in found.rows if (said := beside_keras(row))]
    lines += ["", "## Beside Keras", "", *(f"- {said}" for said in keras)] if keras else []
    judged = [[v.claim.quote, v.claim.meaning, f"**{v.verdict}**", v.evidence] for v in found.verdicts]
    lines += ["", "## The lecture's claims", "", *pipes([("claim", "compared", "verdict", "evidence"), *judged])]
    for title, texts in found.comparisons:
        lines += ["", f"## {title}", "", *pipes(texts)]
    lines += ["", "## Unfinished runs", ""] if found.waiting else []
    lines += [f"- {progress(row)}" for row in found.waiting]
    lines += ["", "## Notes", "", *(f"- {note}" for note in found.notes)] if found.notes else []
    return "\n".join(lines) + "\n"


def progress(row: Row) -> str:
    """`runs/jena_lstm (jena_lstm, seed 1): 3 of 10 epochs`."""
    return f"{row['path']} ({row['experiment']}, seed {row['seed']}): {row['epochs_done']} of {row['epochs']} epochs"


def pipes(lines: Sequence[Sequence[str]]) -> list[str]:
    """A table in Markdown; the first line is the heading."""
    return [_line(lines[0]), _line(["-"] * len(lines[0])), *map(_line, lines[1:])]


def _line(texts: Sequence[str]) -> str:
    return f"| {' | '.join(text.replace('|', chr(92) + '|') for text in texts)} |"


def as_json(found: Findings) -> str:
    """report.json: all of it, for programs."""
    judged = [
        {
            **{name: value for name, value in vars(v.claim).items() if name != "quote"},
            "quote": v.claim.quote,
            "meaning": v.claim.meaning,
            "verdict": v.verdict,
            "evidence": v.evidence,
            "difference": v.difference and vars(v.difference),
        }
        for v in found.verdicts
    ]
    compared = [{"title": title, "table": texts} for title, texts in found.comparisons]
    everything = {"rows": found.rows, "claims": judged, "comparisons": compared}
    return to_json(everything | {"unfinished": found.waiting, "notes": found.notes}, indent=1) + "\n"


def write(folder: Path, files: Mapping[str, str]) -> None:
    """The report's files, each whole or not at all."""
    from seqjax.files import write_atomically

    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        write_atomically(folder / name, text)
