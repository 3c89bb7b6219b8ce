"""Cells that were planted are found, those that were not are not, and features say what stands in the text."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax.errors import UserError
from seqjax.layers import LSTM, Stacked
from seqjax.lecture import cells, character_features
from seqjax.models.language import LanguageModel

TEXT = "ROMEO:\nI am, I'm here.\nNo: gone\n\nJULIET:\nO!\n"


def test_features_say_what_stands_in_the_text():
    known = character_features.features(TEXT)
    lines = TEXT.split("\n")
    assert list(known["line position"][:17]) == [*range(7), *range(10)]
    named = "".join(c for c, on in zip(TEXT, known["speaker name"], strict=True) if on)
    assert named == "ROMEO:JULIET:"  # and not "No:", which stands within a speech
    words = {c: n for c, n in zip(TEXT[7:22], known["word position"][7:22], strict=True) if c in "Iae,hr"}
    assert words == {"I": 1, "a": 1, ",": 0, "h": 1, "e": 4, "r": 3}
    ages = [0, 1, 2, 0, 0, 1]
    expected = [age for line, age in zip(lines, ages, strict=False) for _ in line + "\n"]
    np.testing.assert_array_equal(known["lines of speech"], expected)
    assert "".join(c for c, on in zip(TEXT, known["capital"], strict=True) if on) == "ROMEOIINJULIETO"
    assert list(np.flatnonzero(known["blank line"])) == [TEXT.index("\n\n") + 1]


def noise(rng, count, width, memory=0.95):
    """Neighbours correlate: AR(1)."""
    found = np.zeros((count, width))
    for t in range(1, count):
        found[t] = memory * found[t - 1] + rng.normal(size=width)
    return found


def test_a_planted_cell_is_found_and_chance_is_not():
    rng = np.random.default_rng(0)
    known = {"saw": np.arange(8000) % 40 / 1.0, "other": noise(rng, 8000, 1)[:, 0]}
    table = noise(rng, 8000, 12)
    table[:, 7] = -0.5 * cells.standard(known["saw"]) + 0.1 * table[:, 7]
    halves = [{name: values[s] for name, values in known.items()} for s in (slice(0, 4000), slice(4000, 8000))]
    chosen = cells.search(table[:4000], halves[0])
    r = np.corrcoef(np.column_stack([table[4000:], halves[1]["saw"]]).T)[-1, :-1]
    assert chosen["saw"][0] == 7
    assert chosen["saw"][1] < 0
    first, second = cells.verify(chosen, table[4000:], halves[1], block=100, permutations=199)
    assert first.held_out == pytest.approx(r[7], rel=1e-9)
    assert (first.p, first.cell) == (1 / 200, 7)
    assert second.p > 0.05
    assert abs(second.held_out) < second.threshold


def test_blocks_are_dealt_out_as_a_loop_does():
    rng = np.random.default_rng(1)
    table, known = rng.normal(size=(205, 3)), {"a": rng.normal(size=205), "b": rng.normal(size=205)}
    found = cells.null(table, known, block=10, permutations=4, seed=5)
    orders = np.random.default_rng(5)
    for value in found:
        order = orders.permutation(20)
        moved = [own[:200].reshape(20, 10)[order].ravel() for own in known.values()]
        r = [abs(np.corrcoef(table[:200, u], own)[0, 1]) for u in range(3) for own in moved]
        assert value == pytest.approx(max(r), rel=1e-9)
    with pytest.raises(UserError, match="18 blocks of 11: at least 20 are needed"):
        cells.null(table, known, block=11)


def test_neighbours_that_correlate_need_blocks():
    """Of 60 features that no cell follows, blocks call at most a tenth followed; single characters most of them."""
    rng = np.random.default_rng(2)
    calls = {50: 0, 1: 0}
    for k in range(60):
        table, own = noise(rng, 1000, 4, 0.9), {"nothing": noise(rng, 1000, 1, 0.9)[:, 0]}
        highest = np.abs(cells.correlations(table, own)).max()
        for block in calls:
            calls[block] += highest > np.quantile(cells.null(table, own, block, 39, seed=k), 0.95)
    assert calls[50] <= 9
    assert calls[1] > 30


def test_the_states_of_a_long_text_are_those_of_one_call():
    layer = LSTM(5, return_sequences=True, return_state=True, backend="scan")
    model = LanguageModel(7, Stacked([layer]))
    ids = np.random.default_rng(0).integers(1, 7, 50).astype(np.int32)
    params = jax.jit(model.init)(jax.random.key(0), model.example())["params"]
    found = cells.states(model, params, ids, piece=16)
    (_, (h, c)) = layer.apply({"params": params["layer"]["layers_0"]}, jax.nn.one_hot(ids[None], 7))
    np.testing.assert_allclose(found[-1], c[0], rtol=1e-4, atol=1e-6)
    assert found.shape == (50, 5)
    assert h.shape == (1, 5)
    two = LanguageModel(7, Stacked([layer.clone(), layer.clone()]))
    params = jax.jit(two.init)(jax.random.key(0), two.example())["params"]
    with pytest.raises(UserError, match="a model of one LSTM layer"):
        cells.states(two, params, jnp.asarray(ids))
