"""Whether a run's config.json and what is asked of its folder are the same run, and what differs first."""

import re
from collections.abc import Mapping
from typing import Any

from seqjax.errors import UserError
from seqjax.experiment import FILE_KNOBS

IDENTITY = ("experiment", "data", "swept", "folds", "refit", "deterministic", "options", "fingerprint")
ABSENT = {"deterministic": False}
"""What an entry was before there was one."""
KINDS = {"run": "a single run", "members": "the runs of --seeds or --sweep", "backtest": "the folds of --backtest"}
GROWS = "epochs"
"""The one knob that may grow: batches and random numbers are functions of seed and step, so more epochs are more rows
of the same run. It grows when it is given (`given`), never because a default is larger."""


def check(old: Mapping[str, Any], config: Mapping[str, Any], path: str) -> None:
    """Do nothing if `config` asks for the run of `old`, or for more epochs of it.

    Options that came after the folder's run count as if it had them at the `defaults` of `config`; where a file lies
    does not count.

    Raises:
      UserError: another run; the message names the first thing that differs.
    """
    before, now = old.get("kind", "run"), config.get("kind", "run")
    if before != now:
        raise UserError(f"workdir {path} holds {KINDS[before]}, not {KINDS[now]}; choose another --workdir")
    for name in IDENTITY:
        if name not in config:
            continue
        before, now = old.get(name, ABSENT.get(name)), config[name]
        if name == "options" and before is not None:
            before, now = _knobs(before, config), _knobs(now, config)
            if grows(before, config):
                before[GROWS] = now[GROWS]
        if _same(before, now):
            continue
        if name == "fingerprint":
            raise UserError(_other_data(old.get("description"), config.get("description"), path))
        if isinstance(before, dict) and isinstance(now, dict):
            before, now = ({key: mine.get(key, "unknown") for key in {**before, **now}} for mine in (before, now))
            name = next(key for key in now if not _same(before[key], now[key]))
            before, now = before[name], now[name]
        raise UserError(f"workdir {path} holds a run with {name}={before}, not {now}; {_choices(name, before, now)}")


def grows(before: Mapping[str, Any], config: Mapping[str, Any]) -> bool:
    """Whether `config` asks in words for more epochs than there are in the options `before`."""
    had, wanted = before.get(GROWS), config.get("options", {}).get(GROWS)
    more = isinstance(had, int) and isinstance(wanted, int) and wanted > had
    return more and GROWS in config.get("given", ())


def _knobs(options: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    whole = {**config.get("defaults", {}), **options}
    return {knob: value for knob, value in whole.items() if knob not in FILE_KNOBS}


def _same(before: Any, now: Any) -> bool:
    if isinstance(before, dict) and isinstance(now, dict):
        return before.keys() == now.keys() and all(_same(before[key], now[key]) for key in now)
    return before == now or (before != before and now != now)  # not a number, both


def _choices(name: str, before: Any, now: Any) -> str:
    same = "choose another --workdir, or the same options to resume it"
    if name != GROWS or not (isinstance(before, int) and isinstance(now, int)):
        return same
    return f"{same} (--set={GROWS}={now} trains it on)" if now > before else f"{same}: epochs may only grow"


def _other_data(before: Any, now: Any, path: str) -> str:
    """What to say where the fingerprints differ; of how many rows more, if the descriptions tell."""
    rows = [_rows(before), _rows(now)]
    more = ""
    if None not in rows and rows[1] > rows[0]:
        more = f" (the data have grown by {rows[1] - rows[0]:,} rows: {rows[0]:,} then, {rows[1]:,} now)"
    if before == now:
        now = "these with another content"
    anew = "choose another --workdir to start anew, or the same data to resume it"
    return f"workdir {path} holds a run with data={before}, not {now}{more}; {anew}"


def _rows(description: Any) -> Any:
    found = re.search(r"\b(\d[\d,]*) rows\b", description) if isinstance(description, str) else None
    return int(found[1].replace(",", "")) if found else None


def is_finished(results: Mapping[str, Any], config: Mapping[str, Any]) -> bool:
    """Whether these results are those of all the epochs that the config asks for by now."""
    done, wanted = (each.get("options") for each in (results, config))
    done, wanted = (knobs.get(GROWS) if isinstance(knobs, dict) else None for knobs in (done, wanted))
    return not (isinstance(done, int) and isinstance(wanted, int) and done < wanted)
