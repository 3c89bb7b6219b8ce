"""A learner's functions are told right from wrong, and a broken file is one line."""

import numpy as np
import pytest

from seqjax.errors import UserError
from seqjax.lecture import chapters, check, trial


@pytest.fixture(scope="module")
def learner(tmp_path_factory):
    folder = tmp_path_factory.mktemp("learner")

    def write(text):
        path = folder / f"exercise_{abs(hash(text))}.py"
        path.write_text(text)
        return path

    return write


MIXED = """
import numpy as np
print("noise")
def clip(g, c):
    return g * min(1, c / np.linalg.norm(g))
def chain(jacobians):
    product = np.eye(3)
    for own in jacobians:
        product = product @ own
    return product
def half_life_of(bias):
    return unknown
def bigrams(words):
    return words
def cell(x, s, W, U, b):
    return x
"""


def test_right_wrong_and_raising(learner):
    found = {outcome.name: outcome for outcome in check.check(learner(MIXED))}
    assert found["clip"].kind == check.PASSED
    assert found["chain"].kind == check.FAILED
    assert "numbers are wrong" in found["chain"].said
    assert found["half_life_of"].said == "line 12: NameError: name 'unknown' is not defined"
    assert "things, not" in found["bigrams"].said
    assert "the answer's shape is [3], not [4]" in found["cell"].said
    assert found["lstm"].kind == check.ABSENT
    lines = check.report(list(found.values()))
    assert lines[-1].startswith("1 of 5 passed; not there: ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def clip(g, c)\n    return g", "line 1: SyntaxError: expected ':'"),
        ("import nothing_of_that_name", "line 1: ModuleNotFoundError"),
        ("raise SystemExit(0)", "SystemExit"),
        ("import os\nos._exit(3)", "it ended its process"),
        pytest.param("x = 1", "holds none of the exercises' functions: is_bag, windows, cell", marks=pytest.mark.slow),
    ],
)
def test_a_broken_file_is_one_line(learner, text, message):
    with pytest.raises(UserError, match=message) as raised:
        check.check(learner(text))
    assert "\n" not in str(raised.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        check.check(tmp_path / "none.py")


@pytest.mark.slow
def test_what_does_not_end_is_stopped(learner):
    found = check.check(learner("def clip(g, c):\n    while True: pass"), limit=25)
    assert found[-1].kind == check.FAILED
    assert "no answer within 25 s" in found[-1].said
    with pytest.raises(UserError, match="it did not end within 25 s"):
        check.check(learner("while True: pass"), limit=25)


@pytest.mark.parametrize("exercise", list(chapters.exercises()), ids=lambda own: own.name)
def test_the_truth_passes_and_what_is_near_does_not(exercise):
    assert trial.tried(exercise, lambda *given: exercise.truth(*given)) == ""
    assert "returns nothing" in trial.tried(exercise, lambda *given: None)
    assert trial.tried(exercise, 3) == f"{exercise.name} is no function, but int"

    def near(*given):
        right = exercise.truth(*given)
        return right[:-1] if isinstance(right, list) else np.asarray(right, float) + 1e-3

    assert trial.tried(exercise, near) != ""
