"""An exported folder in an environment of numpy and onnxruntime alone, and in a browser."""

import base64
import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import jax
import numpy as np
import pytest

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")
import browser
from export_rows import small
from seqjax.export import onnx_file, preprocessing

WEB = "onnxruntime-web/dist"


@pytest.mark.slow
def test_an_environment_of_two_packages(tmp_path):
    environment = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    install = [environment / "bin" / "pip", "install", "-q", "numpy", "onnxruntime"]
    if subprocess.run(install, capture_output=True).returncode:
        pytest.skip("no packages can be installed here")
    experiment, params, inputs = small("bots_gru")
    made = onnx_file.whole(experiment.model, params, inputs)
    (tmp_path / "model.onnx").write_bytes(made.SerializeToString())
    (tmp_path / "predict.py").write_text(preprocessing.script("arrays"))
    pages = np.random.default_rng(0).integers(0, 5, inputs[0].shape).astype(np.int32)
    np.savez(tmp_path / "in.npz", pages=pages, times=inputs[1])
    command = [environment / "bin" / "python", "-I", tmp_path / "predict.py", tmp_path / "in.npz", tmp_path / "out.npz"]
    subprocess.run(command, check=True)
    ours = jax.jit(experiment.model.apply)({"params": params}, (pages, inputs[1]))
    np.testing.assert_allclose(np.load(tmp_path / "out.npz")["logits"], ours, atol=1e-5)


def web():
    """The folder of onnxruntime-web's files, or None: `$SEQJAX_ORT_WEB`, else npm's global one."""
    if given := os.environ.get("SEQJAX_ORT_WEB"):
        return Path(given)
    if not shutil.which("npm"):
        return None
    root = subprocess.run(["npm", "root", "-g"], capture_output=True, text=True).stdout.strip()
    return Path(root) / WEB if (Path(root) / WEB).is_dir() else None


PAGE = """<!doctype html><meta charset="utf-8"><script src="ort.wasm.min.js"></script><script>
ort.env.wasm.numThreads = 1; ort.env.wasm.wasmPaths = "/";
const bytes = text => Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
(async () => {
  const given = %s;
  const session = await ort.InferenceSession.create(bytes(given.model), {executionProviders: ["wasm"]});
  const fed = {};
  for (const [name, [kind, numbers, shape]] of Object.entries(given.inputs))
    fed[name] = new ort.Tensor(kind, kind === "int32" ? Int32Array.from(numbers) : Float32Array.from(numbers), shape);
  const found = await session.run(fed);
  window.found = Array.from(found[session.outputNames[0]].data);
})().catch(error => { window.found = String(error); });
</script>"""


@pytest.mark.slow
@pytest.mark.skipif(browser.find() is None or web() is None, reason="no browser, or no npm package onnxruntime-web")
@pytest.mark.parametrize("name", ["imdb_bilstm_masked", "jena_stacked_gru", "jena_simple_rnn"])
def test_a_browser(name, tmp_path):
    experiment, params, inputs = small(name)
    made = onnx_file.whole(experiment.model, params, inputs)
    rng = np.random.default_rng(0)
    if inputs.dtype == np.int32:
        inputs = np.where(rng.random(inputs.shape) < 0.3, 0, rng.integers(1, 50, inputs.shape)).astype(np.int32)
    else:
        inputs = rng.normal(size=inputs.shape).astype(np.float32)
    kind = "int32" if inputs.dtype == np.int32 else "float32"
    fed = {made.graph.input[0].name: [kind, inputs.ravel().tolist(), inputs.shape]}
    given = {"model": base64.b64encode(made.SerializeToString()).decode(), "inputs": fed}
    site = tmp_path / "site"
    shutil.copytree(web(), site)
    (site / "index.html").write_text(PAGE % json.dumps(given))
    handler = partial(Quiet, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page = SimpleNamespace(as_uri=lambda: f"http://127.0.0.1:{server.server_address[1]}/index.html")
        with browser.opened(page, tmp_path / "profile") as (opened, _):
            for _ in range(300):
                if (found := opened.evaluate("window.found")) is not None:
                    break
                time.sleep(0.1)
        server.shutdown()
    ours = jax.jit(experiment.model.apply)({"params": params}, inputs)
    assert not isinstance(found, str), found
    np.testing.assert_allclose(found, ours, atol=1e-5)


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Says nothing."""

    def log_message(self, format, *args):
        """Not even that."""
