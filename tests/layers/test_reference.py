"""Every public name of seqjax.layers is documented as a library's is: options, shapes, equivalents, and it runs."""

import dataclasses
import doctest
import inspect

import pytest

from seqjax import layers

NAMES = sorted(layers.__all__)
LINEN = {"parent", "name"}
QUICK = ("Dropout", "Recurrent", "explain", "max_pool")
"""Examples that compile next to nothing."""


def told(name):
    """The docstrings of a name and of what it inherits from in seqjax."""
    value = getattr(layers, name)
    if not inspect.isclass(value):
        return [inspect.getdoc(value)]
    return [kind.__doc__ or "" for kind in inspect.getmro(value) if kind.__module__.startswith("seqjax")]


@pytest.mark.parametrize("name", NAMES)
def test_options_shapes_and_equivalents_are_told(name):
    own, *_ = texts = told(name)
    whole = "\n".join(texts)
    value = getattr(layers, name)
    fields = {field.name for field in dataclasses.fields(value)} if dataclasses.is_dataclass(value) else set()
    assert {field for field in fields - LINEN if field not in whole} == set(), "options that no docstring names"
    for library in ("Keras", "PyTorch", "Flax") if name != "RecurrentCell" else ():
        assert library in whole
    if name != "RecurrentCell":
        assert ">>>" in own, "an example"
        assert name in own
    if inspect.isclass(value) and name not in ("RecurrentCell", "Recurrent") and not name.endswith("Cell"):
        assert "[" in whole, "shapes"
        assert "nnx.bridge.ToNNX" in own


def run(name):
    namespace, found = {}, doctest.DocTestFinder(recurse=False)
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE, verbose=False)
    said = []
    for value, where in ((layers, "seqjax.layers"), (getattr(layers, name), name)):
        for test in found.find(value, where, globs=namespace):
            test.globs = namespace
            runner.run(test, out=said.append, clear_globs=False)
    assert runner.tries > 7, "no example has run"
    assert not runner.failures, "".join(said)


@pytest.mark.parametrize("name", QUICK)
def test_a_quick_example_runs(name):
    run(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NAMES if name not in (*QUICK, "RecurrentCell")])
def test_an_example_runs(name):
    run(name)
