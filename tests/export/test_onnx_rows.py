"""Every row as ONNX gives what JAX gives: on random, padded and masked inputs, for other batches, in steps."""

import jax
import numpy as np
import pytest

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")
from export_rows import example, small
from seqjax import experiment as experiments
from seqjax.errors import UserError
from seqjax.export import onnx_file, onnx_runs, proof
from seqjax.export.logits import Built

QUICK = ("jena_lstm", "imdb_bilstm_masked", "bots_gru")
NONE = {"digit_words", "glove", "moving_digits", "word2vec"}
TRANSLATORS = {"addition_seq2seq", "multi30k_gru", "spa_eng_gru"}
WHOLE = [name for name in experiments.names() if name not in NONE | TRANSLATORS]
STEPS = {
    *("adding", "bots_gru", "copying", "jena_lstm", "jena_lstm_dropout", "jena_recurrent", "jena_simple_rnn"),
    *("jena_stacked_gru", "keyword_gru", "shakespeare_lstm"),
}


def rows(names, quick=QUICK):
    return [pytest.param(name, marks=[] if name in quick else pytest.mark.slow) for name in sorted(names)]


@pytest.mark.parametrize("name", rows(WHOLE))
def test_a_row(name):
    experiment, params, inputs = small(name)
    graph = onnx_file.whole(experiment.model, params, inputs)
    recurrent = [node for node in graph.graph.node if node.op_type in ("LSTM", "GRU", "RNN")]
    assert bool(recurrent) == ("recurrent_kernel" in str(jax.tree.structure(params)))
    assert not {"Loop", "Scan", "If"} & {node.op_type for node in graph.graph.node}
    assert "layout" not in {attribute.name for node in recurrent for attribute in node.attribute}
    made = graph.SerializeToString()
    run = onnx_runs.whole(made, experiment.model, inputs)
    found = proof.prove(experiment.model, params, inputs, run, name)  # raises above 1e-5
    assert max(found.real, found.other) < 1e-5
    session = onnx_runs.session(made)
    assert all(one.shape[:1] == ["batch"] for one in (*session.get_inputs(), *session.get_outputs()))


@pytest.mark.parametrize("name", rows(STEPS, ("jena_lstm",)))
def test_a_row_in_steps(name):
    experiment, params, inputs = small(name)
    made = onnx_file.step(experiment.model, params, inputs).SerializeToString()
    for size in (1, 5):
        run = onnx_runs.pieces(made, experiment.model, params, inputs, size)
        assert proof.prove(experiment.model, params, inputs, run, name).other < 1e-5


@pytest.mark.slow
def test_time_may_be_of_any_length():
    experiment, params, inputs = small("trec_bilstm")
    run = onnx_runs.whole(
        onnx_file.whole(experiment.model, params, inputs).SerializeToString(), experiment.model, inputs
    )
    for shape in ((1, 1), (3, 40)):
        tokens = np.random.default_rng(0).integers(0, 60, shape).astype(np.int32)  # some outside the vocabulary
        ours = experiment.model.apply({"params": params}, tokens)
        np.testing.assert_allclose(run(tokens)[0], ours, atol=1e-5)


@pytest.mark.parametrize(
    "knobs", [{}, *({"cell": "lstm", "attention": name, "feeding": True} for name in ("none", "dot", "general"))]
)
@pytest.mark.slow
def test_a_translator(knobs):
    experiment, params, inputs = small("addition_seq2seq", **knobs)
    inputs = jax.tree.map(lambda leaf: leaf * 5, inputs)
    pair = [one.SerializeToString() for one in onnx_file.translator(experiment.model, params)]
    run = onnx_runs.translator(*pair, experiment.model)
    assert proof.prove(Built(experiment.model), {"model": params}, inputs, run, "translator").other < 1e-5


@pytest.mark.parametrize("name", sorted(NONE))
def test_what_has_no_writer_is_refused_by_name(name):
    model = experiments.load(experiments.find(name))().model
    with pytest.raises(UserError, match=f"^{type(model).__name__} cannot be written as ONNX, only .*choices for"):
        onnx_file.whole(model, {}, example(name, model))


@pytest.mark.parametrize(
    ("name", "knobs", "said"),
    [
        ("jena_bilstm", {}, r"a layer that reads from the end \(Bidirectional\); choices: --to=onnx"),
        ("jena_lstm_reversed", {}, r"a layer that reads from the end \(LSTM\)"),
        ("jena_dense", {}, "DenseForecaster reads whole examples, only .*RecurrentForecaster"),
        ("jena_recurrent", {"cell": "mingru"}, "the state of MinGRU is not known"),
        ("atis_bilstm", {"context": 3}, "reads from the end"),
    ],
)
def test_what_cannot_read_on_is_refused(name, knobs, said):
    experiment, params, inputs = small(name, **knobs)
    with pytest.raises(UserError, match=f"onnx-step: .*{said}"):
        onnx_file.step(experiment.model, params, inputs)


@pytest.mark.slow
def test_rows_with_options_of_their_own():
    """Heads of distributions, dense layers, normalised inputs, pooling, patches: once each."""
    for name, knobs in (
        ("jena_recurrent", {"layers": 2, "bidirectional": True, "dense_layers": 1, "batch_norm": True}),
        ("ts_gru", {"pooling": "attention", "patch": 4, "convolution": "branch"}),
        ("ts_gru", {"pooling": "mean", "patch": 5, "convolution": "front"}),
        ("csv_forecast", {"likelihood": "student_t", "patch": 5, "normalize": "last"}),
        ("csv_forecast", {"likelihood": "negative_binomial"}),
        ("shakespeare_lstm", {"embedding_size": 8, "tied": True, "layers": 2}),
    ):
        experiment, params, inputs = small(name, **knobs)
        made = onnx_file.whole(experiment.model, params, inputs).SerializeToString()
        theirs = onnx_runs.whole(made, experiment.model, inputs)(inputs)
        ours = jax.tree.leaves(jax.jit(experiment.model.apply)({"params": params}, inputs))
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(other, one, atol=1e-5, err_msg=f"{name} {knobs}")
