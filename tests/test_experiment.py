"""Finding, listing and configuring experiment files."""

from typing import Literal

import pytest

from seqjax import experiment as experiments
from seqjax.errors import UserError

FILE = '''"""Counts to three.

More text.
"""
from seqjax.experiment import Experiment

def experiment(*, units: int = 3, rate: float = 0.5, size: int | None = None, seed: int = 0) -> Experiment:
    return Experiment(None, units, None, {}, None, epochs=1, batch_size=2, seed=seed,
                      lecture={"test": {"mae": 1.5}})
'''


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "counting.py").write_text(FILE)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "experiments"


def test_a_file_in_the_current_directory_is_an_experiment(folder):
    assert "counting" in experiments.names()
    assert experiments.find("counting") == folder / "counting.py"
    expected = experiments.Listing("counting", "Counts to three.", {"test": {"mae": 1.5}})
    assert experiments.listing("counting") == expected
    built = experiments.load(experiments.find("counting"))(units=7)
    assert (built.model, built.epochs, built.lecture) == (7, 1, {"test": {"mae": 1.5}})


def test_the_current_directory_comes_before_the_checkout(folder):
    (folder / "jena_lstm.py").write_text(FILE)
    assert experiments.find("jena_lstm") == folder / "jena_lstm.py"
    assert experiments.names().count("jena_lstm") == 1


def test_underscored_and_strange_files_are_not_experiments(folder):
    for name in ("_private", "two-words", "1st"):
        (folder / f"{name}.py").write_text(FILE)
        assert name not in experiments.names()


@pytest.mark.parametrize("name", ["jena_lstn", "../etc/passwd", "experiments/jena_lstm", "", "jena_lstm.py"])
def test_a_wrong_name_lists_the_choices(name):
    with pytest.raises(UserError, match=r"no experiment .*choices: .*jena_lstm"):
        experiments.find(name)


def test_a_near_name_is_suggested():
    with pytest.raises(UserError, match="did you mean 'jena_lstm'"):
        experiments.find("jena_lstn")


@pytest.mark.parametrize("text", ["def experiment(:", "import no_such_module", "undefined_name"])
def test_a_file_that_does_not_run_is_named(folder, text):
    (folder / "broken.py").write_text(text)
    with pytest.raises(UserError, match=r"broken\.py does not run"):
        experiments.load(folder / "broken.py")
    assert experiments.listing("broken").name == "broken"


def test_a_file_that_is_missing_is_named(folder):
    with pytest.raises(UserError, match=r"there is no file .*gone\.py"):
        experiments.load(folder / "gone.py")


def test_a_file_without_the_function_is_named(folder):
    (folder / "empty.py").write_text("x = 1")
    with pytest.raises(UserError, match="defines no function experiment"):
        experiments.load(folder / "empty.py")


def knobs(
    *,
    units: int = 16,
    rate: float = 1e-3,
    masked: bool = False,
    length: int | None = None,
    merge: Literal["sum", "mul"] = "sum",
    title: str = "a",
    stem: str | None = None,
):
    raise AssertionError("never called")


def test_defaults_are_all_there():
    expected = {"units": 16, "rate": 1e-3, "masked": False, "length": None, "merge": "sum", "title": "a", "stem": None}
    assert experiments.options(knobs, []) == expected


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("units=8", 8),
        ("rate=3e-4", 3e-4),
        ("rate=1", 1.0),
        ("masked=true", True),
        ("masked=False", False),
        ("length=600", 600),
        ("length=none", None),
        ("merge=mul", "mul"),
        ("title=a=b", "a=b"),
        ("title=none", "none"),
        ("stem=english", "english"),
        ("stem=none", None),
    ],
)
def test_values_are_read_by_the_annotation(setting, value):
    read = experiments.options(knobs, [setting])[setting.partition("=")[0]]
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("units", "not of the form"),
        ("unit=8", "no knob 'unit'; did you mean 'units'.*choices: units, rate"),
        ("units=8.5", "'units' takes an integer, not '8.5'"),
        ("units=none", "'units' takes an integer"),
        ("rate=fast", "'rate' takes a number, not 'fast'"),
        ("masked=1", "'masked' takes true or false"),
        ("length=x", "'length' takes an integer or none"),
        ("merge=ave", "'merge' takes one of sum, mul"),
    ],
)
def test_a_wrong_setting_names_culprit_and_choices(setting, message):
    with pytest.raises(UserError, match=message):
        experiments.options(knobs, [setting])


@pytest.mark.parametrize(("knob", "value"), [("epochs", -1), ("batch_size", 0), ("seed", -1)])
def test_an_experiment_checks_its_numbers(knob, value):
    numbers = {"epochs": 1, "batch_size": 1, "seed": 0} | {knob: value}
    with pytest.raises(UserError, match=f"{knob} must be at least"):
        experiments.Experiment(None, None, lambda o, t: o, {}, None, **numbers)
