"""seqjax.report.effects and python -m seqjax.knobs: a table and a picture of what knobs do."""

from seqjax import knobs
from seqjax.report import effects
from seqjax.runs import statistics
from seqjax.runs.moved_knobs import FAILED, LESS, MORE, Effect, Effects
from tool_calls import called


def effect(value, scores, verdict, base):
    found = {"validation": scores, "test": scores}
    return Effect("units", value, found, statistics.difference(scores, base) if scores else None, verdict)


def made():
    base = {0: 2.5, 1: 2.6, 2: 2.4}
    each = [
        effect("8", {0: 2.52, 1: 2.61, 2: 2.43}, LESS, base),
        effect("1000", {}, FAILED, base),
        effect("32", {0: 2.0, 1: 2.2, 2: 1.9}, MORE, base),
    ]
    return Effects("mae", {"validation": base, "test": base}, 0.1, each)


def test_the_largest_effect_stands_first_and_what_failed_last():
    head, base, *lines = effects.rows(made())
    assert head[0] == "knob"
    assert base[-1] == "one deviation between seeds: 0.1000"
    assert [line[0] for line in lines] == ["units=32", "units=8", "units=1000"]
    assert lines[0][2:4] == ("-0.4667", "-0.6101 to -0.3232")  # Student's t of two degrees, 4.303
    assert [line[-1] for line in lines] == [MORE, LESS, FAILED]
    text = effects.markdown(made(), "Knobs")
    assert text.startswith("# Knobs\n")
    assert "| units=1000 | - |  |  | - | no run finished |" in text
    assert "units=32" in effects.table(made()).splitlines()[2]


def test_the_picture_has_every_effect_and_the_spread():
    svg = effects.svg(made())
    for said in ("units=32", "units=8", "one deviation between seeds", f"change of the validation mae; red: {MORE}"):
        assert said in svg
    assert "units=1000" not in svg


def test_a_wrong_call_is_one_line(tmp_path):
    for flags, said in (
        (["--seeds=0"], "--seeds must be at least 1"),
        (["--experiment=csv_lstm"], "--move=knob=value,value is missing"),
        (["--move=unit=3"], "did you mean 'units'"),
        ([f"--output={tmp_path}", "--notrain"], "has finished"),
        (["units"], "is not a flag"),
    ):
        done = called(knobs, *flags)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
        assert said in done.stderr
