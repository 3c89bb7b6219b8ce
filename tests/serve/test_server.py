"""A real server: many clients, slow ones, its end; and each kind of page in a real browser."""

import contextlib
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request

import numpy as np
import pytest

import browser
from command_calls import write_weather
from places import ROOT
from seqjax.data.sound import sample_words, waveforms
from seqjax.runs import commands
from seqjax.training.program import Settings
from seqjax.training.workdir import Workdir

pytestmark = pytest.mark.slow

SMALL = {
    "imdb_bilstm": ["units=4", "embedding_size=8", "epochs=2"],
    "jena_lstm": ["units=4", "sequence_length=24", "epochs=1"],
    "csv_forecast": ["units=8", "epochs=1"],
    "multi30k_gru": ["units=8", "embedding_size=8", "source_words=200", "target_words=200", "epochs=1"],
    "keyword_gru": ["units=8", "hours=0.02", "epochs=1"],
    "atis_bilstm": ["units=8", "epochs=1"],
    "digits_gru": ["units=8", "epochs=1"],
    "ts_gru": ["units=8", "epochs=1"],
    "bots_gru": ["units=8", "epochs=1"],
}


@pytest.fixture(scope="module")
def runs(folder):
    """One of each kind."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        for name, options in SMALL.items():
            commands.train(
                name, Workdir(folder / name), options=options, data="sample", data_dir=folder, settings=Settings()
            )
    return [folder / name for name in ("texts", "letters", *SMALL)]


@contextlib.contextmanager
def started(folder, runs, *flags):
    """-> (the server's address, its process)."""
    command = [sys.executable, "-m", "seqjax.serve", "--port=0", *(f"--workdir={run}" for run in runs), *flags]
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            found = re.search(r"http://127\.0\.0\.1:\d+/", line)
            assert found, (line, (folder / "server.log").read_text())
            yield found[0], process
        finally:
            process.kill()
            process.communicate()
    said = (folder / "server.log").read_text()
    assert "Traceback" not in said, said


def post(url, run, what, **body):
    request = urllib.request.Request(
        f"{url}api/runs/{run}/{what}", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    return urllib.request.urlopen(request, timeout=120)


def test_ten_thousand_requests_of_32_clients(folder, runs):
    with started(folder, [folder / "imdb_bilstm", folder / "texts"]) as (url, process):
        command = [sys.executable, "-m", "seqjax.serve.load", f"--url={url}", "--run=imdb_bilstm", "--requests=10000"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.startswith("10,000 answers in ")
        assert "; 0 lost, 0 wrong, 0 asked again" in done.stdout
        assert re.search(r"p95 [\d.]+ ms", done.stdout)
        health = json.loads(urllib.request.urlopen(f"{url}healthz").read())
        assert health["examples"] >= 10_000 > health["calls"]
        assert health["shapes"]["imdb_bilstm"] == 1, "one program, whoever asks"
        print(done.stdout)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def test_what_is_in_flight_is_ended(folder, runs):
    with started(folder, [folder / "letters"]) as (url, process):
        post(url, "letters", "generate", length=16).read()
        answer = post(url, "letters", "generate", length=2_000)
        assert json.loads(answer.readline()) == {"prompt": "\n"}
        process.send_signal(signal.SIGTERM)
        lines = [json.loads(line) for line in answer.read().splitlines()]
        assert lines[-1] == {"done": True, "characters": 2_000}
        assert process.wait(60) == 0
    with pytest.raises(OSError, match="refused"):
        post(url, "letters", "generate", length=16)


def test_slow_clients_are_not_waited_for(folder, runs):
    with started(folder, [folder / "texts"], "--timeout=1") as (url, _):
        port = int(url.rsplit(":", 1)[1].strip("/"))
        head = f"POST /api/runs/texts/predict HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        again = f"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n"
        for first, said in (
            (b"", b""),
            (b"GET / HT", b""),
            (f"{head}Content-Length: 99\r\n\r\n".encode(), b"HTTP/1.1 408 "),
            (again.encode(), b"HTTP/1.1 200 "),
        ):
            began = time.monotonic()
            found = _trickled(port, first)
            assert found.startswith(said), found
            assert bool(found) == bool(said)
            assert time.monotonic() - began < 15, "closed, however it trickles"


def _trickled(port, first):
    """All that comes back from a client that sends a byte every now and then, until it is cut off."""
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.settimeout(15)
        client.sendall(first)
        ended = threading.Event()

        def trickle():
            with contextlib.suppress(OSError):
                while not ended.wait(0.3):
                    client.sendall(b"G")

        thread = threading.Thread(target=trickle)
        thread.start()
        found = b""
        with contextlib.suppress(ConnectionError):
            while piece := client.recv(65_536):
                found += piece
        ended.set()
        thread.join()
    return found


@pytest.mark.skipif(browser.find() is None, reason="no browser")
def test_each_kind_of_page_in_a_browser(folder, runs, tmp_path):
    clips, _ = sample_words.words(8_000)
    (tmp_path / "words.wav").write_bytes(waveforms.written(np.concatenate([clip.samples for clip in clips[:8]]), 8_000))
    write_weather(tmp_path / "weather.csv", 200)
    hours = np.arange("2024-01-01", "2024-01-11", dtype="datetime64[h]")
    table = "".join(f"{str(hour).replace('T', ' ')}:00,{k % 24 + 0.1 * (k % 7):.1f}\n" for k, hour in enumerate(hours))
    (tmp_path / "hours.csv").write_text("date,value\n" + table)
    (tmp_path / "clicks.csv").write_text("visitor,time,page\na,1,/x\na,2,/y\nb,3,/x\n")
    with started(folder, runs) as (url, _), browser.opened(url, tmp_path / "profile", patience=300) as (page, asked):
        page.wait("document.documentElement.dataset.ready === 'yes'")
        result = lambda run, what: f"document.querySelector('#run-{run} .result {what}')"
        page.evaluate("document.querySelector('#text textarea').select()")
        page.type("good film")
        page.wait(f"{result('texts', '.words')}?.textContent.trim() === 'good film'", 120)
        page.type(" not bad")
        for run in ("texts", "imdb_bilstm"):
            page.wait(f"{result(run, '.words')}?.textContent.trim() === 'good film not bad'", 120)
            assert page.evaluate(f"{result(run, 'figure').replace('querySelector', 'querySelectorAll')}.length") == 1
        said = json.loads(post(url, "texts", "explain", text="good film not bad").read())
        shown = page.evaluate(f"{result('texts', '.said')}.textContent")
        assert shown == f"{said['class']} {said['probability']:.4f}"
        page.evaluate(
            "[...document.querySelectorAll('#language button')].find((b) => b.textContent === 'Draw').click()"
        )
        page.wait(f"{result('letters', '.faint')}?.textContent === '400 characters'", 120)
        drawn = [json.loads(line) for line in post(url, "letters", "generate", length=400, temperature=0.8)]
        assert page.evaluate(f"{result('letters', '.drawn')}.textContent") == "\n" + "".join(
            line.get("text", "") for line in drawn
        )
        for kind, run, file, what in (
            ("forecast", "csv_forecast", "hours.csv", "figure path[fill-opacity]"),
            ("forecast", "jena_lstm", "weather.csv", "figure path"),
            ("hotword", "keyword_gru", "words.wav", "figure path"),
            ("sound", "digits_gru", "words.wav", ".bar"),
            ("visits", "bots_gru", "clicks.csv", "table"),
        ):
            page.choose(f"#{kind} input[type=file]", tmp_path / file)
            page.wait(result(run, what), 120)
        for run, what in (("multi30k_gru", "rect"), ("atis_bilstm", ".tags small")):
            page.wait(result(run, what), 120)
        page.evaluate(
            "(() => { const area = document.querySelector('#series textarea');"
            "area.value = '0.1,0.2,0.3:0.3,0.2,0.1'; area.dispatchEvent(new Event('input')); })()"
        )
        page.wait(f"{result('ts_gru', '.bar')} || {result('ts_gru', '.wrong')}", 120)
        for width in (1_400, 400):
            for scheme in ("light", "dark"):
                page.look(width, scheme)
                ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
                assert ground == {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 23, 28)"}[scheme]
                assert page.evaluate("document.documentElement.scrollWidth") <= width, "nothing sticks out"
        assert all(address.startswith((url, "data:")) for address in asked), "nobody else is asked"
