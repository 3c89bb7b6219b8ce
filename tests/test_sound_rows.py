"""The rows of sound from the command line: trained on the sample, asked about files, listening to a stream."""

import json

import numpy as np
import pytest

from command_calls import call
from seqjax.data.sound import sample_words, waveforms
from seqjax.data.sound.hotword_stream import FULL
from seqjax.data.sound.streams import Recipe, spoken_by
from seqjax.runs import commands
from seqjax.training.workdir import Workdir

__all__ = ["call"]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.mark.slow
def test_spoken_words_are_learned_and_recordings_named(call, tmp_path):
    code, out, err = call("--experiment=digits_gru", "--data=sample", "--workdir=run")
    assert (code, "best possible 0.96; of heard speakers " in out) == (0, True), err
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["test"]["accuracy"] > 0.8
    assert results["test"]["accuracy_of_heard_speakers"] > 0.85
    clips, _ = sample_words.words(16_000, seed=1)
    chosen = [clip for clip in clips if clip.speaker == "tenor"][::10]
    (tmp_path / "some").mkdir()
    for k, clip in enumerate(chosen):
        (tmp_path / "some" / f"{k:02}.wav").write_bytes(waveforms.written(clip.samples, 16_000))
    (tmp_path / "list.txt").write_text("some\nsome/00.wav\n")
    code, out, err = call("--mode=predict", "--workdir=run", "--input=list.txt")
    assert (code, err) == (0, "")
    header, *lines = (line.split("\t") for line in out.splitlines())
    assert header == ["recording", "class", "baca", "bada", "caba", "cada", "daba", "daca"]
    assert [line[0] for line in lines] == [*(f"some/{k:02}.wav" for k in range(len(chosen))), "some/00.wav"]
    assert lines[0][1:] == lines[-1][1:]
    assert np.mean([line[1] == clip.label for line, clip in zip(lines, chosen, strict=False)]) > 0.8
    _, alone, _ = call("--mode=predict", "--workdir=run", "--input=some/00.wav")
    assert alone.splitlines()[1].split("\t")[1:] == lines[0][1:]
    code, _, err = call("--mode=predict", "--workdir=run", "--input=list.txt", "--set=units=3")
    assert code == 2
    (tmp_path / "list.txt").write_text("some/99.wav\n")
    code, _, err = call("--mode=predict", "--workdir=run", "--input=list.txt")
    assert (code, err) == (2, "seqjax: some/99.wav cannot be read: No such file or directory\n")


@pytest.mark.slow
def test_hotwords_are_learned_and_a_stream_is_answered_as_a_whole(call, tmp_path):
    code, out, err = call("--experiment=keyword_gru", "--data=sample", "--workdir=run")
    assert (code, "best possible 0; random 0.99" in out) == (0, True), err
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["test"]["miss_rate"] < 0.5
    details = results["details"]
    assert details["validation"]["decided"].keys() == {"smoothing", "refractory", "threshold"}
    assert details["test"]["by_ratio"].keys() == {"20 dB", "10 dB", "0 dB"}
    evaluated = commands.evaluate(Workdir(tmp_path / "run"), data_dir=tmp_path)
    assert evaluated["test"] == results["test"]
    clips, _ = sample_words.words(8_000, seed=0, mislabelled=0)
    recipe = Recipe(spoken_by(clips, ["tenor"]), ("baca",), 8_000, 20.0)
    stretches = list(recipe.stretches(2, (5, 0)))
    samples = np.concatenate([samples for samples, _ in stretches])
    (tmp_path / "raw").write_bytes(np.round(np.clip(samples, -1, 1) * (FULL - 1)).astype("<i2").tobytes())
    code, out, err = call("--mode=stream", "--workdir=run", "--input=raw")
    assert (code, err) == (0, "")
    header, *lines = out.splitlines()
    assert header == "seconds\tword\tsure"
    ends = [event.stop / 8_000 for _, events in stretches for event in events if event.label == "baca"]
    said = [float(line.split("\t")[0]) for line in lines]
    assert sum(any(-0.5 < time - end < 0.5 for time in said) for end in ends) >= len(ends) / 2
    for part in ("a", "b"):  # cut anywhere, the state handed on
        data = (tmp_path / "raw").read_bytes()
        (tmp_path / part).write_bytes(data[:100_001] if part == "a" else data[100_001:])
    found = [call("--mode=stream", "--workdir=run", f"--input={part}", "--state=state")[1] for part in ("a", "b")]
    assert "".join(found) == out
