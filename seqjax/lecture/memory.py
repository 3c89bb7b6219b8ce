"""How far back does a trained model look, and does it mind the order? Asked of a run.

python -m seqjax.lecture.memory --workdir=runs/jena_lstm --data_dir=DIR --output=memory
python -m seqjax.lecture.memory --workdir=runs/imdb_unigram --data_dir=DIR --output=memory

Of examples spread evenly over the test part the past beyond the last k steps is cut (of a series each measurement is
replaced by its mean over the training part, of a review the words are left out) or shuffled, and the run's first
metric is compared with that of the whole past. Written are

memory.json   a list, of each run the scores by k, their changes and intervals
memory.svg    the scores over k, a picture a run

A bag of words does not change when all words are shuffled (k = 0), and its `same` says true; a model of the sequence
does. Windows that overlap are not independent: of a series the intervals are narrower than they should be unless
`--examples` are so few that windows do not overlap.
"""

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from absl import flags

from seqjax.command_line import run_tool
from seqjax.errors import UserError, check_least
from seqjax.files import write_atomically

FLAGS = flags.FlagValues()  # our own: those of seqjax.main are others
WORKDIR = flags.DEFINE_multi_string(
    "workdir", [], "Of a run with a best checkpoint; may be repeated.", flag_values=FLAGS
)
DATA_DIR = flags.DEFINE_string("data_dir", None, "Where the data are.", flag_values=FLAGS)
EXAMPLES = flags.DEFINE_integer("examples", 1000, "Of the test part.", flag_values=FLAGS)
KEPT = flags.DEFINE_list(
    "kept", ["0", "1", "2", "4", "8", "16", "32", "64", "128", "256"], "Steps that stay.", flag_values=FLAGS
)
OUTPUT = flags.DEFINE_string("output", "memory", "Folder of what is written.", flag_values=FLAGS)


def main(arguments: Sequence[str]) -> None:
    """Ask, print and write.

    Raises:
      UserError: a wrong flag, no run there, or one whose inputs are neither series nor texts.
    """
    if arguments or not WORKDIR.value:
        raise UserError("give --workdir=RUN and no other arguments")
    check_least("--examples", EXAMPLES.value, 1)
    if not all(text.isdecimal() for text in KEPT.value):
        raise UserError(f"--kept={','.join(KEPT.value)}: give whole numbers of steps")
    from seqjax import folders

    kept = sorted({int(text) for text in KEPT.value})
    data_dir = folders.data_dir(DATA_DIR.value)
    found = [ask(Path(path), data_dir, kept, EXAMPLES.value) for path in WORKDIR.value]
    output = Path(OUTPUT.value)
    output.mkdir(parents=True, exist_ok=True)
    write_atomically(output / "memory.json", json.dumps(found) + "\n")
    write_atomically(output / "memory.svg", figure(found).svg)
    print("\n".join(line for facts in found for line in lines(facts)))


def lines(facts: Mapping[str, Any]) -> Iterator[str]:
    """What `ask` has found, for a terminal."""
    for how, rows in facts["looks"].items():
        for row in rows:
            half = "" if row["half"] is None else f" +- {row['half']:.4f}"
            half += "; every answer the same to the last bit" if row["same"] else f"; {row['moved']:.1%} are others"
            score = f"{facts['metric']} {row['score']:.4f}, {row['change']:+.4f}{half}"
            yield f"{_label(facts)}, {how}, last {row['kept']} {facts['steps']} left: {score}"


def ask(path: Path, data_dir: Path, kept: Sequence[int], examples: int) -> dict[str, Any]:
    """How far back the best epoch of a run looks, for JSON.

    Args:
      path: its folder.
      data_dir: where its data are.
      kept: each number of steps that stay.
      examples: how many of the test part, at most.

    Raises:
      UserError: no run there, or one whose inputs are neither series nor texts.
    """
    import dataclasses

    import jax
    import numpy as np

    from seqjax.lecture import forgotten
    from seqjax.runs import commands
    from seqjax.training.program import answer
    from seqjax.training.workdir import Workdir

    workdir = Workdir(path)
    _, params, program = commands.opened(workdir, [], data_dir)
    experiment = program.experiment
    metric, function = next(iter(experiment.metrics.items()))
    read = _reviews if hasattr(experiment.source, "texts") else _windows
    inputs, targets, ways = read(workdir, program, data_dir, examples)
    if read is _windows:
        kept = [k for k in kept if k <= inputs[0].shape[1]]
    compiled = jax.jit(lambda params, inputs: answer(experiment, params, inputs))
    found = {
        how: forgotten.looks(
            lambda given: np.concatenate([np.asarray(compiled(params, batch)) for batch in given]),
            lambda answers: function(answers, targets),
            inputs,
            changed,
            kept,
        )
        for how, changed in ways.items()
    }
    config = workdir.run()
    return {
        "experiment": config["experiment"],
        "set": {k: v for k, v in config["options"].items() if v != config["defaults"].get(k, v)},
        "metric": metric,
        "examples": len(targets),
        "steps": "words" if read is _reviews else _unit(experiment.source),
        "looks": {how: [dataclasses.asdict(look) for look in looks] for how, looks in found.items()},
    }


def _unit(source: Any) -> str:
    """Of the steps of a series."""
    from seqjax.data.series.jena import Windows

    return "hours" if isinstance(source, Windows) and source.sampling_rate is None else "steps"


def _windows(workdir: Any, program: Any, data_dir: Path, examples: int) -> tuple[Any, Any, Mapping[str, Any]]:
    """(inputs, targets, how -> k -> inputs) of series whose columns have the mean 0, in one batch."""
    import numpy as np

    from seqjax.lecture import forgotten

    del workdir, data_dir
    dataset = program.dataset
    ids = dataset.parts["test"]
    ids = ids[np.linspace(0, len(ids) - 1, min(examples, len(ids))).astype(int)]
    inputs, targets = dataset.gather(dataset.arrays, ids)
    if not (isinstance(inputs, np.ndarray) and inputs.ndim == 3 and inputs.dtype.kind == "f"):
        raise UserError("the run's inputs are neither series [examples, steps, features] nor reviews")
    ways = {
        "cut": lambda k: [forgotten.cut(inputs, k, 0.0)],
        "shuffled": lambda k: [forgotten.shuffled(inputs, k)],
    }
    return [inputs], targets, ways


def _reviews(workdir: Any, program: Any, data_dir: Path, examples: int) -> tuple[Any, Any, Mapping[str, Any]]:
    """The same of reviews, changed as texts and then encoded, in batches; those that are cut to their length are not
    taken."""
    import numpy as np

    from seqjax.lecture import forgotten

    source = program.experiment.source
    texts, labels = source.texts(workdir.run()["data"], data_dir)
    short = [k for k, text in enumerate(texts) if len(text.split()) <= (source.length or LONGEST)]
    chosen = [short[k] for k in np.linspace(0, len(short) - 1, min(examples, len(short))).astype(int)]

    def encoded(change: Any) -> list[Any]:
        lines = "\n".join(change(" ".join(texts[k].split())) for k in chosen)
        requests = source.requests(workdir.path, io.StringIO(lines + "\n"), "reviews")
        size = 50
        batches = [requests.ids[k : k + size] for k in range(0, len(requests.ids), size)]
        return [requests.gather(requests.arrays, ids) for ids in batches]

    def shuffled(k: int) -> list[Any]:
        rng = np.random.default_rng(0)
        return encoded(lambda text: forgotten.shuffled_words(text, k, rng))

    ways = {"cut": lambda k: encoded(lambda text: forgotten.cut_words(text, k)), "shuffled": shuffled}
    return encoded(str), np.asarray([labels[k] for k in chosen], np.float32), ways


def _label(facts: Mapping[str, Any]) -> str:
    """The experiment, and a cell that is not its own."""
    return facts["experiment"] + (f" ({facts['set']['cell']})" if "cell" in facts["set"] else "")


LONGEST = 500
"""Words of a review that is taken: they are fewer than 600 tokens, at which reviews are cut."""


def figure(found: Sequence[Mapping[str, Any]]) -> Any:
    """Scores over the steps that stay: a picture a run, of runs that `ask` was asked of."""
    from seqjax.report.plots import Figure, drawn

    height = -(-len(found) // 2)

    def draw(canvas: Any) -> None:
        panels = canvas.subplots(height, min(len(found), 2), squeeze=False).ravel()
        for axes in panels[len(found) :]:
            axes.set_axis_off()
        for axes, facts in zip(panels, found, strict=False):
            for (how, rows), colour in zip(facts["looks"].items(), ("C0", "C1"), strict=False):
                halves = [row["half"] or 0 for row in rows]
                places, scores = [row["kept"] for row in rows], [row["score"] for row in rows]
                axes.errorbar(places, scores, halves, fmt="o-", color=colour, markersize=4, capsize=3, label=how)
            rows = next(iter(facts["looks"].values()))
            kept, row = [row["kept"] for row in rows], rows[-1]
            axes.axhline(row["score"] - row["change"], color="0.35", linestyle=":", label="the whole past")
            axes.set_xscale("symlog", linthresh=1)
            axes.set(xlim=(-0.2, None), xticks=kept, xticklabels=kept)
            axes.minorticks_off()
            axes.set(xlabel=f"last {facts['steps']} left as they were", ylabel=facts["metric"], title=_label(facts))
            axes.legend()

    caption = (
        "The score of a trained model when its past beyond so many steps is cut or shuffled; bars: 95 % intervals of "
        "the change. Where a line reaches the dotted one, the model looks no further back; where shuffled words change "
        "nothing, it knows no order."
    )
    return Figure("How far back does it look?", caption, drawn(0.6 + 3.2 * height, draw))


def run() -> None:
    """Entry point."""
    run_tool(main, FLAGS, __doc__)


if __name__ == "__main__":
    run()
