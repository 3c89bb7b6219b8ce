"""The application on two tiny runs: its answers are those of `seqjax.load`, alone or in a crowd."""

import asyncio
import base64
import io
import json
import shutil
import zipfile

import numpy as np
import pytest

from asked import ask, asked
from seqjax import interface
from seqjax.errors import UserError
from seqjax.runs.generation import Speed, Wish, generate
from seqjax.training.workdir import Workdir
from serve_texts import TEXTS


@pytest.fixture(scope="module")
def runs(folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(interface, "settle", dict)
        return {name: interface.load(folder / name) for name in ("texts", "letters")}


def post(app, run, what, **body):
    status, _, said = asked(app, "POST", f"/api/runs/{run}/{what}", body=body)
    return status, said


def test_predictions_are_those_of_the_run(app, runs):
    for name, texts in (("texts", TEXTS), ("letters", ["the cat sat", "on the mat.", "th"])):
        status, said = post(app, name, "predict", texts=texts, outputs=True)
        assert status == 200, said
        own = runs[name].predict(texts)
        assert said["lines"] == own.lines
        assert said["header"] == own.header
        if name == "texts":
            np.testing.assert_allclose(said["outputs"], own.outputs, rtol=1e-5, atol=1e-6)
    shares = 1 / (1 + np.exp(-np.ravel(runs["texts"].predict(TEXTS).outputs)))
    said = post(app, "texts", "predict", texts=TEXTS)[1]
    assert said["classes"] == ["no", "yes"]
    np.testing.assert_allclose(np.array(said["probabilities"])[:, 1], shares, rtol=1e-5)


def test_words_are_explained_by_the_models_own_answers(app, runs):
    text = "a very good film not dull"
    words = text.split()
    status, said = post(app, "texts", "explain", text=text, **{"class": "yes"})
    assert status == 200, said
    prefixes = [" ".join(words[: k + 1]) for k in range(len(words))]
    without = [" ".join(words[:k] + words[k + 1 :]) for k in range(len(words))]
    logits = np.ravel(runs["texts"].predict([text, "", *prefixes, *without]).outputs)
    shares = 1 / (1 + np.exp(-logits.astype(float)))
    assert [word["word"] for word in said["words"]] == words
    assert said["probability"] == pytest.approx(shares[0], rel=1e-5)
    assert said["empty"] == pytest.approx(shares[1], rel=1e-5)
    assert said["words"][-1]["prefix"] == said["probability"], "the last prefix is the text"
    for name, found in (("prefix", shares[2:8]), ("without", shares[8:]), ("moved", shares[0] - shares[8:])):
        np.testing.assert_allclose([word[name] for word in said["words"]], found, rtol=1e-4, atol=1e-6)
    assert post(app, "texts", "explain", text=text)[1]["class"] == ("yes" if shares[0] > 0.5 else "no")
    assert post(app, "texts", "explain", text="good", **{"class": "maybe"})[0] == 400
    assert post(app, "texts", "explain", text=" \n ")[0] == 400
    assert post(app, "texts", "explain", text="a " * 200)[0] == 413
    assert post(app, "letters", "explain", text="a")[0] == 400


def test_an_answer_does_not_depend_on_the_crowd(app):
    """300 requests at once: none is lost, and each has the bits that it has alone."""
    asked_for = [
        (name, {"texts": [text], "outputs": True})
        for name, texts in (
            ("texts", [*TEXTS, "good " * 40, ""]),
            ("letters", ["the cat", "mat.", "sat on the mat and"[:14]]),
        )
        for text in texts
    ]
    alone = [post(app, name, "predict", **body)[1] for name, body in asked_for]
    before = asked(app, "GET", "/healthz")[2]["shapes"]

    async def crowd():
        numbers = range(300)
        one = lambda k: ask(
            app, "POST", f"/api/runs/{asked_for[k % len(alone)][0]}/predict", asked_for[k % len(alone)][1]
        )
        return await asyncio.gather(*map(one, numbers))

    found = asyncio.run(crowd())
    assert {status for status, _, _ in found} == {200}
    assert all(json.loads(content) == alone[k % len(alone)] for k, (_, _, content) in enumerate(found))
    assert asked(app, "GET", "/healthz")[2]["shapes"] == before, "nothing was compiled anew"
    together = post(
        app, "texts", "predict", texts=[body["texts"][0] for name, body in asked_for if name == "texts"], outputs=True
    )[1]
    assert together["outputs"] == [said["outputs"][0] for said in alone[: len(together["lines"])]], "nor on its company"


@pytest.mark.parametrize(
    "sliders",
    [
        {"temperature": 0.0},
        {"temperature": 0.5, "top_k": 3, "seed": 4},
        {"temperature": 1.3, "top_p": 0.7, "min_p": 0.05},
    ],
)
def test_texts_are_those_of_generate(app, folder, sliders):
    status, headers, content = asyncio.run(
        ask(app, "POST", "/api/runs/letters/generate", {"prompt": "the c", "length": 40, **sliders})
    )
    assert (status, headers["content-type"]) == (200, "application/x-ndjson")
    lines = [json.loads(line) for line in content.splitlines()]
    assert lines[0] == {"prompt": "the c"}
    assert lines[-1] == {"done": True, "characters": 40}
    wish = Wish(
        prompt="the c", length=40, **{"top_k": None, "top_p": None, "min_p": None, "temperature": 1.0} | sliders
    )
    drawn = generate(Workdir(folder / "letters"), wish, Speed())
    assert "the c" + "".join(line["text"] for line in lines[1:-1]) == "".join(text for _, text in drawn)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"prompt": ""}, "prompt is empty"),
        ({"prompt": "ß"}, "'ß'"),
        ({"prompt": "FILE:/etc/passwd"}, "none of the 14 characters"),
        ({"length": 0}, "length must be in"),
        ({"length": 1e9}, "length must be"),
        ({"temperature": -1}, "temperature must be in"),
        ({"temperature": "hot"}, "temperature must be a number"),
        ({"top_k": 0}, "top_k must be in"),
        ({"top_p": 0}, "top_p must be in"),
        ({"seed": -1}, "seed must be in"),
        ({"beam": 2}, "there is no 'beam'"),
    ],
)
def test_sliders_out_of_range(app, body, said):
    status, answer = post(app, "letters", "generate", **body)
    assert status == 400
    assert said in answer["error"]
    assert post(app, "texts", "generate")[0] == 400


def test_a_stream_goes_on_from_its_state(app, runs):
    whole = runs["letters"].stream()
    lines = [*whole.step("the cat sat on"), *whole.end()]
    first = post(app, "letters", "stream", piece="the cat")[1]
    other = post(app, "letters", "stream", piece="mat.")[1]  # another client's, between the two
    second = post(app, "letters", "stream", piece=" sat on", state=first["state"], end=True)[1]
    assert [*first["lines"], *second["lines"]] == lines
    assert other["lines"][0].split("\t")[1] == "-", "it begins anew"
    again = post(app, "letters", "stream", bytes=base64.b64encode(b" sat on").decode(), state=first["state"], end=True)
    assert again[1]["lines"] == second["lines"]
    for state in ("", "####", "YQ==", _bomb(), first["state"][: len(first["state"]) // 2], 5):
        status, said = post(app, "letters", "stream", piece="a", state=state)
        assert status == 400, said
        assert "state" in said["error"]
    assert post(app, "texts", "stream", piece="a")[0] == 400
    assert post(app, "letters", "stream", piece="ß")[0] == 400


def _bomb():
    """A state of a few kilobytes that holds a hundred megabytes."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("state_0.npy", b"\0" * (100 << 20))
    return base64.b64encode(content.getvalue()).decode()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"texts": None}, 400),
        ({"texts": {}}, 400),
        ({"texts": []}, 400),
        ({"texts": [None]}, 400),
        ({"texts": [["a"]]}, 400),
        ({"texts": "a"}, 400),
        ({"text": 5}, 400),
        ({"text": "a", "file": "b"}, 400),
        ({"text": "a", "more": 1}, 400),
        ({"text": "a", "outputs": "yes"}, 400),
        ({"text": "a", "beam": 2}, 400),
        ({"text": "a", "hold_out": True}, 400),
        ({"audio": "YQ=="}, 400),
        ({"file": "PK\u0003\u0004" + "a" * 50}, 400),
        ({"file": "PAR1" + "a" * 50 + "PAR1"}, 400),
        ({"file": ""}, 400),
        ({"texts": ["a"] * 301}, 413),
        ({"file": "a\n" * 301}, 413),
        ({"text": "a" * 3_001}, 413),
        ({"text": "\0\u0085\u2028\x0b \U0001f600"}, 200),
        ({"text": ""}, 200),
        ({"text": "good\nbad\r\nfilm"}, 200),
    ],
)
def test_odd_bodies(app, caplog, body, status):
    found, said = post(app, "texts", "predict", **body)
    assert found == status, said
    assert ("error" in said) == (status != 200)
    assert "Traceback" not in json.dumps(said) + caplog.text
    if status == 200:
        assert len(said["lines"]) == 1, "one text, one line"


@pytest.mark.parametrize(
    "path",
    [
        "/api/runs/..",
        "/api/runs/../../etc/passwd",
        "/api/runs/none",
        "/api/runs/a\r\nX: 1/predict",
        "/none",
        "/web/style.css",
        "//",
    ],
)
def test_there_is_nothing_else(app, path):
    for method in ("GET", "POST"):
        status, headers, said = asked(app, method, path, body={} if method == "POST" else None)
        assert status in (404, 405)
        assert "error" in said
        assert "x" not in headers


def test_a_strangers_run_is_not_run(folder, tmp_path, monkeypatch):
    from seqjax.serve.model import Model

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(interface, "settle", dict)
    shutil.copytree(folder / "texts", tmp_path / "strange")
    program = tmp_path / "strange" / "experiment.py"
    program.write_text(program.read_text() + "\n# and something else\n")
    with pytest.raises(UserError, match="give --trust"):
        Model(tmp_path / "strange", "strange", 4)
    assert Model(tmp_path / "strange", "strange", 4, trust=True).kind == "text"


def test_cards(app):
    status, _, said = asked(app, "GET", "/api/runs")
    assert (status, [run["name"] for run in said["runs"]]) == (200, ["texts", "letters"])
    texts = asked(app, "GET", "/api/runs/texts")[2]
    assert texts == said["runs"][0]
    accuracy = next(score for score in texts["scores"] if score["name"] == "accuracy")
    assert {"largest_class", "naive_bayes"} <= set(accuracy["naive"])
    assert accuracy["interval"][0] < accuracy["test"] <= accuracy["interval"][1]
    assert (texts["kind"], said["runs"][1]["kind"]) == ("text", "language")
    about = asked(app, "GET", "/api")[2]
    assert about["limits"]["max_rows"] == 300
    assert asked(app, "GET", "/healthz")[2]["status"] == "ok"
    assert asked(app, "GET", "/api/runs/texts/predict")[0] == 405
    assert asked(app, "POST", "/healthz", body={})[0] == 405
