"""Plain lines without a terminal; the bar itself is for eyes."""

from seqjax.training import progress
from seqjax.training.progress import Progress, scores


def test_scores_are_short():
    assert scores({"loss": 0.31234, "accuracy": 0.5}) == "loss 0.3123  accuracy 0.5"


def test_without_a_terminal_a_line_comes_when_it_was_silent_for_long(capsys, monkeypatch):
    shown = Progress(1000, 0)
    shown.update(10, "epoch 1/2", {"loss": 3.0})
    assert capsys.readouterr().out == ""
    monkeypatch.setattr(progress, "LINE_SECONDS", -1.0)
    shown.update(20, "epoch 1/2", {"loss": 2.5})
    shown.line("done")
    shown.close()
    assert capsys.readouterr().out == "epoch 1/2  20 of 1,000 examples  loss 2.5\ndone\n"
