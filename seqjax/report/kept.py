"""Rows that are kept when their run folders are not: one small JSON file for the runs that differ only in their seed.

NAME.json  what all seeds share (experiment, data, options and their defaults, fingerprint, versions, device,
           parameters, the lecture's number), then each seed's results, what it does not share, and its epochs by column
NAME.npz   a seed's best weights, where the report draws forecasts from them: each array under its path joined by "/"

Nothing is rounded: what comes back is what config.json, metrics.jsonl and results.json held, but for the command line.
"""

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqjax.errors import UserError
from seqjax.experiment import FILE_KNOBS
from seqjax.files import write_atomically
from seqjax.report.run import Run

if TYPE_CHECKING:
    from seqjax.report.runs import Group

KIND = "kept row"
SHARED = ("parameters", "lecture", "optimum", "baselines")
"""Of the results: not the seeds' own."""
REPEATED = ("experiment", "data", "options")
"""What results.json repeats of config.json."""


def packed(runs: Sequence[Run], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Finished runs that differ only in their seed, as a file's content; defaults: of their experiment's knobs."""
    configs = [_config(run) for run in runs]
    results = [{key: value for key, value in (run.results or {}).items() if key not in REPEATED} for run in runs]
    first = {"kind": KIND, **configs[0], "defaults": dict(defaults)}
    first["results"] = {key: results[0][key] for key in SHARED if key in results[0]}
    weights = next((run.seed for run in runs if run.weights), None)
    first |= {} if weights is None else {"weights": weights}
    seeds = []
    for run, config, result in zip(runs, configs, results, strict=True):
        own = {key: value for key, value in config.items() if key != "defaults" and first.get(key, ...) != value}
        scores = {key: value for key, value in result.items() if first["results"].get(key, ...) != value}
        seed = {"seed": run.seed, "results": scores}
        seeds.append(seed | ({"config": own} if own else {}) | {"epochs": _columns(run.rows)})
    return {**first, "seeds": seeds}


def _config(run: Run) -> dict[str, Any]:
    options = {knob: value for knob, value in run.config["options"].items() if knob != "seed"}
    return {**{key: value for key, value in run.config.items() if key != "command"}, "options": options}


def _columns(rows: Sequence[Any]) -> Any:
    """[{name: value or the like, ...}, ...] -> {name: [value, ...] or the like, ...}."""
    if not rows or not isinstance(rows[0], dict):
        return list(rows)
    return {name: _columns([row[name] for row in rows]) for name in rows[0]}


def _rows(columns: Any) -> list[Any]:
    """The reverse of `_columns`."""
    if not isinstance(columns, dict):
        return columns
    whole = [_rows(column) for column in columns.values()]
    return [dict(zip(columns, values, strict=True)) for values in zip(*whole, strict=True)]


def unpacked(found: Mapping[str, Any], path: Path) -> Iterator[Run]:
    """The runs of a file's content.

    Raises:
      UserError: it is not whole.
    """
    try:
        config = {key: value for key, value in found.items() if key not in ("kind", "results", "seeds", "weights")}
        for seed in found["seeds"]:
            own = config | seed.get("config", {})
            own["options"] = own["options"] | {"seed": seed["seed"]}
            results = {**{key: own[key] for key in REPEATED}, **found["results"], **seed["results"]}
            weights = path.with_suffix(".npz") if found.get("weights") == seed["seed"] else None
            yield Run(path, own, results, _rows(seed["epochs"]), kept=True, weights=weights)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise UserError(f"{path} is damaged ({type(error).__name__}: {error}); take it from git again") from error


def text(content: Mapping[str, Any]) -> str:
    """As it is written: a line for each thing that is shared, and one for each seed."""
    shared = [f" {json.dumps(key)}: {json.dumps(value)}" for key, value in content.items() if key != "seeds"]
    seeds = [f"  {json.dumps(seed, separators=(',', ':'))}" for seed in content["seeds"]]
    return "{\n" + ",\n".join([*shared, ' "seeds": [\n' + ",\n".join(seeds) + "\n ]"]) + "\n}\n"


def merged(before: Mapping[str, Any], now: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """A kept row with the seeds of another one besides its own.

    Raises:
      UserError: it is another row, or a seed has come out otherwise; the message names the first thing that differs.
    """
    was, is_now = _identity(before, now["defaults"]), _identity(now, now["defaults"])
    for name in {**was, **is_now}:
        if was.get(name) != is_now.get(name):
            raise UserError(
                f"{path} keeps a row with {name}={was.get(name)}, not {is_now.get(name)}; "
                "give another --keep, or --replace"
            )
    old = {run.seed: run for run in unpacked(before, path)}
    new = {run.seed: run for run in unpacked(now, path)}
    for seed in sorted(old.keys() & new.keys()):
        was, is_now = ((run.results or {}).get("test") for run in (old[seed], new[seed]))
        if was != is_now:
            raise UserError(f"{path} keeps seed {seed} with test scores {was}, not {is_now}; --replace drops those")
    return packed([({**new, **old})[seed] for seed in sorted({**old, **new})], before["defaults"])


def _identity(content: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """What two rows must have in common to be one. Knobs that came since count as if they had been at their default."""
    knobs = {name: value for name, value in {**defaults, **content["options"]}.items() if name != "seed"}
    knobs = {name: value for name, value in knobs.items() if name not in FILE_KNOBS}
    return {"experiment": content.get("experiment"), "data": content.get("data"), **knobs} | {
        "fingerprint": content.get("fingerprint")
    }


def name_of(group: "Group", root: Path) -> str:
    """Of a row's file: its runs' own folder below `root`, joined by "_"; the row's label where they have none."""
    folders = [run.path.parent if run.path.name == f"seed_{run.seed}" else run.path for run in group.runs]
    parts = folders[0].relative_to(root).parts if len(set(folders)) == 1 and folders[0].is_relative_to(root) else ()
    return "_".join(parts) or group.label.replace(" ", "_").replace("/", "-")


def keep(groups: Sequence["Group"], root: Path, folder: Path, *, replace: bool = False) -> list[Path]:
    """Write a file for each row of runs below `root`, with the best weights of one seed of the temperature rows.

    Args:
      groups: the rows; what is a kept row already is left alone.
      root: the folder below which their runs are.
      folder: where the files are, or will be. A row that is there gets the seeds that it has not.
      replace: a row that is there is written anew.

    Returns:
      the files.

    Raises:
      UserError: a file of another row, or a seed that has come out otherwise, and not `replace`; or the folder cannot
        be written. What came before it is written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        written = [_keep(group, folder / f"{name_of(group, root)}.json", replace) for group in groups if not group.kept]
    except OSError as error:
        raise UserError(f"--keep={folder} cannot be written: {error.strerror or error}") from error
    return written


def _keep(group: "Group", path: Path, replace: bool) -> Path:
    """One row's file, and its weights'."""
    from seqjax.report import weights

    first, drawn = group.runs[0], path.with_suffix(".npz")
    forecasts = group.experiment.startswith("jena") and group.metric == "mae" and not group.deterministic
    params = weights.of_run(first.path) if forecasts else None
    first = dataclasses.replace(first, weights=None if params is None else drawn)
    content = packed([first, *group.runs[1:]], group.defaults)
    if path.exists() and not replace:
        before = _content(path)
        content = merged(before, content, path)
        params = None if "weights" in before else params
    if params is not None and content.get("weights") == first.seed:
        weights.save(drawn, params)
    write_atomically(path, text(content))
    return path


def _content(path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path} is damaged ({error}); take it from git again, or --replace") from error
    if not isinstance(found, dict) or found.get("kind") != KIND:
        raise UserError(f"{path} is no row that was kept; give another --keep")
    return found
