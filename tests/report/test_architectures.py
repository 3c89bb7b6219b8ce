"""The page "architectures": what is drawn is what the models are made of."""

import subprocess
import sys

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from places import DATA, ROOT
from seqjax import experiment as experiments
from seqjax.layers import GRU, LSTM, Bidirectional, Dense, Embedding, Stacked
from seqjax.layers.attention import AdditiveAttention
from seqjax.report import anatomy, architectures, unrolled
from seqjax.training.state import count_parameters


def titles(parts):
    return [(part.title, part.shape) for part in parts]


class Reader(nn.Module):
    """An encoder-decoder with attention, of this test alone."""

    @nn.compact
    def __call__(self, inputs):
        source, before = inputs
        options = {"return_sequences": True, "return_state": True}
        memory, state = Bidirectional(GRU(3, **options))(Embedding(9, 2)(source))
        state = Dense(4)(jnp.concatenate(state, axis=1))
        outputs, _ = GRU(4, **options)(Embedding(8, 2)(before), initial_state=state)
        attention = AdditiveAttention(5)
        context, _ = attention(outputs, attention.prepare(memory))
        return Dense(7)(context)


READER = (np.ones((1, 3), np.int32), np.ones((1, 3), np.int32))


def test_the_layers_of_an_encoder_decoder_are_found_along_their_own_times():
    given, found = anatomy.parts(Reader(), READER)
    assert titles(given) == [("input", "[B, S]"), ("input", "[B, T]")]
    assert titles(found) == [
        ("Embedding 2", "[B, S, 2]"),
        ("Bidirectional GRU 3", "[B, S, 6]"),
        ("Dense 4", "[B, 4]"),
        ("Embedding 2", "[B, T, 2]"),
        ("GRU 4", "[B, T, 4]"),
        ("AdditiveAttention 5", "[B, T, 6]"),
        ("Dense 7", "[B, T, 7]"),
    ]
    assert [part.both for part in found] == [False, True, *[False] * 5]
    assert [part.looks for part in found] == [*[False] * 5, True, False]
    made = jax.eval_shape(Reader().init, jax.random.key(0), READER)["params"]
    assert sum(part.parameters for part in found) == count_parameters(made)


def test_stages_stand_side_by_side_and_steps_above_their_inputs():
    stages = unrolled.stages(*anatomy.parts(Reader(), READER))
    levels = [[(row.part.title, row.level) for row in stage] for stage in stages]
    assert levels == [
        [("input", 0), ("Embedding 2", 1), ("Bidirectional GRU 3", 2)],
        [("Dense 4", 2)],
        [("input", 0), ("Embedding 2", 1), ("GRU 4", 2), ("AdditiveAttention 5", 3), ("Dense 7", 4)],
    ]
    assert [len(stage[0].columns) for stage in stages] == [4, 1, 4]
    edges = [(stage[0].columns[0], stage[0].columns[-1]) for stage in stages]
    assert edges == sorted(edges)
    assert edges[-1][1] + unrolled.WIDTH < unrolled.UNITS


def test_layers_within_layers_are_one_box():
    class Nested(nn.Module):
        @nn.compact
        def __call__(self, x):
            return Dense(1)(Stacked([LSTM(4, return_sequences=True), LSTM(5)])(x))

    given, found = anatomy.parts(Nested(), np.zeros((1, 6, 3), np.float32))
    assert titles(given) == [("input", "[B, T, 3]")]
    assert titles(found) == [("2 x LSTM 4", "[B, 5]"), ("Dense 1", "[B, 1]")]
    assert (found[0].read, found[0].given) == (0, None)


@pytest.mark.parametrize("name", [name for _, name, _ in architectures.ARCHITECTURES if name in experiments.names()])
def test_every_parameter_of_the_lectures_architectures_is_in_a_box(name):
    _, found = architectures.parts_of(name, DATA)
    experiment = experiments.load(experiments.find(name))()
    inputs = experiment.model.example() if hasattr(experiment.model, "example") else None
    if inputs is None:
        inputs = experiment.source.load("sample", DATA).example()
    made = jax.eval_shape(experiment.model.init, jax.random.key(0), inputs)["params"]
    assert sum(part.parameters for part in found) == count_parameters(made)


def test_the_architectures_are_those_that_their_names_say():
    """By their shapes: where there is time, in what goes in and in what comes out."""
    times = {}
    for title, name, _ in architectures.ARCHITECTURES:
        if name in experiments.names():
            given, found = architectures.parts_of(name, DATA)
            times[title] = ({part.given for part in given} - {None}, found[-1].given)
    assert times["One to one"] == (set(), None)
    assert times["Many to one"] == ({0}, None)
    assert times["Many to many, aligned"] == ({0}, 0)
    assert times["One to many"] == ({0}, 0)  # the letters before; the image has no time
    image = architectures.parts_of("digit_words", DATA)[0][0]
    assert (image.shape, image.given) == ("[B, 64]", None)


def test_the_page_shows_drawings_layers_and_figures():
    row = {"experiment": "atis_bilstm", "label": "atis_bilstm", "metric": "slot_f1", "lecture": {}, "keras": None}
    score = {"mean": 0.9512, "half": 0.003, "count": 3, "std": 0.001, "values": [0.95]}
    row |= {"ours": {"test": score, "validation": score}, "parameters": 286528, "seconds": 100.0, "skill": {}}
    row |= {"baselines": {}, "optimum": {}, "data": "real"}
    text = architectures.page_of([row], DATA)
    shown = [title for title, name, _ in architectures.ARCHITECTURES if name in experiments.names()]
    assert len(shown) >= 5
    assert all(f"<h2>{title}</h2>" in text for title in shown)
    assert text.count("data:image/svg+xml;base64,") == len(shown)
    assert "Bidirectional LSTM 100" in text
    assert "[B, T, 128]" in text
    assert "test slot_f1" in text
    assert "0.951" in text
    assert text.count("No run at hand") == len(shown) - 1


@pytest.mark.slow
def test_the_report_links_the_page(tmp_path):
    (tmp_path / "runs").mkdir()
    command = [sys.executable, "-m", "seqjax.report", f"--runs={ROOT / 'experiments/results'}", f"--output={tmp_path}"]
    done = subprocess.run([*command, f"--data_dir={tmp_path}"], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert '<a href="architectures.html">Architectures</a>' in (tmp_path / "index.html").read_text()
    assert "<h1>Architectures</h1>" in (tmp_path / "architectures.html").read_text()
