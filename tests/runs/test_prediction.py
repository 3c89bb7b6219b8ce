"""What predict's own flags change, and for which runs."""

import sys

import pytest

from command_calls import SMALL, call
from seqjax.runs.alignments import draw, plain

__all__ = ["call"]

SUMS = ["--experiment=addition_seq2seq", "--data=sample", "--set=examples=400", "--set=units=8", "--set=epochs=0"]


@pytest.mark.slow
def test_translations_by_beam_and_their_alignment(call, tmp_path):
    code, out, error = call(*SUMS)
    assert code == 0, error
    assert "exact 0.0000 (generated sample" in out
    (tmp_path / "sums.txt").write_text("12+395\n7+7\n\n")
    predict = ["--mode=predict", "--workdir=runs/addition_seq2seq", "--input=sums.txt"]

    def lines(*flags):
        code, out, error = call(*predict, *flags)
        assert code == 0, error
        return out.split("\n")[:-1]

    greedy = lines()
    assert len(greedy) == 3
    assert lines("--beam=1") == greedy
    alone = []
    for text in ("12+395\n", "7+7\n", "\n"):
        (tmp_path / "sum.txt").write_text(text)
        code, out, error = call(*predict[:-1], "--input=sum.txt")
        alone += out.split("\n")[:-1]
    assert alone == greedy
    assert greedy[2] == ""
    found = [line.split("\t") for line in lines("--beam=5", "--n_best=3", "--attention=seen.png")]
    assert len(found) == 9
    assert (tmp_path / "seen.png").read_bytes().startswith(b"\x89PNG")
    for first in range(0, 9, 3):
        assert len({text for _, text in found[first : first + 3]}) == (3 if first < 6 else 1)
        assert all(float(score) < 0 for score, _ in found[first : first + 3]) == (first < 6)
    evaluated = [call("--mode=evaluate", "--workdir=runs/addition_seq2seq", flag) for flag in ("--beam=1", "--beam=3")]
    assert all(code == 0 and "exact 0.0000 (generated sample" in out for code, out, _ in evaluated)
    for flags, said in (
        (["--n_best=2"], "n_best=2 is above beam=1: give --beam=2 or more"),
        (["--beam=0"], "beam must be at least 1, not 0"),
        (["--attention=runs"], "--attention=runs is a folder, not a file"),
    ):
        code, out, error = call(*predict, *flags)
        assert (code, out, error.count("\n")) == (2, "", 1)
        assert said in error


def test_runs_that_do_not_translate_refuse_the_flags(call, tmp_path):
    code, _, error = call(*SMALL, "--set=epochs=0", "--workdir=run")
    assert code == 0, error
    (tmp_path / "weather.csv").write_text("")
    for flag, name in (("--beam=2", "beam"), ("--n_best=2", "n_best"), ("--attention=a.png", "attention")):
        code, out, error = call("--mode=predict", "--workdir=run", "--input=weather.csv", flag)
        assert (code, out) == (2, "")
        assert f"--{name} is for runs that translate, and jena_lstm does not" in error
        code, out, error = call(*SMALL, flag)
        assert (code, out) == (2, "")
        assert f"--{name} is for --mode=predict{' and evaluate' if name == 'beam' else ''}, not --mode=train" in error
    code, out, error = call("--mode=evaluate", "--workdir=run", "--data=sample", "--beam=2")
    assert (code, out) == (2, "")
    assert "--beam is for runs that translate, and jena_lstm does not" in error
    assert not (tmp_path / "a.png").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="paths")
def test_an_alignment_is_drawn_whatever_its_tokens(tmp_path):
    draw(
        [(["$x$", "￭_", "\\frac{漢字"], ["^{", "[end]"], [[0.1, 0.2, 0.7], [1, 0, 0]]), (["a"], ["b"], [[1.0]])],
        tmp_path / "a.png",
    )
    draw([], tmp_path / "none.png")
    assert all((tmp_path / name).read_bytes().startswith(b"\x89PNG") for name in ("a.png", "none.png"))
    assert plain("￭$￭") == r"_\$_"
