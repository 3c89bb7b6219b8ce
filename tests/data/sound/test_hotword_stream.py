"""Raw audio as it comes: the frames of the whole and the alarms of the whole, however it is cut."""

import json

import numpy as np
import pytest

from seqjax.data.sound import hotwords
from seqjax.data.sound.alarms import Decoder
from seqjax.data.sound.hotword_stream import HotwordStream
from seqjax.data.sound.hotwords import FIRST, NOTHING, Hotwords
from seqjax.data.sound.spectra import Spectra
from seqjax.errors import UserError
from sound_files import wav

HEAR = Spectra(hop=160)
SAMPLES = np.random.default_rng(0).integers(-20_000, 20_000, 20_001).astype("<i2")
DATA = SAMPLES.tobytes() + b"\x07"  # half a sample that never ends


def stream(threshold=0.9):
    return HotwordStream(HEAR, ["no", "yes"], [FIRST + 1, FIRST], Decoder(2, 5, threshold), "stdin")


def answer(frame):
    """As a model might: what is likely depends on the frame."""
    logits = np.full(FIRST + 2, 0.0, np.float32)
    logits[0], logits[NOTHING] = 99, 0
    logits[FIRST:] = 40 * (frame[:2] + 2)
    return logits


def heard(found, pieces):
    steps, lines = [], []
    for piece in pieces:
        for step in found.read(piece) if piece is not None else found.end():
            steps.append(step.inputs)
            lines.append(found.line(step, answer(step.inputs)))
    return np.array(steps), [line for line in lines if line]


WHOLE = heard(stream(), [DATA, None])


@pytest.mark.parametrize("size", [1, 7, 641, 5_000])
def test_frames_and_alarms_do_not_depend_on_how_the_audio_is_cut(size):
    pieces = [DATA[k : k + size] for k in range(0, len(DATA), size)]
    steps, lines = heard(stream(), [*pieces, None])
    expected = HEAR(SAMPLES.astype(np.float32) / 32_768).astype(np.float16).astype(np.float32)
    assert np.array_equal(steps, expected)
    assert lines == WHOLE[1]
    assert len(lines) > 3


def test_after_a_restart_it_goes_on():
    first, second = stream(), stream()
    before = heard(first, [DATA[:9_001]])
    second.restore(json.loads(json.dumps(first.state())))
    after = heard(second, [DATA[9_001:], None])
    assert np.array_equal(np.concatenate([before[0], after[0]]), WHOLE[0])
    assert before[1] + after[1] == WHOLE[1]
    for damaged in ({}, {**first.state(), "samples": [float("nan")]}, {**first.state(), "alarms": []}):
        with pytest.raises((LookupError, TypeError, ValueError)):
            stream().restore(damaged)


def test_a_line_says_when_the_window_ended():
    found = stream(0.5)
    (step, *_) = found.read(DATA[: 2 * 416])
    quiet, loud = np.zeros(FIRST + 2, np.float32), np.zeros(FIRST + 2, np.float32)
    loud[FIRST + 1] = 50
    assert found.line(step, quiet) is None
    assert found.line(step, loud) == "0.052\tno\t0.6667"
    assert found.line(step, loud) is None  # too soon after


def test_what_is_no_raw_audio_is_named():
    with pytest.raises(UserError, match="stdin: this is a WAV file: raw 16-bit samples of 8000 Hz are expected"):
        list(stream().read(wav(np.zeros(100))))
    found = stream()
    assert list(found.read(b"RIF")) == []
    with pytest.raises(UserError, match="WAV file"):
        list(found.read(wav(np.zeros(100))[3:]))
    assert list(stream().end()) == []


def test_alarms_are_as_the_run_has_decided(tmp_path):
    facts = {"words": ["no", "yes"], "hotwords": ["yes"], "spectra": {"hop": 160}}
    (tmp_path / hotwords.ASSET).write_text(json.dumps(facts))
    with pytest.raises(UserError, match=r"results\.json"):
        Hotwords(1).stream(tmp_path, "stdin")
    decided = {"smoothing": 3, "refractory": 25, "threshold": 0.7}
    (tmp_path / "results.json").write_text(json.dumps({"details": {"validation": {"decided": decided}}}))
    found = Hotwords(1).stream(tmp_path, "stdin")
    assert (found.words, found.classes, found.alarms[0].decoder) == (["yes"], [FIRST + 1], Decoder(3, 25, 0.7))
    (tmp_path / "results.json").write_text(json.dumps({"details": {}}))
    with pytest.raises(UserError, match="does not say what was decided"):
        Hotwords(1).stream(tmp_path, "stdin")
