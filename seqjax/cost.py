"""What a row's training step does, and what it would take and cost on accelerators: computed, not measured.

python -m seqjax.cost --experiment=imdb_bilstm --data=sample
python -m seqjax.cost --experiment=shakespeare_lstm --data=sample --set=batch_size=256 --measure

The train step is compiled here by XLA as for a GPU (`fused` recurrences), for one and for eight chips; what each kernel
does is read from the compiled text, loops counted out, and held against peaks, bandwidths and prices
(seqjax/runs/chips.py). --measure: a core of this CPU too, from peaks measured on the spot, beside the time measured.
"""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from absl import flags

from seqjax import experiment as experiments
from seqjax import folders
from seqjax.command_line import run_tool
from seqjax.errors import UserError, check_least

if TYPE_CHECKING:
    from seqjax.runs.lowered import Steps
    from seqjax.runs.program_cost import Cost

FLAGS = flags.FlagValues()
EXPERIMENT = flags.DEFINE_string("experiment", None, "Which one.", flag_values=FLAGS)
SET = flags.DEFINE_multi_string("set", [], "knob=value: change a knob; may be repeated.", flag_values=FLAGS)
DATA = flags.DEFINE_enum("data", "real", ["real", "sample"], "For shapes and the number of steps.", flag_values=FLAGS)
DATA_DIR = flags.DEFINE_string("data_dir", None, "As of seqjax.main.", flag_values=FLAGS)
CHIPS = flags.DEFINE_list("chips", ["1", "8", "64", "256"], "How many.", flag_values=FLAGS)
PRICE = flags.DEFINE_multi_string("price", [], "NAME=DOLLARS of a chip, an hour: H100=2.5.", flag_values=FLAGS)
MEASURE = flags.DEFINE_bool("measure", False, "A core of this CPU too, predicted and measured.", flag_values=FLAGS)


def main(arguments: Sequence[str]) -> None:
    """Print the table. Raises UserError: wrong flags, experiment or data."""
    if arguments:
        raise UserError(f"{arguments[0]!r} is not a flag")
    if EXPERIMENT.value is None:
        raise UserError(f"--experiment=NAME is missing; choices: {', '.join(experiments.names())}")
    function = experiments.load(experiments.find(EXPERIMENT.value))
    counts, prices = _counts(), _prices()
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=8"
    os.environ["JAX_PLATFORMS"] = "cpu"
    if MEASURE.value:
        _take_one_core()
    from seqjax.data.pipeline import steps_per_epoch
    from seqjax.runs import commands
    from seqjax.runs.lowered import Steps

    options = experiments.options(function, SET.value)
    source = experiments.build(function, options).source
    dataset = source.load(DATA.value, folders.data_dir(DATA_DIR.value))
    experiment = commands.as_told(function, options, dataset)
    commands.check_model(experiment, dataset)
    rows = experiment.batch_size
    if rows % 8:
        raise UserError(f"batch_size={rows} does not divide over the 8 chips that the step is compiled for")
    steps = experiment.epochs * steps_per_epoch(len(dataset.parts["train"]), rows)
    step = Steps(experiment, dataset)
    one, eight = (costs_of(step, count) for count in (1, 8))
    print(f"{EXPERIMENT.value}: {dataset.description}; {rows} rows a batch, {steps:,} steps a run")
    print(_said(one, eight))
    print(_table(one, eight, counts, prices, rows, steps))
    if MEASURE.value:
        from seqjax.runs.this_cpu import compared

        print(compared(step, one))


def _take_one_core() -> None:
    """What is measured is one; before JAX is imported."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    os.environ["NPROC"] = "1"
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_multi_thread_eigen=false"


def costs_of(steps: "Steps", count: int) -> "list[Cost]":
    """Of the train step on `count` chips, compiled here."""
    from seqjax.runs.lowered import compiled_here
    from seqjax.runs.program_cost import Compiled

    return Compiled(compiled_here(steps.train(), count).as_text() or "").costs()


def _said(one: "Sequence[Cost]", eight: "Sequence[Cost]") -> str:
    total = lambda costs, name: sum(getattr(cost, name) * cost.times for cost in costs)
    exchanges = [cost for cost in eight if cost.exchanged]
    kinds = ", ".join(sorted({cost.operation for cost in exchanges})) or "none"
    return (
        f"a step: {total(one, 'flops'):.4g} FLOP of products, {total(one, 'elements'):.4g} others, "
        f"{total(one, 'bytes'):.4g} bytes, "
        f"{sum(cost.times for cost in one):,} kernels one after the other; each of several chips exchanges "
        f"{total(eight, 'exchanged'):.4g} bytes, {sum(cost.times for cost in exchanges)} times ({kinds})"
    )


def _table(
    one: "Sequence[Cost]",
    eight: "Sequence[Cost]",
    counts: Sequence[int],
    prices: dict[str, float],
    rows: int,
    steps: int,
) -> str:
    """Computed, and it says so."""
    import dataclasses

    from seqjax.runs.chips import CHIPS as KINDS
    from seqjax.runs.chips import predict

    unknown = sorted(prices.keys() - {chip.name for chip in KINDS})
    if unknown:
        raise UserError(f"--price={unknown[0]}: choose of {', '.join(chip.name for chip in KINDS)}")
    lines = [
        "",
        "Computed from data sheets and list prices (seqjax/runs/chips.py), NOT measured:",
        f"{'chips':>12}  {'ms a step':>10}  {'roofline':>10}  {'hours a run':>11}  {'$ a run':>9}",
    ]
    for chip in KINDS:
        chip = dataclasses.replace(chip, dollars=prices.get(chip.name, chip.dollars))
        for count in counts:
            found = predict(one, eight, chip, count, rows)
            spare = f"  {count - found.used} chips idle: {rows} rows" if found.used < count else ""
            lines.append(
                f"{count:>4} {chip.name:<7}  {found.likely * 1e3:>10.4g}  {found.roofline * 1e3:>10.4g}  "
                f"{found.likely * steps / 3600:>11.3g}  {found.dollars(steps):>9.3g}{spare}"
            )
    lines.append(
        "ms a step: with the time between kernels; roofline: without. Evaluation, data and start are not counted."
    )
    return "\n".join(lines)


def _counts() -> list[int]:
    if not all(text.isdecimal() for text in CHIPS.value):
        raise UserError(f"--chips={','.join(CHIPS.value)}: whole numbers are expected, with commas between")
    for text in CHIPS.value:
        check_least("chips", int(text), 1)
    return [int(text) for text in CHIPS.value]


def _prices() -> dict[str, float]:
    found: dict[str, Any] = {}
    for text in PRICE.value:
        name, _, dollars = text.partition("=")
        try:
            found[name] = float(dollars)
        except ValueError:
            raise UserError(f"--price={text} is not of the form NAME=DOLLARS") from None
    return found


if __name__ == "__main__":
    run_tool(main, FLAGS, __doc__)
