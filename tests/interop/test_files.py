"""seqjax.interop: safetensors, saved Keras models of the rows, and the command."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

keras = pytest.importorskip("keras")
import keras_lecture  # noqa: E402
from interop_pairs import L, same_trees  # noqa: E402
from keras_lecture import allowed  # noqa: E402
from seqjax import experiment as experiments  # noqa: E402
from seqjax.errors import UserError  # noqa: E402
from seqjax.interop import __main__ as command  # noqa: E402
from seqjax.interop import (  # noqa: E402
    from_keras_file,
    load_safetensors,
    save_safetensors,
)
from seqjax.interop.experiments import evaluate  # noqa: E402


def test_safetensors_keep_values_types_and_layout(tmp_path):
    params = {
        "layer": {"kernel": np.arange(6, dtype=np.float64).reshape(2, 3).T, "bias": jnp.arange(3, dtype=jnp.bfloat16)},
        "scale": jnp.float32(2.5),
        "ids": np.array([7], np.int32),
    }
    save_safetensors(params, tmp_path / "a.safetensors")
    for read in (
        load_safetensors(tmp_path / "a.safetensors"),
        load_safetensors(tmp_path / "a.safetensors", like=params),
    ):
        same_trees(read, params)
        assert jax.tree.map(lambda a: a.dtype, read) == jax.tree.map(lambda a: a.dtype, params)
        assert jax.tree.map(np.shape, read) == jax.tree.map(np.shape, params)


def test_safetensors_that_do_not_fit_are_refused(tmp_path):
    path = tmp_path / "a.safetensors"
    save_safetensors({"layer": {"kernel": np.ones((2, 3), np.float32)}}, path)
    for like, message in (
        ({"layer": {"kernel": np.ones((3, 2), np.float32)}}, r"layer/kernel of .* is \[2, 3\], but \[3, 2\] is wanted"),
        ({"layer": {"kernel": np.ones((2, 3), np.float16)}}, "layer/kernel of .* is float32, but float16 is wanted"),
        ({"dense": {"kernel": np.ones((2, 3), np.float32)}}, "lacks dense/kernel; it has layer/kernel"),
        ({}, "has layer/kernel, which is not wanted"),
    ):
        with pytest.raises(UserError, match=message):
            load_safetensors(path, like=like)
    path.write_bytes(path.read_bytes()[:-5])
    for damaged in (path, tmp_path / "none.safetensors"):
        with pytest.raises(UserError, match=f"{damaged.name} cannot be read as safetensors"):
            load_safetensors(damaged)
    with pytest.raises(UserError, match="cannot be written"):
        save_safetensors({"a": np.ones(1)}, tmp_path / "no" / "folder.safetensors")


def saved(name, folder):
    """A trained-looking lecture model in a file; -> (path, pair)."""
    pair = keras_lecture.pair(name)
    rng = np.random.default_rng(0)
    with allowed():
        pair.keras_model.set_weights([w + rng.normal(size=w.shape, scale=0.3) for w in pair.keras_model.get_weights()])
        pair.keras_model.save(folder / f"{name}.keras")
    return folder / f"{name}.keras", pair


@pytest.mark.parametrize("name", keras_lecture.QUICK)
def test_an_imported_file_evaluates_as_in_keras(name, tmp_path):
    path, pair = saved(name, tmp_path)
    params, difference = from_keras_file(path, pair.experiment)
    assert difference < 1e-5
    ours = evaluate(params, pair.experiment, pair.dataset)
    with allowed():
        targets = pair.dataset.arrays["targets"]
        theirs = pair.keras_model.evaluate(pair.keras_inputs, targets, batch_size=64, verbose=0, return_dict=True)
    assert ours.keys() == theirs.keys()
    for metric, value in theirs.items():
        np.testing.assert_allclose(ours[metric], value, rtol=1e-5, err_msg=metric)


def run_command(capsys, monkeypatch, *arguments):
    for name in command.FLAGS:
        command.FLAGS[name].unparse()
    monkeypatch.setattr(sys, "argv", ["seqjax.interop", *map(str, arguments)])
    command.run()
    return capsys.readouterr()


def test_the_command_writes_and_tests(tmp_path, capsys, monkeypatch):
    """At the lecture's own sizes, as `jena_dense` of 26,913 parameters has them."""
    with allowed():
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((120, 14)), L.Flatten(), L.Dense(16, "relu"), L.Dense(1)])
        model.save(tmp_path / "jena_dense.keras")
        weights = model.get_weights()
    output = tmp_path / "o.safetensors"
    arguments = (tmp_path / "jena_dense.keras", "--experiment=jena_dense", f"--output={output}", "--data=sample")
    said = run_command(capsys, monkeypatch, *arguments).out
    assert "26,913 parameters" in said
    assert "jena_dense: test loss" in said
    written = load_safetensors(output)
    np.testing.assert_array_equal(written["Dense_0"]["kernel"], weights[0])

    experiment = experiments.load(experiments.find("jena_dense"))()
    dataset = experiment.source.load("sample", tmp_path)
    assert f"mae {evaluate(written, experiment, dataset)['mae']:.4f}" in said
    other = experiments.load(experiments.find("jena_dense"))(sequence_length=60)
    with pytest.raises(UserError, match=r"Dense_0/kernel of the imported model is \[1680, 16\], but \[840, 16\]"):
        evaluate(written, other, other.source.load("sample", tmp_path))


def test_the_command_refuses_in_one_line(tmp_path, capsys, monkeypatch):
    (tmp_path / "bad.keras").write_bytes(b"no zip")
    (tmp_path / "model.h5").write_bytes(b"")
    bad, out = tmp_path / "bad.keras", "--output=x"
    for arguments, message in (
        ([], "give one MODEL.keras, not 0"),
        (["a.keras"], "--experiment=NAME is missing; choices: "),
        (["a.keras", "--experiment=jena_lstm"], "nothing to do: give --output"),
        (["a.keras", "--experiment=jena_lstn", out], "did you mean 'jena_lstm'?"),
        (["a.keras", "--experiment=jena_lstm", out, "--set=unit=3"], "no knob 'unit'"),
        (["a.keras", "--experiment=jena_lstm", out], "a.keras does not exist"),
        ([tmp_path / "model.h5", "--experiment=jena_lstm", out], "model.h5 is not a .keras file"),
        ([bad, "--experiment=jena_lstm", out], "bad.keras cannot be read by Keras"),
        (["a.keras", "--ouput=x"], "Did you mean: output ?"),
    ):
        with pytest.raises(SystemExit, match="2"):
            run_command(capsys, monkeypatch, *arguments)
        said = capsys.readouterr().err
        assert message in said
        assert said.startswith("seqjax: ")
        assert said.count("\n") == 1


def test_a_file_of_another_experiment_is_refused(tmp_path):
    path, pair = saved("imdb_unigram", tmp_path)
    load = lambda name, **knobs: experiments.load(experiments.find(name))(**knobs)
    with pytest.raises(UserError, match=r"has kernel \[50, 4\], but .* has \[50, 5\]"):
        from_keras_file(path, load("imdb_unigram", vocabulary_size=50, units=5))
    with pytest.raises(UserError, match=r"inputs of shape \(None, 50\), but the experiment's are \[B, T, D\]"):
        from_keras_file(path, load("jena_lstm"))
    assert from_keras_file(path, pair.experiment).difference < 1e-5


def test_the_libraries_are_imported_late():
    code = (
        "import sys, seqjax.interop; print(sorted({'keras', 'torch', 'tensorflow', 'safetensors'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"
