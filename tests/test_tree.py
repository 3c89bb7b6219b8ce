"""The tree as the pages have it: short files, and tests where what they test stands."""

import re
import subprocess

import pytest

from places import ROOT

MOST_LINES = 300


def tracked(*patterns):
    """Files that git knows, those that are not added yet included."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        pytest.skip("no checkout of git")
    return [ROOT / name for name in done.stdout.splitlines() if (ROOT / name).is_file()]


def test_no_file_is_long():
    files = tracked("*.py", "*.h", "*.cc", "*.sh")
    assert len(files) > 100
    lengths = {file.relative_to(ROOT).as_posix(): len(file.read_text().splitlines()) for file in files}
    assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES} == {}


def test_tests_mirror_the_folders():
    folders = {file.parent.relative_to(ROOT / "tests") for file in tracked("tests/**/test_*.py")}
    assert len(folders) > 8
    assert {folder.as_posix() for folder in folders if not (ROOT / "seqjax" / folder).is_dir()} == set()


def test_what_is_said_to_be_where_is_there():
    text = (ROOT / "experiments/pages/what_is_where.md").read_text()
    block = text.split("```")[1]
    found = re.findall(r"^ {2,}([a-z_]+(?:/|\.py))", block, re.MULTILINE)
    assert len(found) > 12
    missing = [name for name in found if not list((ROOT / "seqjax").rglob(name.strip("/")))]
    assert missing == []
    rooms = {path.name for path in (ROOT / "seqjax").iterdir() if (path / "__init__.py").exists()}
    assert rooms <= {name.strip("/") for name in found}
