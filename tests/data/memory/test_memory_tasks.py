"""The tasks of memory: their targets are what was drawn, and who remembers nothing scores what the formula says."""

import io
import itertools
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from seqjax.data.memory.adding import Adding, linear, moments
from seqjax.data.memory.copying import BLANK, SPEAK, Copying, guess
from seqjax.errors import UserError

NOWHERE = Path("nowhere")


@pytest.mark.parametrize("length", [2, 5, 40])
def test_sums_are_of_the_two_that_are_marked_one_in_each_half(length):
    dataset = Adding(length, 300, 4000).load("real", NOWHERE)
    inputs, sums = dataset.gather(dataset.arrays, dataset.parts["test"])
    assert inputs.shape == (4000, length, 2)
    means, variances = moments(length)
    np.testing.assert_allclose(inputs.mean((0, 1)), means, atol=0.02)
    np.testing.assert_allclose(inputs.var((0, 1)), variances, atol=0.02)
    for row, total in itertools.islice(zip(inputs, sums, strict=True), 50):
        first, second = np.flatnonzero(row[:, 1])
        assert first < length // 2 <= second < length
        np.testing.assert_allclose(row[first, 0] + row[second, 0], total, rtol=1e-6)
    assert dataset.baselines["always_1"]["test"]["mse"] == pytest.approx(1 / 6, abs=0.02)
    assert not set(dataset.parts["train"]) & set(dataset.parts["test"])
    of_jax = dataset.gather({name: jnp.asarray(array) for name, array in dataset.arrays.items()}, jnp.arange(3))
    np.testing.assert_array_equal(of_jax[0], dataset.gather(dataset.arrays, np.arange(3))[0])


def test_who_cannot_multiply_loses_what_the_formula_says():
    dataset = Adding(4, 20_000, 1).load("real", NOWHERE)
    inputs, sums = dataset.gather(dataset.arrays, dataset.parts["train"])
    columns = np.column_stack([inputs.reshape(len(sums), -1), np.ones(len(sums))]).astype(float)
    residual = sums - columns @ np.linalg.lstsq(columns, sums, rcond=None)[0]
    assert np.square(residual).mean() == pytest.approx(linear(4), rel=0.03)
    assert linear(4) == pytest.approx(1 / 12)


def test_what_is_to_be_said_is_what_was_read():
    dataset = Copying(5, 20, 10).load("sample", NOWHERE)
    read, said = dataset.gather(dataset.arrays, np.arange(3))
    for own, answer, symbols in zip(read, said, dataset.arrays["symbols"], strict=False):
        assert own.tolist() == [*symbols, *[BLANK] * 4, SPEAK, *[BLANK] * 10]
        assert answer.tolist() == [*[BLANK] * 15, *symbols]
    nothing = np.full(25, BLANK), np.where(np.arange(25) < 15, 0, np.log(8))
    assert guess(5) == pytest.approx(nothing[1].mean())
    of_jax = dataset.gather({"symbols": jnp.asarray(dataset.arrays["symbols"])}, jnp.arange(3))
    np.testing.assert_array_equal(of_jax[0], read)
    np.testing.assert_array_equal(of_jax[1], said)


def test_ones_own_examples_are_read():
    requests = Adding().requests(NOWHERE, io.StringIO("0.25* .5 1e-1*\n\n1 2* 3*\n"), "mine")
    inputs = requests.gather(requests.arrays, requests.ids)
    np.testing.assert_allclose(inputs[0], [[0.25, 1], [0.5, 0], [0.1, 1]], rtol=1e-6)
    assert inputs[1].tolist() == [[1, 0], [2, 1], [3, 1]]
    assert requests.line(0, np.float32(0.35)) == "0.3500"
    requests = Copying(3).requests(NOWHERE, io.StringIO("1234 5678 12\n"), "mine")
    assert requests.gather(requests.arrays, requests.ids)[0, :10].tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 1, 2]
    assert requests.line(0, np.eye(10)[[9] * 13 + [1, 2, 3, 4, 5, 6, 7, 8, 1, 2]]) == "1234567812"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Adding(1), "length must be at least 2, not 1"),
        (lambda: Copying(examples=0), "examples must be at least 1"),
        (lambda: Adding().load("reel", NOWHERE), "data='reel': choose 'real' or 'sample'"),
        (lambda: Adding().requests(NOWHERE, io.StringIO("1* 2* x\n"), "f"), "f: row 1: 'x' is no number"),
        (lambda: Adding().requests(NOWHERE, io.StringIO("1* 2\n"), "f"), "f: row 1: 1 finite numbers have a"),
        (lambda: Adding().requests(NOWHERE, io.StringIO("1* nan*\n"), "f"), "f: row 1: "),
        (lambda: Adding().requests(NOWHERE, io.StringIO("1* 2*\n1* 2* 3\n"), "f"), "f: row 2 has 3 numbers, the first"),
        (lambda: Copying().requests(NOWHERE, io.StringIO("123\n"), "f"), "f: row 1: '123' is not ten digits"),
        (lambda: Copying().requests(NOWHERE, io.StringIO("1234567890\n"), "f"), "is not ten digits from 1 to 8"),
    ],
)
def test_what_makes_no_sense_is_refused(call, message):
    with pytest.raises(UserError, match=message):
        call()
