"""Does a recurrent network memorise? Does recurrent dropout stop it, by one mask for all steps or another at each?

python -m seqjax.knobs --data_dir=DIR --output=runs/memorisation --set=units=32 --set=epochs=15 \
    --set=recurrent_dropout=0.25 --move=recurrent_dropout=0 --move=fresh=true --seeds=3
python -m seqjax.lecture.memorisation --workdir=runs/memorisation --data_dir=DIR --output=memorisation

The first command trains jena_recurrent with one mask for all steps of a sequence (Gal and Ghahramani 2016), without
recurrent dropout, and with another mask at each step. The second takes the best epoch of each run and asks for its
error on the training and on the validation part, dropout off in both: their difference is the gap. (A training curve
has dropout on, and is of parameters that still changed; so no gap is read from it.) Written are

memorisation.json   errors and gaps of every run, curves
memorisation.svg    gaps and curves
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from absl import flags

from seqjax.command_line import run_tool
from seqjax.errors import UserError
from seqjax.files import write_atomically

FLAGS = flags.FlagValues()  # our own: those of seqjax.main are others
WORKDIR = flags.DEFINE_string("workdir", None, "The output folder of seqjax.knobs.", flag_values=FLAGS)
DATA_DIR = flags.DEFINE_string("data_dir", None, "Where the data are.", flag_values=FLAGS)
OUTPUT = flags.DEFINE_string("output", "memorisation", "Folder of what is written.", flag_values=FLAGS)

COLOURS = ("C0", "C1", "C2", "0.35", "C4", "C5")


def main(arguments: Sequence[str]) -> None:
    """Ask, print and write.

    Raises:
      UserError: a wrong flag, or no finished run there.
    """
    if arguments or WORKDIR.value is None:
        raise UserError("give --workdir=FOLDER, which seqjax.knobs has written, and no other arguments")
    from seqjax import folders

    facts = ask(Path(WORKDIR.value), folders.data_dir(DATA_DIR.value))
    output = Path(OUTPUT.value)
    output.mkdir(parents=True, exist_ok=True)
    write_atomically(output / "memorisation.json", json.dumps(facts) + "\n")
    write_atomically(output / "memorisation.svg", figure(facts).svg)
    print(table(facts), end="")


def ask(path: Path, data_dir: Path) -> dict[str, Any]:
    """Errors of the best epochs of all finished runs below a folder of seqjax.knobs, by what is set, for JSON.

    Raises:
      UserError: no finished run.
    """
    from seqjax.runs import commands
    from seqjax.training.workdir import Workdir

    found: dict[str, list[dict[str, Any]]] = {}
    metric = ""
    for folder in sorted({file.parent for file in path.glob("**/results.json") if file.parent.name[:5] == "seed_"}):
        workdir = Workdir(folder)
        if workdir.results() is None:
            continue
        _, params, program = commands.opened(workdir, [], data_dir)
        metric = next(iter(program.experiment.metrics))
        train, validation = (program.evaluate(params, part)[metric] for part in ("train", "validation"))
        curves = {part: [row[part][metric] for row in workdir.rows()] for part in ("train", "validation")}
        name = folder.parent.relative_to(path).parts[-1]
        own = {"seed": int(folder.name.removeprefix("seed_")), "train": train, "validation": validation}
        found.setdefault(name, []).append(own | {"gap": validation - train, "curves": curves})
    if not found:
        raise UserError(f"no run below {path} has finished; train some with seqjax.knobs")
    return {"metric": metric, "runs": found}


def gaps(facts: Mapping[str, Any]) -> dict[str, Any]:
    """What is set -> (mean gap, its difference to the base's, paired by seed; None of the base)."""
    from seqjax.runs import statistics

    by_seed = {name: {run["seed"]: run["gap"] for run in runs} for name, runs in facts["runs"].items()}
    base = by_seed.get("base")
    return {
        name: (
            statistics.mean(list(own.values())),
            None if name == "base" or base is None else statistics.difference(own, base),
        )
        for name, own in by_seed.items()
    }


def table(facts: Mapping[str, Any]) -> str:
    """A line for each, as Markdown."""
    from seqjax.runs import statistics

    lines = [f"| runs | train {facts['metric']} | validation | gap | to the base's gap |", "|-|-|-|-|-|"]
    for name, (gap, apart) in gaps(facts).items():
        parts = [statistics.mean([run[part] for run in facts["runs"][name]]).mean for part in ("train", "validation")]
        half = "" if gap.half is None else f" +- {gap.half:.4f}"
        change = "" if apart is None else f"{apart.mean:+.4f}"
        change += "" if apart is None or apart.low is None else f" ({apart.low:+.4f} to {apart.high:+.4f})"
        lines.append(f"| {name} | {parts[0]:.4f} | {parts[1]:.4f} | {gap.mean:.4f}{half} | {change} |")
    return "\n".join(lines) + "\n"


def figure(facts: Mapping[str, Any]) -> Any:
    """The gap of every run, and the validation curves."""
    import numpy as np

    from seqjax.report.plots import Figure, drawn

    def draw(canvas: Any) -> None:
        by_gap, by_epoch = canvas.subplots(1, 2)
        found = gaps(facts)
        for place, (name, (gap, _)) in enumerate(found.items()):
            runs, colour = facts["runs"][name], COLOURS[place % len(COLOURS)]
            by_gap.plot([run["gap"] for run in runs], [place] * len(runs), "|", color=colour, markersize=9)
            by_gap.errorbar([gap.mean], [place], xerr=[gap.half or 0], fmt="D", color=colour, markersize=4, capsize=3)
            for part, style in (("validation", "-"), ("train", ":")):
                epochs = min(len(run["curves"][part]) for run in runs)
                curve = np.mean([run["curves"][part][:epochs] for run in runs], axis=0)
                by_epoch.plot(1 + np.arange(epochs), curve, style, color=colour, label=f"{name}, {part}")
        by_gap.set(yticks=range(len(found)), yticklabels=list(found), ylim=(len(found) - 0.5, -0.5))
        by_gap.set(xlabel=f"gap: validation {facts['metric']} - train {facts['metric']}, dropout off")
        by_epoch.set(xlabel="epoch", ylabel=facts["metric"], yscale="log")
        canvas.legend(*by_epoch.get_legend_handles_labels(), loc="outside lower center", ncols=3)

    caption = (
        "Left: how much worse the best epoch is on what it has not seen (ticks: seeds; bars: 95 % intervals). Right: "
        "curves, mean of the seeds; in training dropout is on, so dotted lines of runs with it lie too high."
    )
    return Figure("Memorisation, and recurrent dropout", caption, drawn(3.8, draw))


def run() -> None:
    """Entry point."""
    run_tool(main, FLAGS, __doc__)


if __name__ == "__main__":
    run()
