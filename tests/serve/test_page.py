"""The page is whole in itself, and its policy lets nothing else run."""

import base64
import hashlib
import re

import pytest

from places import ROOT
from seqjax.serve.page import PROGRAMS, STYLES, page

WEB = ROOT / "seqjax/serve/web"


def test_nothing_is_fetched_from_elsewhere():
    text, _ = page()
    addresses = set(re.findall(r"""https?://[^\s"'`)]+""", text))
    assert addresses == {"http://www.w3.org/2000/svg"}, "a name, not an address"
    assert not re.search(r"<link(?! rel=\"icon\" href=\"data:,\")|<script src|<img|@import|url\(|\bimport\(", text)
    assert text.count("<script>") == text.count("</script>") == 1


def test_the_policy_names_the_style_and_the_program():
    text, policy = page()
    for kind, content in (
        ("style", re.search("<style>(.*)</style>", text, re.S)),
        ("script", re.search("<script>(.*)</script>", text, re.S)),
    ):
        assert content is not None
        digest = base64.b64encode(hashlib.sha256(content[1].encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert "unsafe" not in policy
    for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", 'style="'):
        assert word not in text, "what a run or a reader says is never markup"


def test_every_file_of_the_page_is_in_it():
    assert {path.name for path in WEB.iterdir()} == {"page.html", *STYLES, *PROGRAMS}


@pytest.mark.slow
def test_a_wheel_has_the_page(tmp_path):
    import subprocess
    import sys
    import zipfile

    pytest.importorskip("build")
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        found = {name.rpartition("/")[2] for name in wheel.namelist() if name.startswith("seqjax/serve/web/")}
    assert found == {"page.html", *STYLES, *PROGRAMS}
