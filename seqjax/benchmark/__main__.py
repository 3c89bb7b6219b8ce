"""The benchmark's command line; the package's docstring says what it does."""

import argparse
import importlib.util
import json
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import seqjax.benchmark
from seqjax import folders
from seqjax.benchmark import cold, growth, growth_picture, series, table, tables, texts, workloads
from seqjax.benchmark.measure import MODES, Measurement, Row
from seqjax.benchmark.worker import OURS, PEERS
from seqjax.command_line import complain, failing
from seqjax.errors import UserError


class Parser(argparse.ArgumentParser):
    """Wrong flags are the user's errors, like everything else."""

    def error(self, message: str) -> NoReturn:
        """Raises UserError."""
        raise UserError(message)


def parser() -> Parser:
    """The flags."""
    listed = lambda text: [word for word in text.split(",") if word]
    made = Parser(
        "python -m seqjax.benchmark",
        description=seqjax.benchmark.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = made.add_argument
    shown = workloads.WORKLOADS | workloads.SEQUENCES | workloads.STREAMS
    titles = {name: workload.title for name, workload in shown.items()}
    titles["library"] = f"all of {', '.join(workloads.LIBRARY)}"
    add("--workloads", type=listed, default=list(workloads.WORKLOADS), help=f"{_lines(titles)} Default: W1 to W6.")
    add("--peers", type=listed, default=list(PEERS), help=f"Of {', '.join(PEERS)}; empty for none.")
    add("--modes", type=listed, default=list(MODES), help=f"Of {', '.join(MODES)}.")
    add("--output", help="Write the rows to this file as JSON, after every workload.")
    add("--blocks", type=int, help="Blocks of steps of which the median is taken (default: 7; 3 for --growth).")
    add("--block_seconds", type=float, help="About how long a block is (default: 1; 0.2 for --growth).")
    add("--scale", type=float, default=1.0, help="Shrink the workloads, to try the benchmark; 0.02 takes seconds.")
    said = "Instead: the input pipeline and the programs of these experiments, NAME or NAME:KNOB=VALUE."
    add("--pipeline", type=listed, default=[], help=said)
    kinds = {name: kind.title for name, kind in texts.KINDS.items()}
    add("--text", type=listed, default=[], help=f"Instead: vectorizers and word2vec. {_lines(kinds)}")
    read = {name: kind.title for name, kind in tables.KINDS.items()}
    add("--tables", type=listed, default=[], help=f"Instead: readers of CSV. {_lines(read)}")
    classified = {name: kind.title for name, kind in series.KINDS.items()}
    said = f"Instead: classifiers of series beside {', '.join(series.PEERS)}. {_lines(classified)}"
    add("--series", type=listed, default=[], help=said)
    add("--seeds", type=int, default=1, help="For --series: how often those are run that draw random numbers.")
    add("--cold", action="store_true", help="Instead: seconds from the start of a process to its first W1 step.")
    axes = ",".join(growth.AXES)
    said = f"Instead: how a step's time grows with each of {axes} (default: all)."
    add("--growth", type=listed, nargs="?", const=axes, help=said)
    add("--data", choices=["real", "sample"], default="real", help="For --pipeline, --text and --series.")
    add("--data_dir", help="For these: where real data are (default: $SEQJAX_DATA_DIR, else ~/.cache/seqjax).")
    return made


def _lines(titles: Mapping[str, str]) -> str:
    return "Of " + "; ".join(f"{name} ({title})" for name, title in titles.items()) + "."


def main(arguments: Sequence[str]) -> int:
    """Measure, print and write; returns the exit code, 1 if ours could not be measured.

    Raises:
      UserError: a wrong flag.
    """
    options = parser().parse_args(arguments)
    check(options)
    if options.output:
        write(options.output, [])  # before an hour's work: can it be written?
    if options.pipeline:
        measure_pipelines(options)
        return 0
    apart = {"text": measure_texts, "tables": measure_tables, "series": measure_series}
    for name, measured in apart.items():
        if getattr(options, name):
            measured(options)
            return 0
    if options.cold or options.growth:
        measure_cold(options) if options.cold else measure_growth(options)
        return 0
    rows: list[Row] = []
    chosen = [workloads.find(name) for name in options.workloads]
    peers = able(options.peers, chosen)
    for workload in chosen:
        measurement = Measurement(
            workload, scale=options.scale, blocks=options.blocks, block_seconds=options.block_seconds, say=complain
        )
        rows += measurement.rows([peer for peer in peers if PEERS[peer].runs(workload)], modes_of(workload, options))
        if options.output:
            write(options.output, rows)
        complain(f"{workload.name} is done")
    print(f"milliseconds for a step; * with the memory setting that we use ourselves{scaled(options)}")
    print(table.comparison(rows))
    print(f"\npeak memory of the whole process (libraries and data too) in MB; infer is run first{scaled(options)}")
    print(table.comparison(rows, "peak_memory_mb"))
    ours = {(row["workload"], row["mode"]) for row in rows if row["implementation"] == OURS}
    return 0 if len(ours) == sum(len(modes_of(workload, options)) for workload in chosen) else 1


def able(peers: Iterable[str], chosen: Sequence[workloads.Workload]) -> list[str]:
    """The peers that can run any of the workloads here; says which of them cannot for want of something."""
    asked = [peer for peer in peers if any(PEERS[peer].runs(workload) for workload in chosen)]
    return [peer for peer in asked if has_gpu(peer) and installed(peer, PEERS[peer].packages)]


def modes_of(workload: workloads.Workload, options: argparse.Namespace) -> list[str]:
    """Those asked for that it has."""
    return [mode for mode in options.modes if mode in workload.modes]


def scaled(options: argparse.Namespace) -> str:
    """A warning above the table, or nothing."""
    return f"; all sizes times {options.scale:g}: these are not the real workloads" if options.scale != 1 else ""


def check(options: argparse.Namespace) -> None:
    """Raise UserError for a wrong name or number, before anything is started."""
    options.workloads = workloads.named(options.workloads)
    apart = [
        f"--{name}" for name in ("pipeline", "text", "tables", "series", "cold", "growth") if getattr(options, name)
    ]
    if len(apart) > 1:
        raise UserError(f"{' and '.join(apart)} are measured one at a time")
    known = (("peer", options.peers, PEERS), ("mode", options.modes, MODES), ("kind", options.text, texts.KINDS))
    known += (("table", options.tables, tables.KINDS), ("axis", options.growth or [], growth.AXES))
    known += (("series", options.series, series.KINDS),)
    for kind, chosen, choices in known:
        for name in chosen:
            if name not in choices:
                raise UserError(f"there is no {kind} {name!r}; choices: {', '.join(choices)}")
    for name in ("workloads", "modes", "growth"):
        if getattr(options, name) == []:
            raise UserError(f"--{name}= is empty")
    for name in ("modes", "text", "tables", "series"):
        setattr(options, name, list(dict.fromkeys(getattr(options, name))))
    for name in options.workloads:
        if not modes_of(workloads.find(name), options):
            raise UserError(
                f"{name} has no mode {options.modes[0]!r}; choices: {', '.join(workloads.find(name).modes)}"
            )
    blocks, seconds = (growth.BLOCKS, growth.BLOCK_SECONDS) if options.growth else (7, 1.0)
    options.blocks = blocks if options.blocks is None else options.blocks
    options.block_seconds = seconds if options.block_seconds is None else options.block_seconds
    if options.growth and str(options.output).endswith(".svg"):
        raise UserError(f"--output={options.output} is for the rows as JSON; the picture goes beside it, as .svg")
    if options.seeds < 1:
        raise UserError(f"--seeds={options.seeds} must be at least 1")
    if options.blocks < 1:
        raise UserError(f"--blocks={options.blocks} must be at least 1")
    if not options.block_seconds >= 0:
        raise UserError(f"--block_seconds={options.block_seconds} must not be negative")
    if not 0 < options.scale <= 1:
        raise UserError(f"--scale={options.scale} is not in (0, 1]")
    if options.pipeline:
        from seqjax.experiment import find

        options.pipeline = list(dict.fromkeys(options.pipeline))
        for text in options.pipeline:
            find(text.partition(":")[0])  # knobs are read later: an experiment's file imports JAX


def has_gpu(peer: str) -> bool:
    """Whether there is the GPU that a peer needs, if any; if not, says so."""
    found = not PEERS[peer].nvidia or shutil.which("nvidia-smi") is not None
    if not found:
        complain(f"{peer} is left out: no NVIDIA GPU here (no nvidia-smi)")
    return found


def installed(peer: str, packages: Iterable[str]) -> bool:
    """Whether a peer's packages are there; if not, says how to get them."""
    missing = [package for package in packages if importlib.util.find_spec(package) is None]
    if missing:
        complain(f"{peer} is left out: {' and '.join(missing)} not installed; pip install 'seqjax[benchmark]'")
    return not missing


def measure_pipelines(options: argparse.Namespace) -> None:
    """The table of `--pipeline`, measured in this process."""
    from seqjax.runtime import tune

    tune()
    from seqjax.benchmark import pipeline

    timing = {"blocks": options.blocks, "block_seconds": options.block_seconds}
    rows = pipeline.measure(options.pipeline, options.data, _data_dir(options), **timing)
    if options.output:
        write(options.output, rows)
    print("examples per second")
    print(table.pipelines(rows))


def measure_texts(options: argparse.Namespace) -> None:
    """The table of `--text`, measured in this process."""
    from seqjax.runtime import tune

    tune()
    wanted = dict.fromkeys(peer for kind in options.text for peer in texts.KINDS[kind].peers)
    peers = [peer for peer in wanted if installed(peer, texts.PEERS[peer])]
    rows = texts.measure(options.text, options.data, _data_dir(options), peers, options.blocks)
    if options.output:
        write(options.output, rows)
    print(table.texts(rows))


def measure_tables(options: argparse.Namespace) -> None:
    """The table of `--tables`, measured in processes."""
    peers = [peer for peer in tables.PEERS if installed(peer, [peer])]
    rows = tables.measure(options.tables, _data_dir(options), peers, options.blocks, options.scale)
    if options.output:
        write(options.output, rows)
    print(table.tables(rows))


def measure_series(options: argparse.Namespace) -> None:
    """The table of `--series`, measured in this process."""
    from seqjax.runtime import tune

    tune()
    peers = [peer for peer in series.PEERS if options.peers and installed(peer, series.PEERS[peer])]
    rows = []
    for row in series.measure(options.series, options.data, _data_dir(options), peers, options.seeds):
        rows.append(row)  # the slowest take hours: what is there is kept
        if options.output:
            write(options.output, rows)
    print(table.series(rows))


def measure_cold(options: argparse.Namespace) -> None:
    """The table of `--cold`, measured in processes."""
    peers = [peer for peer in options.peers if not PEERS[peer].nvidia]
    rows = cold.measure(able(peers, [workloads.find(cold.WORKLOAD)]), options.blocks, options.scale, complain)
    if options.output:
        write(options.output, rows)
    print(table.cold(rows))


def measure_growth(options: argparse.Namespace) -> None:
    """The table of `--growth`, measured in processes, and its picture."""
    peers = able([peer for peer in options.peers if peer in growth.PEERS], [growth.BASE])
    measured = growth.Growth(
        peers, blocks=options.blocks, block_seconds=options.block_seconds, scale=options.scale, say=complain
    )
    rows = measured.rows(options.growth, lambda rows: write(options.output, rows) if options.output else None)
    print(f"milliseconds for a gradient{scaled(options)}")
    print(table.growth(rows))
    if options.output:
        picture = Path(options.output).with_suffix(".svg")
        picture.write_text(growth_picture.draw(rows), encoding="utf-8")
        complain(f"the picture is {picture}")


def _data_dir(options: argparse.Namespace) -> Path:
    return folders.data_dir(options.data_dir)


def write(path: str, rows: Sequence[Any]) -> None:
    """Rows as JSON, one a line.

    Raises:
      UserError: the file cannot be written.
    """
    lines = ",\n".join(json.dumps(row) for row in rows)
    try:
        Path(path).write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    except OSError as error:
        raise UserError(f"--output={path} cannot be written: {error.strerror}") from error


def run() -> None:
    """Entry point: errors that the user can mend are one line and exit code 2."""
    code = 0
    with failing():
        code = main(sys.argv[1:])
        sys.stdout.flush()
    sys.exit(code)


if __name__ == "__main__":
    run()
