"""Runs for the campaign (`campaign.py`): a command in a forked child, what it leaves, and how it may fail."""

import contextlib
import hashlib
import json
import os
import shutil
import signal
import sys
import time
from pathlib import Path

SMALL = ["--checkpoint_seconds=0", "--steps_per_dispatch=8"]
JENA = ["--experiment=jena_lstm", "--data=sample", "--set=units=4", "--set=sequence_length=24", "--set=epochs=2"]
IMDB = ["--experiment=imdb_bilstm_masked", "--data=sample", "--set=units=4", "--set=embedding_size=8", "--set=epochs=2"]
RUNS = {
    "jena": [*JENA, *SMALL, "--workdir=run"],
    "imdb": [*IMDB, *SMALL, "--workdir=run"],
    "seeds": [*JENA, *SMALL, "--workdir=run", "--seeds=2", "--members=vmap"],
}
TIMES = ("seconds", "examples_per_second")
LONGEST = 300
"""Seconds that a child may take."""


def child(arguments: list[str], folder: Path, stdin: bytes = b"", seconds: float = LONGEST) -> tuple[int, str, str]:
    """Run the command in a fork: (exit code or -signal, stdout, stderr). It is killed after so many seconds."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder.parent / f"{folder.name}.{name}" for name in ("in", "out", "error")]
    files[0].write_bytes(stdin)
    pid = os.fork()
    if pid == 0:
        os.setsid()
        os.chdir(folder)
        for number, (file, mode) in enumerate(zip(files, (os.O_RDONLY, os.O_WRONLY, os.O_WRONLY), strict=True)):
            os.dup2(os.open(file, mode | (0 if mode == os.O_RDONLY else os.O_CREAT | os.O_TRUNC), 0o644), number)
        code = 70
        try:
            sys.argv = ["seqjax", *arguments]
            from seqjax import main

            main.run()
            code = 0
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else 0 if stop.code is None else 1
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            with contextlib.suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code or 0)
    deadline = time.monotonic() + seconds
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            break
        if time.monotonic() > deadline:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
            _, status = os.waitpid(pid, 0)
            break
        time.sleep(0.005)
    out, error = (file.read_text(errors="replace") for file in files[1:])
    return os.waitstatus_to_exitcode(status), out, error


def facts(folder: Path) -> dict[str, str]:
    """What has to be the same: every row and result below a folder, without times, by file."""
    found = {}
    for path in sorted([*folder.rglob("metrics.jsonl"), *folder.rglob("results.json")]):
        with contextlib.suppress(ValueError):
            rows = [json.loads(line) for line in path.read_text().splitlines()] if path.suffix == ".jsonl" else None
            content = rows if rows is not None else json.loads(path.read_text())
            text = json.dumps(_without_times(content), sort_keys=True)
            found[path.relative_to(folder).as_posix()] = hashlib.sha256(text.encode()).hexdigest()[:16]
    return found


def _without_times(content: object) -> object:
    if isinstance(content, dict):
        return {name: _without_times(value) for name, value in content.items() if name not in TIMES}
    return [_without_times(value) for value in content] if isinstance(content, list) else content


def unfriendly(code: int, error: str) -> str:
    """What is wrong with how a command failed: it says one line, and no traceback."""
    lines = [line for line in error.splitlines() if line.strip()]
    if "Traceback" in error:
        return f"a traceback: {lines[-1][:200]}"
    if code not in (1, 2):
        return f"ended with {code}: {' '.join(lines)[-200:]}"
    return "" if lines and lines[-1].startswith("seqjax: ") else f"said {' '.join(lines)[-200:]!r}"


def reference(name: str, place: Path) -> tuple[dict[str, str], str, float]:
    """(facts, last line, seconds) of an undisturbed run, made once."""
    kept = place / "references" / f"{name}.json"
    if not kept.exists():
        folder = place / "references" / name
        shutil.rmtree(folder, ignore_errors=True)
        child(RUNS[name], folder)  # compiles
        shutil.rmtree(folder)
        started = time.monotonic()
        code, out, error = child(RUNS[name], folder)
        assert code == 0, error
        seconds = time.monotonic() - started
        kept.write_text(json.dumps([facts(folder), out.splitlines()[-1], seconds]))
    found, line, seconds = json.loads(kept.read_text())
    return found, line, seconds
