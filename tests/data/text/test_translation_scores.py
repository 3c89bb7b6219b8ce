"""Scores of translations against sacrebleu's own command, and over the answers of a part."""

import subprocess
import sys

import numpy as np
import pytest

from seqjax.data.dataset import Answers
from seqjax.data.text.pairs import Translations
from seqjax.data.text.translation_scores import bleu, chrf, exact, scores
from seqjax.data.text.words import Words

ANSWERS = ["the cat sat on the mat.", "two dogs run in a park", "hello there, my friend"]
REFERENCES = [("the cat sat on a mat.", "a cat sat on the mat."), ("two dogs are running in a park.",), ("hello!",)]


def test_scores_are_those_of_sacrebleus_command(tmp_path):
    (tmp_path / "answers").write_text("".join(f"{line}\n" for line in ANSWERS))
    (tmp_path / "first").write_text("".join(f"{own[0]}\n" for own in REFERENCES))
    for score, name in ((bleu, "bleu"), (chrf, "chrf")):
        command = [sys.executable, "-m", "sacrebleu", "first", "-i", "answers", "-m", name, "-b", "-w", "6"]
        command += ["--chrf-lowercase" if name == "chrf" else "-lc"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert score(ANSWERS, [own[:1] for own in REFERENCES]) == pytest.approx(float(done.stdout), abs=1e-5)


def test_more_references_do_not_lower_bleu():
    repeated = [own * (2 // len(own)) for own in REFERENCES]  # a reference that is given twice changes nothing
    assert bleu(ANSWERS, REFERENCES) == bleu(ANSWERS, repeated)
    assert bleu(ANSWERS, REFERENCES) > bleu(ANSWERS, [own[:1] for own in REFERENCES])
    assert bleu([own[-1] for own in REFERENCES], REFERENCES) == pytest.approx(100)
    assert exact([REFERENCES[0][1], "no", "hello!"], REFERENCES) == pytest.approx(2 / 3)


def test_a_source_counts_once_and_is_told_from_those_that_were_trained_on():
    words = Words(("a", "b", "c", "d", "e"), "words")
    dataset = Translations(
        {}, lambda *_: (None, None), {}, "", "", words=words,
        sources=("x", "x", "y"), references=(("a b c d",), ("a b c d",), ("e d c b",)), seen=frozenset({"y"}),
    )  # fmt: skip
    tokens = np.array([[[4, 5, 6, 7, 3]], [[8, 8, 8, 8, 3]], [[8, 7, 6, 4, 3]]])
    answers = Answers({"tokens": tokens}, None, np.arange(3), dataset)
    found = {name: score(answers) for name, score in scores("exact", "bleu").items()}
    assert found["exact"] == 0.5
    assert found["seen"] == {"share": 0.5, "of seen": 0.0, "of unseen": 1.0}
    assert found["signatures"]["bleu"].startswith("nrefs:1|case:lc|eff:no|tok:13a|smooth:exp|version:")
