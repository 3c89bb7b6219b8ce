"""A run's folder: all that evaluate, predict and the report need, and what a rerun must agree with.

config.json     experiment, options and their defaults, data and their fingerprint, settings, versions, device
experiment.py   a copy of the file that defined it
metrics.jsonl   one row per epoch
results.json    when finished
curves.png      loss and metric per epoch
checkpoints/    latest/STEP and best/STEP
and the data's own files (vocabulary.txt, jena.json, ...)
"""

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from seqjax.errors import UserError
from seqjax.experiment import FILE_KNOBS

IDENTITY = ("experiment", "data", "swept", "options", "fingerprint")
KINDS = {"run": "a single run", "members": "the runs of --seeds or --sweep"}
Row = dict[str, Any]


def write_atomically(path: Path, text: str) -> None:
    """Write a file that is seen either whole or not at all, also after a power cut."""
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


class Workdir:
    """The folder of one run. Nothing is created before `claim`."""

    def __init__(self, path: Path):
        """Args: path: where it is or will be."""
        self.path = path

    def config(self) -> dict[str, Any] | None:
        """The run's config.json, or None where there is no run.

        Raises:
          UserError: the path is a file, holds something else than a run, or its config is damaged.
        """
        if self.path.exists() and not self.path.is_dir():
            raise UserError(f"workdir {self.path} is not a folder")
        file = self.path / "config.json"
        if not file.exists():
            strangers = [e.name for e in self.path.glob("*") if e.suffix != ".tmp" and e.name != ".lock"]
            if strangers:
                raise UserError(
                    f"workdir {self.path} holds other files ({sorted(strangers)[0]}, ...) and no run; "
                    "choose an empty or a new --workdir"
                )
            return None
        try:
            return json.loads(file.read_text(encoding="utf-8"))
        except ValueError as error:
            raise UserError(f"{file} is damaged ({error}); choose another --workdir") from error

    def check(self, config: Mapping[str, Any]) -> None:
        """Does nothing if the folder is free or belongs to the same run.

        Options that came after the folder's run count as if it had them at the `defaults` of `config`.

        Raises:
          UserError: it belongs to another run; the message names the first thing that differs.
        """
        old = self.config()
        if old is None:
            return
        before, now = old.get("kind", "run"), config.get("kind", "run")
        if before != now:
            raise UserError(f"workdir {self.path} holds {KINDS[before]}, not {KINDS[now]}; choose another --workdir")
        for name in IDENTITY:
            if name not in config:
                continue
            before, now = old.get(name), config[name]
            if name == "options" and before is not None:
                whole = ({**config.get("defaults", {}), **knobs} for knobs in (before, now))
                before, now = ({knob: v for knob, v in knobs.items() if knob not in FILE_KNOBS} for knobs in whole)
            if before == now:
                continue
            if isinstance(before, dict) and isinstance(now, dict):
                before, now = ({key: mine.get(key, "unknown") for key in {**before, **now}} for mine in (before, now))
                name = next(key for key in now if before[key] != now[key])
                before, now = before[name], now[name]
            if name == "fingerprint":
                name, before, now = "data", old.get("description"), config.get("description")
            raise UserError(
                f"workdir {self.path} holds a run with {name}={before}, not {now}; "
                "choose another --workdir, or the same options to resume it"
            )

    def claim(self, config: Mapping[str, Any], assets: Mapping[str, str]) -> None:
        """Make the folder this run's own, or do nothing if it is already.

        Raises:
          UserError: it belongs to another run, or cannot be written.
        """
        self.check(config)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            for name, text in assets.items():
                if not (self.path / name).exists():
                    write_atomically(self.path / name, text)
            if not (self.path / "config.json").exists():
                write_atomically(self.path / "config.json", json.dumps(config, indent=2) + "\n")
        except OSError as error:
            raise UserError(f"workdir {self.path} cannot be written: {error.strerror}") from error

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the folder for one process; released when it ends, however it ends.

        Raises:
          UserError: another process trains there, or the folder cannot be written.
        """
        import filelock

        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with filelock.FileLock(self.path / ".lock", timeout=0):
                yield
        except filelock.Timeout as error:
            raise UserError(f"another process is training in workdir {self.path}; choose another --workdir") from error
        except OSError as error:
            # Without strerror: a TimeoutError of those who write checkpoints.
            raise UserError(f"workdir {self.path} cannot be written: {error.strerror or error}") from error

    def rows(self) -> list[Row]:
        """The complete rows of metrics.jsonl, in order of epoch."""
        file = self.path / "metrics.jsonl"
        lines = file.read_text(encoding="utf-8").splitlines(keepends=True) if file.exists() else []
        rows = []
        for line in lines:
            try:
                rows.append(json.loads(line) if line.endswith("\n") else None)
            except ValueError:
                break
        return [row for row in rows if row is not None]

    def keep_rows(self, epochs: int) -> list[Row]:
        """Drop the rows after `epochs` (written by a process that was then killed); return those that stay.

        Raises:
          UserError: rows are missing.
        """
        rows = self.rows()[:epochs]
        if len(rows) < epochs:
            raise UserError(
                f"{self.path / 'metrics.jsonl'} has {len(rows)} whole rows but the checkpoint is of epoch {epochs}; "
                "delete the run's folder to start again"
            )
        write_atomically(self.path / "metrics.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
        return rows

    def append_row(self, row: Row) -> None:
        """Append one epoch to metrics.jsonl, on disk when this returns."""
        with (self.path / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def results(self) -> dict[str, Any] | None:
        """results.json, or None where the run is not finished."""
        file = self.path / "results.json"
        return json.loads(file.read_text(encoding="utf-8")) if file.exists() else None

    def write_results(self, results: Mapping[str, Any]) -> None:
        """Write results.json: the run is finished."""
        write_atomically(self.path / "results.json", json.dumps(results, indent=2) + "\n")
