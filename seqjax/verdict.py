"""Is there anything to forecast here? A verdict on a series of your own.

python -m seqjax.verdict --file=prices.csv --time=date --target=close
python -m seqjax.verdict --file=taxi.csv.gz --time=timestamp --target=value --horizon=48 --seeds=5

csv_lstm is trained several times from several origins on the rows before each, and forecasts those after it, beside the
last value, the last season, the mean and the drift. Said are

error, skill    mean absolute; 1 - error / that of the last value, with its 95 % interval over seeds and blocks of time
Diebold-Mariano whether model and last value are equally good (with the correction of Harvey, Leybourne, Newbold)
shift test      correlations that tell a forecast from the last value, drawn a step later
the verdict     yes; yes, but no model is needed; nothing beyond the last value; or undecided

verdict.json and verdict.svg are written to --output. The same command resumes. Exit code 0, whatever the verdict.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from absl import flags

from seqjax.command_line import run_tool
from seqjax.errors import UserError, check_least
from seqjax.files import to_json, write_atomically
from seqjax.runs.programs import settle

if TYPE_CHECKING:
    from seqjax.runs.origins import Forecasts
    from seqjax.scoring.judgement import Judgement

FLAGS = flags.FlagValues()  # our own: those of seqjax.main are others
FILE = flags.DEFINE_string("file", None, "The table: CSV or what else csv_lstm reads.", flag_values=FLAGS)
TIME = flags.DEFINE_string("time", "", "Its column of dates.", flag_values=FLAGS)
TARGET = flags.DEFINE_string("target", "", "The column to forecast.", flag_values=FLAGS)
HORIZON = flags.DEFINE_integer("horizon", 1, "Rows ahead.", flag_values=FLAGS)
SEASON = flags.DEFINE_integer("season", None, "Rows of one (default: what suits the dates).", flag_values=FLAGS)
SEEDS = flags.DEFINE_integer("seeds", 3, "From each origin.", flag_values=FLAGS)
ORIGINS = flags.DEFINE_integer("origins", 3, "From how many the model is trained.", flag_values=FLAGS)
LEAST = flags.DEFINE_float("least", 0.02, "A skill worth a model: smaller ones need no ruling out.", flag_values=FLAGS)
SET = flags.DEFINE_multi_string("set", [], "knob=value of the experiment; may be repeated.", flag_values=FLAGS)
EXPERIMENT = flags.DEFINE_string("experiment", "csv_lstm", "One of a user's own table.", flag_values=FLAGS)
DATA = flags.DEFINE_enum("data", "real", ["real", "sample"], "sample: generated weather, no file.", flag_values=FLAGS)
DATA_DIR = flags.DEFINE_string("data_dir", None, "Where files may be too.", flag_values=FLAGS)
OUTPUT = flags.DEFINE_string("output", None, "Of runs and verdict (default: runs/verdict/FILE).", flag_values=FLAGS)
ROWS = 100
"""Fewer tell nothing."""
CHART = 120
"""Rows that are drawn: the last ones."""


def main(arguments: Sequence[str]) -> None:
    """Train, judge, print, write.

    Raises:
      UserError: a wrong flag, or a table that is malformed or too short.
      RunStoppedError: a signal came; the same command resumes.
    """
    if arguments:
        raise UserError(f"{arguments[0]!r} is not a flag; give --file=FILE --time=COLUMN --target=COLUMN")
    if FILE.value is None and DATA.value == "real":
        raise UserError("--file=FILE is missing; --data=sample tries it without one")
    for flag, least in ((HORIZON, 1), (SEASON, 1), (SEEDS, 1), (ORIGINS, 1), (LEAST, 0)):
        check_least(f"--{flag.name}", least if flag.value is None else flag.value, least)
    settle()
    from seqjax import folders
    from seqjax.runs import origins
    from seqjax.scoring.judgement import judge

    output = Path(OUTPUT.value or Path("runs/verdict") / Path(FILE.value or "sample").name.partition(".")[0])
    plan = origins.Origins(EXPERIMENT.value, _options(), output, DATA.value, folders.data_dir(DATA_DIR.value))
    table, name = plan.table()
    if len(table.times) < ROWS:
        raise UserError(f"{name}: {len(table.times)} rows: fewer than {ROWS} tell nothing")
    ends = origins.ends_of(len(table.times), ORIGINS.value)
    try:
        found = plan.forecasts(table, name, ends, SEEDS.value, lambda line: print(line, flush=True))
    except UserError as error:
        raise UserError(str(error).replace("--workdir", "--output")) from error
    forecasts = origins.together(found)
    judgement = judge(forecasts.errors(HORIZON.value), LEAST.value)
    print("\n".join(lines(forecasts, judgement, name, table.columns[0])))
    write(output, forecasts, judgement, table.columns[0])


def _options() -> list[str]:
    """Of the experiment. Raises UserError: a knob that has a flag of its own."""
    own = {"file": FILE.value or "", "time": TIME.value, "target": TARGET.value, "horizon": HORIZON.value}
    own |= {} if SEASON.value is None else {"season": SEASON.value}
    for setting in SET.value:
        if setting.partition("=")[0] in (*own, "season", "seed"):
            raise UserError(f"--set={setting}: give --{setting.replace('seed=', 'seeds=')}")
    return [*(f"{knob}={value}" for knob, value in own.items()), *SET.value]


def shift_of(forecasts: "Forecasts") -> dict[str, tuple[float, float]]:
    """Each of the three correlations, the mean over the seeds and half its 95 % interval."""
    from seqjax.runs import statistics
    from seqjax.scoring.shift import shift

    each = [shift(forecasts.last, own, forecasts.came)._asdict() for own in forecasts.model]
    means = {name: statistics.mean([own[name] for own in each]) for name in each[0]}
    return {name: (found.mean, found.half or 0.0) for name, found in means.items()}


def lines(forecasts: "Forecasts", judgement: "Judgement", name: str, column: str) -> list[str]:
    """For people."""
    from seqjax.runs.lines import number
    from seqjax.scoring.judgement import LAST, said

    errors = forecasts.errors(HORIZON.value)
    of = lambda own: number(float(np.mean(own)))
    seeds = len(forecasts.model)
    ahead = f"{HORIZON.value} row{'s' if HORIZON.value > 1 else ''} ahead"
    found = [f"{name}, {column}, {ahead}: {len(forecasts.last):,} forecasts, {ORIGINS.value} origins, {seeds} seeds"]
    rows = [(LAST, of(errors.simple[LAST]), "")]
    rows += [(key, of(own), said(judgement.skills[key])) for key, own in errors.simple.items() if key != LAST]
    rows += [(EXPERIMENT.value, of(errors.model), said(judgement.skills["model"]))]
    widths = [max(len(row[k]) for row in rows) for k in range(2)]
    found += [f"  {'':{widths[0]}}  {'error':>{widths[1]}}  skill over the last value"]
    found += [f"  {row[0]:{widths[0]}}  {row[1]:>{widths[1]}}  {row[2]}".rstrip() for row in rows]
    found += [f"Diebold-Mariano against the last value: {judgement.test.statistic:.2f}, p {judgement.test.p:.2g}"]
    test = {key: mean for key, (mean, _) in shift_of(forecasts).items()}
    found += [
        f"Shift test: correlation of the forecast with the last value {test['of_last']:.4f}, with the next "
        f"{test['of_next']:.4f}, of its changes with the true ones {test['of_changes']:.4f}"
    ]
    return [*found, judgement.sentence]


def write(output: Path, forecasts: "Forecasts", judgement: "Judgement", column: str) -> None:
    """verdict.json and verdict.svg."""
    from seqjax.report import shift

    errors, bars = forecasts.errors(HORIZON.value), shift_of(forecasts)
    facts: dict[str, Any] = {**judgement.facts(), "forecasts": len(forecasts.last), "horizon": HORIZON.value}
    facts["mae"] = {"model": [float(own.mean()) for own in errors.model]}
    facts["mae"] |= {name: float(own.mean()) for name, own in errors.simple.items()}
    facts["shift"] = {name: {"mean": mean, "half_interval_95": half} for name, (mean, half) in bars.items()}
    chart = {"last": forecasts.last, "forecast": forecasts.model[0], "came": forecasts.came}
    output.mkdir(parents=True, exist_ok=True)
    write_atomically(output / "verdict.json", to_json(facts, indent=1) + "\n")
    shown = {name: values[-CHART:].tolist() for name, values in chart.items()}
    write_atomically(output / "verdict.svg", shift.svg(shown, bars, column))
    print(f"{output / 'verdict.json'}, {output / 'verdict.svg'}")


def run() -> None:
    """Entry point."""
    run_tool(main, FLAGS, __doc__)


if __name__ == "__main__":
    run()
