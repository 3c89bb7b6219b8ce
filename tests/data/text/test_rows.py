"""Rows of unlike length: the same whether padded or one behind the other, and in memory that the tokens take."""

import subprocess
import sys

import jax
import numpy as np
import pytest

from places import ROOT
from seqjax.data.text import blocks, cooccurrence, rows
from seqjax.data.text.imdb import Reviews
from seqjax.data.text.vectorizer import ENCODINGS, Vectorizer, inputs

TEXTS = ["a b a", "", "c", "a c c d e f"]


@pytest.fixture
def apart(monkeypatch):
    """Nothing is small enough to be padded."""

    def switch(on):
        monkeypatch.setattr(rows, "SMALL", -1 if on else 1 << 22)
        monkeypatch.setattr(rows, "SHARE", -1 if on else 16)

    return switch


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("traced", [False, True])
def test_a_batch_is_the_same_either_way(apart, encoding, traced):
    apart(False)
    fitted, dense = Vectorizer.fit_encode(TEXTS, encoding=encoding)
    apart(True)
    again, flat = Vectorizer.fit_encode(TEXTS, encoding=encoding)
    assert dense["tokens"].ndim == 2
    assert flat["tokens"].ndim == 1
    gather = jax.jit(inputs) if traced else inputs
    ids = np.array([3, 0, 0, 1])
    jax.tree.map(np.testing.assert_array_equal, gather(flat, ids), gather(dense, ids))
    jax.tree.map(np.testing.assert_array_equal, again(TEXTS), fitted(TEXTS))
    assert rows.count(flat, "tokens") == rows.count(dense, "tokens") == 4
    assert rows.width(flat, "tokens") == rows.width(dense, "tokens")
    padding = 0 if encoding in ("int", "one_hot") else fitted.padding
    for mine, theirs in zip(*(rows.flat(arrays, "tokens", padding) for arrays in (flat, dense)), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_rows_that_are_all_empty(apart):
    apart(True)
    fitted, flat = Vectorizer.fit_encode(["", ""], length=5)
    assert inputs(flat, np.array([1, 0])).tolist() == [[0] * 5] * 2
    assert fitted(["", ""]).tolist() == [[0] * 5] * 2


@pytest.mark.parametrize("source", ["reviews", "grouped", "bags", "blocks", "cooccurrences"])
def test_a_source_is_the_same_either_way(apart, source, tmp_path):
    made = {
        "reviews": Reviews(300),
        "grouped": Reviews(300, grouped=True),
        "bags": Reviews(300, encoding="tf_idf"),
        "blocks": blocks.Blocks(Reviews(300, 64), block=8),
        "cooccurrences": cooccurrence.Cooccurrences(Reviews(300, 64), 3),
    }[source]
    found = []
    for on in (False, True):
        apart(on)
        found.append(made.load("sample", tmp_path))
    dense, flat = found
    assert (dense.fingerprint, dense.description) == (flat.fingerprint, flat.description)
    for part, ids in dense.parts.items():
        np.testing.assert_array_equal(flat.parts[part], ids)
        given = (one.gather(one.arrays, ids[:20]) for one in found)
        jax.tree.map(np.testing.assert_array_equal, *given)
    np.testing.assert_array_equal(flat.lengths, dense.lengths)


CHILD = """
import re, sys
from seqjax.data.text.encodings import Tokenizer
from seqjax.data.text.vectorizer import Vectorizer
peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) >> 10
texts = [f"w{k} w{k + 1}" for k in range(20_000)] + [" ".join(f"w{k}" for k in range(20_000))]
for encoding in sys.argv[1].split(","):
    before = peak()
    Vectorizer.fit_encode(texts, encoding=encoding, tokenizer=Tokenizer(ngrams=int(sys.argv[2])))
    print(peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
@pytest.mark.parametrize("ngrams", [1, 2])
def test_one_long_text_among_many_short_ones_costs_its_own_tokens(ngrams):
    """60,001 tokens; padded they would be 400 million entries, 0.4 to 3.2 GB."""
    command = [sys.executable, "-c", CHILD, "tf_idf,count,multi_hot,int", str(ngrams)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60, check=True)
    assert max(map(int, done.stdout.split())) < 60  # MB
