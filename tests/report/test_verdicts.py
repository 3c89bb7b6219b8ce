"""What the report says of the lecture's claims."""

import numpy as np
import pytest

import report_runs
from report_folders import grouped
from seqjax.report import verdicts
from seqjax.report.claims import Claim

BEATS = Claim("Finally beat the naïve forecaster.", "jena_lstm", "jena_naive", "mae")


@pytest.mark.parametrize(
    ("scores", "verdict"),
    [
        ([2.4, 2.5, 2.45, 2.42], "held"),
        ([2.7, 2.8, 2.75, 2.72], "did not hold"),
        ([2.5, 2.7, 2.65, 2.6], "undecided"),
        ([2.4, 2.41], "undecided"),
    ],
)
def test_verdicts_on_a_row_against_naive(tmp_path, scores, verdict):
    report_runs.write(tmp_path / "naive", "jena_naive", 0, 2.62)
    for seed, test in enumerate(scores):
        report_runs.write(tmp_path / str(seed), "jena_lstm", seed, test)
    (found,) = verdicts.judge(list(grouped(tmp_path).values()), [BEATS])
    assert found.verdict == verdict
    assert found.difference is not None
    assert found.difference.mean == pytest.approx(2.62 - np.mean(scores))
    assert ("fewer than 3 seeds" if len(scores) < 3 else "one-sample t-test, N 4") in found.evidence


@pytest.mark.parametrize(
    ("scores", "verdict"),
    [
        ([0.91, 0.92, 0.915], "held"),  # the other one does worse
        ([0.901, 0.8995, 0.9], "held"),  # and here as well as it, to within far less than a per cent
        ([0.88, 0.885, 0.883], "did not hold"),
        ([0.86, 0.93, 0.9], "undecided"),
    ],
)
def test_verdicts_on_no_improvement(tmp_path, scores, verdict):
    claim = Claim("It wasn't the case.", "imdb_bigram", "imdb_bigram_tfidf", "accuracy", improvement=0.01)
    for seed, (test, other) in enumerate(zip(scores, [0.9, 0.9005, 0.8995], strict=True)):
        report_runs.write(tmp_path / f"a{seed}", "imdb_bigram", seed, test, metric="accuracy")
        report_runs.write(tmp_path / f"b{seed}", "imdb_bigram_tfidf", seed, other, metric="accuracy")
    (found,) = verdicts.judge(list(grouped(tmp_path).values()), [claim])
    assert found.verdict == verdict, found.evidence


def test_a_claim_takes_the_rows_that_were_trained_alike(tmp_path):
    claim = Claim("better", "jena_lstm_dropout", "jena_lstm", "mae")
    for seed in range(3):
        report_runs.write(tmp_path / f"long{seed}", "jena_lstm", seed, 2.5 + seed / 100, epochs=60)
        report_runs.write(tmp_path / f"longd{seed}", "jena_lstm_dropout", seed, 2.4 + seed / 99, epochs=60)
        report_runs.write(tmp_path / f"wide{seed}", "jena_lstm_dropout", seed, 1.0, epochs=60, units=99)
        for more in range(2):
            report_runs.write(tmp_path / f"short{seed}{more}", "jena_lstm", 2 * seed + more, 9.0, epochs=10)
    (found,) = verdicts.judge(list(grouped(tmp_path).values()), [claim])
    assert found.verdict == "held"
    assert found.evidence.startswith("jena_lstm_dropout epochs=60 and jena_lstm epochs=60: advantage 0.09")
    assert "paired t-test, N 3" in found.evidence


def test_overfitting_is_a_rise_of_the_validation_loss_in_the_second_half(tmp_path):
    up = [5, 4, 3, 3, 3.2, 3.4, 3.6, 3.8]
    claim = Claim("Overfitting?", None, "jena_lstm", "rise")
    for seed in range(3):
        noise = np.random.default_rng(seed).normal(0, 0.01, 8)
        report_runs.write(tmp_path / str(seed), "jena_lstm", seed, 2.5, losses=list(up + noise))
    groups = list(grouped(tmp_path).values())
    assert verdicts.rise(groups[0].runs[0]) == pytest.approx(3.7 - 3.0, abs=0.05)
    (found,) = verdicts.judge(groups, [claim])
    assert found.verdict == "held"


def test_where_a_file_of_vectors_lies_does_not_decide_a_claim(tmp_path):
    claim = Claim("Word2Vec", "imdb_word2vec", "imdb_bilstm_masked", "accuracy")
    for seed, (better, worse) in enumerate(((0.88, 0.87), (0.89, 0.87), (0.88, 0.86))):
        report_runs.write(tmp_path / f"m{seed}", "imdb_bilstm_masked", seed, worse, metric="accuracy")
        report_runs.write(
            tmp_path / f"w{seed}", "imdb_word2vec", seed, better, metric="accuracy", vectors=f"/{seed}/word2vec"
        )
    groups = grouped(tmp_path)
    assert set(groups) == {"imdb_bilstm_masked", "imdb_word2vec"}
    (verdict,) = verdicts.judge(list(groups.values()), [claim])
    assert verdict.verdict == verdicts.HELD
    assert verdict.difference is not None
    assert verdict.difference.count == 3
