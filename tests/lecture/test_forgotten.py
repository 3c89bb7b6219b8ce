"""How far back a model looks, of models that look a known way back."""

import numpy as np
import pytest

from seqjax.errors import UserError
from seqjax.lecture import forgotten

rng = np.random.default_rng(0)
INPUTS = rng.normal(size=(200, 12, 2)).astype(np.float32)
KEPT = [0, 1, 3, 4, 12, 20]


def looks(answer, how):
    target = answer(INPUTS)
    ways = {"cut": lambda k: forgotten.cut(INPUTS, k, 0.0), "shuffled": lambda k: forgotten.shuffled(INPUTS, k)}
    return forgotten.looks(answer, lambda said: np.abs(said - target), INPUTS, ways[how], KEPT)


@pytest.mark.parametrize("how", forgotten.HOWS)
def test_who_looks_four_steps_back_is_wrong_when_fewer_are_left(how):
    found = looks(lambda x: x[:, -4, 0], how)
    assert [look.same for look in found] == [look.kept >= 4 for look in found]
    for look in found:
        assert (look.score > 0.5) == (look.kept < 4)
        assert look.change == look.score, "of the whole past the error is 0"
        assert look.moved == pytest.approx(float(look.kept < 4), abs=0.2)  # a shuffled step may come to where it was
        assert look.half is not None
        assert look.half == pytest.approx(0, abs=0.25 if look.kept < 4 else 0)


def test_decisions_that_are_turned_over_are_counted():
    says = lambda x: (x[:, -1, 0] > 0).astype(float)
    cut = lambda k: forgotten.cut(INPUTS, k, 0.0)  # nobody says yes
    (look,) = forgotten.looks(says, lambda said: said, INPUTS, cut, [0])
    assert look.moved == -look.change == says(INPUTS).mean()


def test_the_expected_error_of_a_replaced_step():
    """|x - 0| of a normal x: sqrt(2 / pi)."""
    first = looks(lambda x: x[:, -4, 0], "cut")[0]
    assert first.score == pytest.approx(np.sqrt(2 / np.pi), abs=first.half or 0)


def test_a_sum_does_not_mind_the_order_and_minds_what_is_gone():
    total = lambda x: np.sort(x[:, :, 0], axis=1).sum(1)  # the same order of summation whatever that of the steps
    assert all(look.same for look in looks(total, "shuffled"))
    assert [look.same for look in looks(total, "cut")] == [look.kept >= 12 for look in looks(total, "cut")]


def test_steps_move_as_wholes_and_within_the_past_alone():
    found = forgotten.shuffled(INPUTS, 3)
    np.testing.assert_array_equal(found[:, -3:], INPUTS[:, -3:])
    key = lambda x: np.sort(x[:, :9, 0] + 100 * x[:, :9, 1], axis=1)
    np.testing.assert_array_equal(key(found), key(INPUTS))
    assert (found[:, :9] != INPUTS[:, :9]).mean() > 0.8
    assert not np.array_equal(found[0, :, 0].argsort(), found[1, :, 0].argsort())


def test_words():
    text = "a b c d e"
    assert forgotten.cut_words(text, 2) == "d e"
    assert forgotten.cut_words(text, 0) == ""
    assert forgotten.cut_words(text, 9) == text
    found = [forgotten.shuffled_words(text, 2, np.random.default_rng(seed)) for seed in range(20)]
    assert {line[-3:] for line in found} == {"d e"}
    assert {"".join(sorted(line)) for line in found} == {"".join(sorted(text))}
    assert len(set(found)) == 6


def test_nothing_to_keep_is_refused():
    with pytest.raises(UserError, match="at least one number"):
        forgotten.looks(len, len, INPUTS, lambda k: INPUTS, [])
    with pytest.raises(UserError, match="kept must be at least 0"):
        forgotten.cut(INPUTS, -1, 0)
