"""Better than one LSTM: recurrent dropout, stacking, both directions."""

import jax
import numpy as np

from seqjax.layers import Bidirectional, GRUCell, LSTMCell, Stacked
from seqjax.layers.recurrent import RecurrentLayer
from seqjax.lecture.known import Known
from seqjax.lecture.pictures import improving as pictures
from seqjax.lecture.pictures import scores
from seqjax.lecture.section import Exercise, Judged, Section
from seqjax.report.verdicts import HELD

TITLE = "Dropout, stacking, both directions"


def masks(rate: float, steps: int, units: int, same: bool, seed: int = 0) -> np.ndarray:
    """What survives of a state [T, U], scaled: one pattern for all steps, or a fresh one at each."""
    rng = np.random.default_rng(seed)
    drawn = rng.random((1 if same else steps, units)) >= rate
    return np.broadcast_to(drawn / (1 - rate), (steps, units))


def survives(rate: float, steps: int, same: bool) -> float:
    """The share of units that no step has dropped."""
    return float((masks(rate, steps, 10_000, same) > 0).all(axis=0).mean())


def sizes() -> dict[str, int]:
    """Parameters of an LSTM and a GRU of as many units."""
    count = lambda cell: sum(
        leaf.size
        for leaf in jax.tree.leaves(
            jax.eval_shape(
                lambda x: cell.init(jax.random.key(0), cell.initialize_carry(None, x.shape), x),
                jax.ShapeDtypeStruct((1, 14), "float32"),
            )
        )
    )
    return {"LSTM": count(LSTMCell(32)), "GRU": count(GRUCell(32))}


def sections(known: Known) -> list[Section]:
    """See `seqjax.lecture.section`."""
    share = {same: survives(0.25, 20, same) for same in (True, False)}
    size = sizes()
    rows = ("jena_naive", "jena_lstm", "jena_lstm_dropout", "jena_stacked_gru", "jena_bilstm", "jena_lstm_reversed")
    return [
        Section(
            "The same pattern at every step",
            ("improving", "same-pattern"),
            f"Drop a quarter of the state anew at every step, and after twenty steps {share[False]:.1%} of the "
            f"units have "
            f"come through; with one pattern for the sequence {share[True]:.0%} have. A fresh pattern erases memory.",
            Judged(HELD, f"{share[True]:.0%} against {share[False]:.1%} come through twenty steps."),
            masks,
            "tests/layers/test_recurrent.py::test_recurrent_dropout_is_one_mask_for_all_steps_and_fresh_at_every_call",
            r"\hat{h}_t = m \odot h_t, \quad m \sim \text{Bernoulli}(1 - p) / (1 - p)",
            pictures.patterns(masks),
        ),
        Section(
            "Recurrent dropout",
            ("dropout", "dropout-score"),
            f"With it {known.score('jena_lstm_dropout')} on test, without {known.score('jena_lstm')}; and the "
            f"validation "
            "loss rises less.",
            known.judged(
                ("jena_lstm_dropout", "jena_lstm", "mae"), ("jena_lstm_dropout", "jena_lstm", "rise"),
                ("jena_lstm_dropout", "jena_naive"),
            ),
            RecurrentLayer.__call__,
            "tests/layers/test_recurrent.py::test_recurrent_dropout_masks_are_per_gate_unless_tied",
            picture=scores.rows(known, rows, " (°C)", "The lecture's improvements"),
        ),
        Section(
            "Stacking, and the GRU",
            ("stacking", "stacking-score", "gru-faster"),
            f"An LSTM of thirty-two units on the lecture's features has {size['LSTM']:,} parameters, a GRU "
            f"{size['GRU']:,}. Two GRUs, one upon the other: {known.score('jena_stacked_gru')}.",
            known.judged(
                ("jena_stacked_gru", "jena_lstm"), ("jena_stacked_gru", "jena_lstm_dropout"),
                ("jena_recurrent", "jena_recurrent"),
            ),
            Stacked,
            "tests/layers/test_composite.py::test_stacked_feeds_sequences_upwards",
            table=known.table(rows),
        ),
        Section(
            "Both directions",
            ("bidirectional", "overlooked", "bidirectional-score"),
            "Read backwards, the window ends five days ago, and what matters most was read first and longest ago. Its "
            f"source speaks of the reversed LSTM: {known.score('jena_lstm_reversed')}; both together: "
            f"{known.score('jena_bilstm')}; naive {known.score('jena_naive')}.",
            known.judged(
                ("jena_naive", "jena_bilstm", "test"), ("jena_naive", "jena_bilstm", "last"),
                ("jena_naive", "jena_lstm_reversed"),
            ),
            Bidirectional,
            "tests/layers/test_composite.py::test_bidirectional_merges_both_directions",
            r"h = [h_T^\to ; h_1^\text{back}]",
        ),
    ]  # fmt: skip


EXERCISES = (
    Exercise(
        "backwards",
        "X, W, U, b",
        "The states of the simple cell (tanh, from zeros) that reads `X` $[T, D]$ from its last step to its first, "
        "each at the place of the step that it has just read: $[T, U]$.",
        lambda rng: {
            "X": rng.normal(size=(5, 2)), "W": rng.normal(size=(2, 3)), "U": rng.normal(size=(3, 3)),
            "b": rng.normal(size=3),
        },
        lambda X, W, U, b: _reversed(X, W, U, b),
    ),
)  # fmt: skip


def _reversed(X: np.ndarray, W: np.ndarray, U: np.ndarray, b: np.ndarray) -> np.ndarray:
    states = [np.zeros(len(b))]
    for x in X[::-1]:
        states.append(np.tanh(x @ W + states[-1] @ U + b))
    return np.array(states[:0:-1])
