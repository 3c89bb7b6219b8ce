"""The pages: what they show runs, and the flags that they only name exist."""

import importlib
import os
import re
import shlex
import subprocess
import sys

import pytest
from absl import flags

from places import ROOT

PAGES = ROOT / "experiments" / "pages"
FENCE = re.compile(r"^```(\S+)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAMES = sorted(path.relative_to(PAGES).as_posix() for path in PAGES.rglob("*.md") if "reference" not in path.parts)


def blocks(name):
    """(language, file or None, text) of a page's code, in order."""
    text = (PAGES / name).read_text(encoding="utf-8").replace("{code-block} python", "{code-block}")
    for language, body in FENCE.findall(text):
        file = re.match(r":caption: (\S+)\n\n", body)
        yield language, file and file[1], body[file.end() :] if file else body


def commands(text):
    """Module and flags of each `python -m seqjax.X` of a block."""
    for line in text.replace("\\\n", " ").splitlines():
        for piece in re.findall(r"python -m (seqjax\S*)([^|;]*)", line.partition(" #")[0]):
            yield piece[0], [word for word in shlex.split(piece[1]) if word.startswith("--")]


@pytest.mark.parametrize("name", NAMES)
def test_flags_exist(name):
    for language, _, text in blocks(name):
        if language not in ("bash", "console"):
            continue
        for module_name, words in commands(text):
            module = importlib.import_module(module_name)
            if hasattr(module, "__path__"):
                module = importlib.import_module(f"{module_name}.__main__")
            known = getattr(module, "FLAGS", flags.FLAGS)
            for word in words:
                flag = word[2:].partition("=")[0]
                assert flag in known or flag.removeprefix("no") in known, f"{name}: {module_name} has no --{flag}"


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_code_runs(name, tmp_path):
    """Shell commands in their order, then all Python of the page as one program; files are written where they stand."""
    bin_folder = os.path.dirname(sys.executable)
    environment = {**os.environ, "PATH": f"{bin_folder}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    program = "\n".join(text for language, file, text in blocks(name) if language == "python")
    for language, file, text in [*blocks(name), ("python", None, program)]:
        if file:
            (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / file).write_text(text)
        elif language == "bash" or text is program:
            command = ["bash", "-euo", "pipefail", "-c", text] if language == "bash" else [sys.executable, "-c", text]
            done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600)
            assert done.returncode == 0, f"{name}:\n{text}\n{done.stdout[-1000:]}\n{done.stderr[-2000:]}"
