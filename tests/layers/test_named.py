"""Recurrent layers by name."""

import pytest

from seqjax.errors import UserError
from seqjax.layers.lru import LRU
from seqjax.layers.minimal import MinGRU
from seqjax.layers.named import LAYERS, named, width
from seqjax.layers.recurrent import GRU


def test_a_name_gives_the_layer_with_its_options():
    assert named("gru", 3, activation="relu", return_sequences=True) == GRU(3, True, activation="relu")
    assert named("mingru", 3, activation="tanh", recurrent_dropout=0.0) == MinGRU(3)  # the defaults of the others
    assert named("lru", 3, return_state=True) == LRU(3, return_state=True)
    assert all(named(name, 2).units == 2 for name in LAYERS)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("elman", {}, "cell=elman is unknown; choose one of simple_rnn, lstm"),
        ("mingru", {"recurrent_dropout": 0.2}, "cell=mingru has no recurrent_dropout, so that recurrent_dropout=0.2"),
        ("lru", {"activation": "relu"}, "cell=lru has no activation"),
    ],
)
def test_what_a_layer_does_not_have_is_refused(name, options, said):
    with pytest.raises(UserError, match=said):
        named(name, 2, **options)


def test_a_width_is_that_of_the_nearest_number_of_parameters():
    assert width("lstm", 14, 1984) == 16
    assert width("lstm", 14, 1984 + 50) == 16  # 17 units have 2,176
    assert width("lstm", 14, 1984 + 100) == 17
    assert width("mingru", 14, 2000) == 67  # 30 a unit
    with pytest.raises(UserError, match="cell=gru of one unit has 51 over 14"):
        width("gru", 14, 50)
