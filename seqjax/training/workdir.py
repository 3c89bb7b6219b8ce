"""A run's folder: all that evaluate, predict and the report need, and what a rerun must agree with.

config.json     experiment, options and their defaults, data and their fingerprint, settings, versions, device
experiment.py   a copy of the file that defined it
metrics.jsonl   one row per epoch
results.json    when finished; of fewer epochs than config.json asks for, those of before the run went on
curves.png      loss and metric per epoch
checkpoints/    latest/STEP and best/STEP
and the data's own files (vocabulary.txt, jena.json, ...)
"""

import contextlib
import json
import math
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from seqjax import peers
from seqjax.errors import UserError
from seqjax.files import exact, from_exact, read_json, shown, to_json, unwritten, write_atomically
from seqjax.training import identity

KNOWN = {"kind": str, "experiment": str, "data": str, "options": dict, "defaults": dict, "settings": dict}
"""Entries of config.json that are relied on, and what they are."""
Row = dict[str, Any]


class Workdir:
    """The folder of one run. Nothing is created before `claim`.

    Of several processes that make the run the first alone writes; the others read, of a folder that they share.
    """

    def __init__(self, path: Path):
        """Args: path: where it is or will be."""
        self.path = path

    def config(self) -> dict[str, Any] | None:
        """The run's config.json, or None where there is no run.

        Raises:
          UserError: the path is no folder and cannot become one, holds something else than a run, or its config is
            damaged.
        """
        if not self._is_folder():
            return None
        file = self.path / "config.json"
        try:
            if not os.path.lexists(file):
                strangers = [e.name for e in self.path.iterdir() if e.suffix != ".tmp" and e.name != ".lock"]
                if strangers:
                    raise UserError(
                        f"workdir {self.path} holds other files ({sorted(strangers)[0]}, ...) and no run; "
                        "choose an empty or a new --workdir"
                    )
                return None
            config = from_exact(read_json(file))
        except OSError as error:
            raise UserError(f"workdir {shown(self.path)} cannot be read: {error.strerror}") from error
        except RecursionError:
            raise UserError(f"{file} is damaged (nested too deep); choose another --workdir") from None
        except UserError as error:
            raise UserError(
                str(error) if "--workdir" in str(error) else f"{error}; choose another --workdir"
            ) from error
        wrong = [name for name, kind in KNOWN.items() if name in config and not isinstance(config[name], kind)]
        wrong += [] if config.get("kind", "run") in identity.KINDS else ["kind"]
        if wrong:
            raise UserError(f"{file} is damaged ({wrong[0]}={config[wrong[0]]!r:.80}); choose another --workdir")
        return config

    def _is_folder(self) -> bool:
        """Whether there is one; False: there can be. Raises UserError: there is something else."""
        name = shown(self.path)
        try:
            found = self.path.stat()
        except FileNotFoundError as error:
            if self.path.is_symlink():
                raise UserError(f"workdir {name} is a link to {os.readlink(self.path)}, which is not there") from error
            return False
        except (OSError, ValueError) as error:  # ValueError: a NUL in the name
            reason = getattr(error, "strerror", None) or error
            raise UserError(f"workdir {name} cannot be used: {reason}; choose another --workdir") from error
        if not stat.S_ISDIR(found.st_mode):
            raise UserError(f"workdir {name} is not a folder")
        return True

    def run(self) -> dict[str, Any]:
        """As `config`, of a run that has begun. Raises UserError: there is none, or config.json lacks an entry."""
        config = self.config()
        if config is None:
            raise UserError(f"workdir {shown(self.path)} holds no run; train one first (--mode=train)")
        for name in ("experiment", "options", "data"):
            if name not in config:
                raise UserError(f"{self.path / 'config.json'} is damaged (it has no {name}); choose another --workdir")
        return config

    def check(self, config: Mapping[str, Any]) -> None:
        """Does nothing if the folder is free, or belongs to the same run or to one that is asked for more epochs of.

        Raises:
          UserError: it belongs to another run; see `identity.check`.
        """
        old = self.config()
        if old is not None:
            identity.check(old, config, str(self.path))

    def claim(self, config: Mapping[str, Any], assets: Mapping[str, str]) -> None:
        """Make the folder this run's own, with as many epochs as are asked for; or do nothing if it is already.

        Raises:
          UserError: it belongs to another run, or cannot be written.
        """
        self.check(config)
        if peers.is_first():
            self._claim(config, assets)
        peers.meet("the run's folder")

    def _claim(self, config: Mapping[str, Any], assets: Mapping[str, str]) -> None:
        old = self.config()
        kept = {name: value for name, value in config.items() if name != "given"}
        if old is not None:
            more = {identity.GROWS: config.get("options", {}).get(identity.GROWS)}
            kept = old | {"options": old.get("options", {}) | more}
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            # The config first: what a killed process has not written after it is written by the next.
            if old is None or identity.grows(old.get("options", {}), config):
                write_atomically(self.path / "config.json", to_json(exact(kept), indent=2) + "\n")
            for name, text in assets.items():
                if not (self.path / name).exists():
                    write_atomically(self.path / name, text)
        except OSError as error:
            raise unwritten(self.path, error) from error

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the folder for one process; released when it ends, however it ends.

        Raises:
          UserError: another process trains there, or the folder cannot be written.
        """
        import filelock

        if not peers.is_first():
            yield
            return
        self._is_folder()
        held = filelock.FileLock(self.path / ".lock", timeout=0)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            held.acquire()
        except filelock.Timeout as error:
            raise UserError(f"another process is training in workdir {self.path}; choose another --workdir") from error
        except OSError as error:
            reason = f"{error.strerror or error}" + (f": {shown(error.filename)}" if error.filename else "")
            raise UserError(
                f"workdir {shown(self.path)} cannot be written: {reason}; choose another --workdir"
            ) from error
        try:
            yield
        except BrokenPipeError:  # of our own lines, not of the folder
            raise
        except OSError as error:
            raise unwritten(Path(error.filename or self.path), error) from error
        finally:
            held.release()

    def rows(self) -> list[Row]:
        """The complete rows of metrics.jsonl, in order of epoch, up to the first that is damaged.

        Raises:
          UserError: the file cannot be read.
        """
        file = self.path / "metrics.jsonl"
        try:
            lines = file.read_bytes().split(b"\n")[:-1]  # the last one is empty, or half written
        except FileNotFoundError:
            return []
        except OSError as error:
            raise UserError(f"{file} cannot be read: {error.strerror}") from error
        rows = []
        for line in lines:
            try:
                row = json.loads(line.decode("utf-8"))
            except (ValueError, RecursionError):
                break
            if not isinstance(row, dict) or row.get("epoch") != len(rows) + 1:
                break
            rows.append(with_numbers(row, "train", "validation"))
        return rows

    def keep_rows(self, epochs: int) -> list[Row]:
        """Drop the rows after `epochs` (written by a process that was then killed); return those that stay.

        Raises:
          UserError: rows are missing.
        """
        rows = self.rows()[:epochs]
        if len(rows) < epochs:
            raise UserError(
                f"{self.path / 'metrics.jsonl'} has {len(rows)} whole rows but the checkpoint is of epoch {epochs}; "
                "restore it from a copy, or choose another --workdir to start anew"
            )
        self._write("metrics.jsonl", "".join(to_json(row) + "\n" for row in rows))
        return rows

    def append_row(self, row: Row) -> None:
        """Append one epoch to metrics.jsonl, on disk when this returns."""
        if not peers.is_first():
            return
        with (self.path / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(to_json(row) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def results(self) -> dict[str, Any] | None:
        """results.json, or None where the run is not finished: it has none, or one of fewer epochs than are asked for.

        Raises:
          UserError: it cannot be read.
        """
        file = self.path / "results.json"
        if not os.path.lexists(file):
            return None
        try:
            results = read_json(file)
        except UserError as error:
            raise UserError(f"{error}; restore it from a copy, or move it away: --mode=train makes it anew") from error
        return (
            with_numbers(results, "validation", "test") if identity.is_finished(results, self.config() or {}) else None
        )

    def write_results(self, results: Mapping[str, Any]) -> None:
        """Write results.json: the run is finished."""
        self._write("results.json", to_json(results, indent=2) + "\n")

    def _write(self, name: str, text: str) -> None:
        if peers.is_first():
            write_atomically(self.path / name, text)


def with_numbers(found: Row, *parts: str) -> Row:
    """Scores that were not finite, null in JSON, as the numbers that they are not."""
    for part in parts:
        if isinstance(found.get(part), dict):
            found[part] = {name: math.nan if score is None else score for name, score in found[part].items()}
    return found


def check_rows(workdir: Workdir, rows: list[Row]) -> list[Row]:
    """The rows. Raises UserError: one lacks what every epoch writes."""
    for row in rows:
        missing = {"step", "train", "validation", "seconds", "examples_per_second"} - row.keys()
        loss = {} if missing or not isinstance(row["validation"], dict) else row["validation"]
        if not isinstance(loss.get("loss"), float | int):
            raise UserError(f"{workdir.path / 'metrics.jsonl'}, line {row['epoch']} is damaged; restore it from a copy")
    return rows
