"""Streams, whose state goes out with the answer and comes in with the next piece; and recordings that are listened to.

A run has one compiled program for its streams, and answers one piece at a time.
"""

import base64
import io
import tempfile
import threading
import weakref
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from seqjax.data.sound import waveforms
from seqjax.errors import UserError
from seqjax.runs.streaming import Listener
from seqjax.serve import bodies
from seqjax.serve.limits import Limits, RefusedError
from seqjax.serve.model import Model

MOST_STATE = 64 << 20
"""Bytes of a state that is unpacked."""
BYTES = 32_768.0

_listeners: "weakref.WeakKeyDictionary[Model, tuple[Listener, threading.Lock]]" = weakref.WeakKeyDictionary()
_making = threading.Lock()


def _listener(model: Model) -> tuple[Listener, threading.Lock]:
    """Of a run, made when it is first asked for. Raises UserError: it reads whole examples."""
    with _making:
        if model not in _listeners:
            _listeners[model] = (Listener.of(model.run.workdir, "the stream"), threading.Lock())
        return _listeners[model]


def ready(model: Model) -> None:
    """Compile what answers a run's streams. Raises UserError: it reads whole examples."""
    _listener(model)


def _begun(model: Model, listener: Listener) -> Listener:
    """The same compiled program at the beginning of a stream."""
    listener.engine.states.clear()
    listener.engine.steps = 0
    stream: Any = model.experiment.source.stream(model.path, "the stream")
    return Listener(listener.engine, stream, listener.run)


def stream(model: Model, body: Mapping[str, Any], limits: Limits) -> dict[str, Any]:
    """The answer to a body of /stream: {"piece": text, or "bytes": base64; "state": of the answer before; "end": true}.

    Raises:
      UserError: a run that reads whole examples, malformed input, a state that is none of this run's.
    """
    bodies.known(body, "piece", "bytes", "state", "end")
    if "piece" in body and "bytes" in body:
        raise UserError("give piece or bytes, not both")
    data = bodies.text(body.get("piece", ""), "piece", limits.max_body).encode()
    data = bodies.content(body["bytes"], "bytes") if "bytes" in body else data
    if (lines := data.count(b"\n")) > limits.max_rows and model.kind != "hotword":
        raise RefusedError(413, f"piece has {lines:,} lines; the most is {limits.max_rows:,}")
    ended = bodies.flag(body, "end")
    shared, lock = _listener(model)
    with lock, tempfile.TemporaryDirectory() as folder:
        own, path = _begun(model, shared), Path(folder) / "state"
        if body.get("state") is not None:
            path.write_bytes(_checked(bodies.content(body["state"], "state")))
            _restore(own, path)
        try:
            lines = [line for lines in own.answers(data) for line in lines] if data else []
            lines += [line for lines in own.answers(None) for line in lines] if ended else []
        except UserError:
            raise
        except Exception as error:  # a state that fits by its shape, and holds nonsense
            raise UserError(f"the piece cannot be read ({type(error).__name__})") from error
        own.save(path)
        state = base64.b64encode(path.read_bytes()).decode()
        return {"run": model.name, "header": own.stream.header, "lines": lines, "state": state}


def _restore(own: Listener, path: Path) -> None:
    try:
        own.restore(path)
    except UserError as error:
        said = "is of another run" if "another run" in str(error) else "is damaged, or no state"
        raise UserError(f"state {said}: give what the answer before gave, or none to begin anew") from error


def _checked(data: bytes) -> bytes:
    """A state that is not larger than it looks. Raises UserError: it is."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
    except Exception as error:  # as zipfile says of damage, in many ways
        raise UserError("state is damaged, or no state: give what the answer before gave") from error
    if size > MOST_STATE:
        raise UserError(f"state holds {size:,} bytes; the most is {MOST_STATE:,}")
    return data


def checked(data: bytes, limits: Limits) -> bytes:
    """A WAV file that is not too long. Raises UserError, RefusedError: something else."""
    samples, rate = waveforms.decoded(data, "the audio")
    _check_seconds(len(samples) / rate, limits)
    return data


def _check_seconds(seconds: float, limits: Limits) -> None:
    if seconds > limits.max_seconds:
        raise RefusedError(413, f"the audio is of {seconds:.0f} seconds; the most is {limits.max_seconds:g}")


def heard(model: Model, data: bytes, limits: Limits) -> dict[str, Any]:
    """How likely each hotword was, frame by frame, and where it was detected.

    Raises:
      UserError: no WAV file, or a run that has not decided yet.
      RefusedError: it is too long.
    """
    samples, rate = waveforms.decoded(data, "the audio")
    _check_seconds(len(samples) / rate, limits)
    shared, lock = _listener(model)
    with lock:
        stream: Any = _begun(model, shared).stream
        samples = waveforms.resampled(samples, rate, stream.hear.rate)
        pcm = np.clip(np.round(samples * BYTES), -BYTES, BYTES - 1).astype("<i2").tobytes()
        taken = [*stream.read(pcm), *stream.end()]
        if not taken:
            raise UserError(f"the audio is shorter than a window of {stream.hear.window / stream.hear.rate:g} s")
        outputs = shared.engine.feed(taken)
    lines = [line for pair in zip(taken, outputs, strict=True) if (line := stream.line(*pair)) is not None]
    logits = np.stack(outputs)[:, 1:].astype(np.float64)  # the first is padding's
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    found = [line.split("\t") for said in lines for line in said.splitlines()]
    return {
        "run": model.name,
        "kind": model.kind,
        "header": stream.header,
        "lines": lines,
        "first": stream.hear.window / stream.hear.rate,
        "step": stream.hear.hop / stream.hear.rate,
        "threshold": stream.alarms[0].decoder.threshold if stream.alarms else None,
        "probability": {
            word: np.round(stream.alarms[place].decoder.smoothed(shares[:, k - 1]), 4).tolist()
            for place, (word, k) in enumerate(zip(stream.words, stream.classes, strict=True))
        },
        "detections": [{"seconds": float(at), "word": word, "sure": float(sure)} for at, word, sure in found],
    }
