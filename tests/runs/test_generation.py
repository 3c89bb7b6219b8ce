"""Texts from a tiny run: the same in pieces and whole, alone and in company, and greedy ones as its logits say."""

import numpy as np
import pytest

import tiny_runs
from seqjax.errors import UserError
from seqjax.runs import commands, generation
from seqjax.runs.generation import Speed, Wish
from seqjax.training.program import Settings
from seqjax.training.workdir import Workdir

TEXT = "".join(f"the {'cat' if k % 3 else 'dog'} sat on the mat.\n" for k in range(60))
SMALL = ("units=8", "epochs=1", "batch_size=2", "sequence_length=16", "dropout=0.0")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of one epoch over 60 lines."""
    folder = tmp_path_factory.mktemp("generation")
    (folder / "text.txt").write_text(TEXT)
    options = [*SMALL, f"file={folder / 'text.txt'}"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        workdir = Workdir(folder / "run")
        commands.train("shakespeare_lstm", workdir, options=options, data_dir=folder, settings=Settings())
    return workdir


def texts(run, **options):
    wish = Wish(**{"prompt": "the ", "length": 20, **options})
    found = [""] * wish.samples
    for sample, piece in generation.generate(run, wish, Speed()):
        found[sample] += piece
    return found


def test_the_prompt_comes_first_and_the_length_is_kept(run):
    for length in (1, 15, 16, 17, 40):
        (text,) = texts(run, length=length)
        assert text.startswith("the ")
        assert len(text) == 4 + length


def test_pieces_of_any_size_are_the_whole_bit_for_bit(run, monkeypatch):
    whole = texts(run, length=40)
    for size in (1, 7, 64):
        monkeypatch.setattr(generation, "PIECE", size)
        assert texts(run, length=40) == whole


def test_a_sample_does_not_depend_on_the_others_but_on_its_seed(run):
    three = texts(run, samples=3)
    assert three[:1] == texts(run)
    assert three[:2] == texts(run, samples=2)
    assert len(set(three)) == 3
    assert texts(run, seed=1) != texts(run) == texts(run)


def test_no_temperature_is_the_most_probable_character_as_the_model_says(run):
    import jax

    from seqjax import experiment as experiments
    from seqjax.data.text.characters import encoded, read_alphabet
    from seqjax.training.best import restore_best, shapes

    experiment = experiments.build(experiments.load(run.path / "experiment.py"), experiments.knobs(run.run()))
    alphabet = read_alphabet(run.path)
    _, params = restore_best(run, shapes(experiment, (np.zeros((1, 2), np.int32), np.ones(1, bool))))
    written = "the "
    logits_of = jax.jit(lambda tokens: experiment.model.apply({"params": params}, tokens, method="run")[0])
    for _ in range(6):
        logits = np.array(logits_of(encoded(written, alphabet, "")[None]))[0, -1]
        logits[0] = -np.inf
        written += alphabet[int(logits.argmax()) - 1]
    assert texts(run, length=6, temperature=0.0) == [written]
    assert texts(run, length=6, top_k=1) == [written]
    assert texts(run, length=6, temperature=1e-6) == [written]
    assert texts(run, length=6, top_p=1e-9) == [written]


def test_a_text_ends_after_the_first_stop(run):
    whole = texts(run, length=60, samples=2)
    stop = whole[0][4:][20:22]
    for text, ended in zip(whole, texts(run, length=60, samples=2, stop=stop), strict=True):
        end = text[4:].find(stop)
        assert ended == (text if end < 0 else text[: 4 + end + 2])
    assert texts(run, length=60, stop=stop) == texts(run, length=60, samples=2, stop=stop)[:1]


def test_the_speed_is_told_of_what_did_not_wait_for_the_compiler(run):
    for length, said in ((5, "no speed"), (40, "24 characters, ")):
        speed = Speed()
        list(generation.generate(run, Wish(prompt="the ", length=length), speed))
        assert str(speed).startswith(said)


def test_a_prompt_from_a_file(run, tmp_path):
    (tmp_path / "prompt.txt").write_text("the cat")
    (text,) = texts(run, prompt=f"FILE:{tmp_path / 'prompt.txt'}")
    assert text == texts(run, prompt="the cat")[0]
    with pytest.raises(UserError, match="there is no file"):
        texts(run, prompt=f"FILE:{tmp_path / 'none'}")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prompt": "THE"}, "--prompt: 'E' is none of the"),
        ({"prompt": ""}, "prompt is empty"),
        ({"length": 0}, "length must be at least 1"),
        ({"samples": 0}, "samples must be at least 1"),
        ({"seed": -1}, "generate_seed must be at least 0"),
        ({"temperature": -0.5}, "temperature must be 0"),
        ({"temperature": float("nan")}, "temperature must be 0"),
        ({"top_k": 0}, "top_k"),
        ({"top_p": 0.0}, "top_p"),
        ({"min_p": 1.5}, "min_p"),
        ({"repetition_penalty": 0.0}, "repetition_penalty"),
        ({"stop": ""}, "stop is empty"),
    ],
)
def test_wishes_that_make_no_sense_are_refused(run, options, message):
    with pytest.raises(UserError, match=message):
        texts(run, **options)


def test_other_runs_are_no_language_models(tmp_path, monkeypatch):
    monkeypatch.chdir(tiny_runs.folder(tmp_path))
    tiny_runs.train(tmp_path / "run")
    with pytest.raises(UserError, match="no language model of characters"):
        list(generation.generate(Workdir(tmp_path / "run"), Wish(), Speed()))
