"""What /predict says: the lines of --mode=predict, and what a page wants to draw.

Legend: N examples.
"""

import asyncio
import contextlib
import csv
import io
import itertools
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from starlette.concurrency import run_in_threadpool

from seqjax.data.dataset import Requests
from seqjax.errors import UserError
from seqjax.serve import bodies
from seqjax.serve.batches import Batches
from seqjax.serve.kinds import EXPECTS
from seqjax.serve.limits import Limits, RefusedError
from seqjax.serve.model import OPTIONS, Model

AT_ONCE = 4
"""Calls' worth of rows that one request has in the queue, so that others have their turn."""
PATIENCE = 0.02


def content_of(model: Model, body: Mapping[str, Any], limits: Limits) -> bytes:
    """The examples of a body as the content of a file. Raises UserError, RefusedError: malformed; too many."""
    given = [name for name in ("texts", "text", "file", "audio") if name in body]
    wanted, said = EXPECTS[model.kind]
    if len(given) != 1:
        raise UserError(f"give one of texts, text, file and audio; {model.name} expects {wanted}: {said}")
    if (given[0] == "audio") != (wanted == "audio"):
        raise UserError(f"{model.name} expects {wanted}: {said}")
    if given[0] == "audio":
        return bodies.content(body["audio"], "audio")
    if given[0] == "file":
        data = bodies.text(body["file"], "file", limits.max_body).encode()
        if (lines := data.count(b"\n")) > limits.max_rows:
            raise RefusedError(413, f"file has {lines:,} lines; the most is {limits.max_rows:,}")
        return data
    texts = [body["text"]] if given[0] == "text" else body["texts"]
    if not isinstance(texts, list) or not texts:
        raise UserError("texts must be a list of strings, of one at least")
    if len(texts) > limits.max_rows:
        raise RefusedError(413, f"there are {len(texts):,} texts; the most is {limits.max_rows:,}")
    return lines_of([bodies.text(text, "a text", limits.max_characters) for text in texts])


def lines_of(texts: Sequence[str]) -> bytes:
    """Texts as a file, each on one line."""
    return "".join(" ".join(text.splitlines()) + "\n" for text in texts).encode()


async def outputs(model: Model, batches: Batches, requests: Requests, options: tuple = ()) -> list[Any]:
    """The model's answer to each example: a tree of NumPy arrays.

    Raises:
      RefusedError: the queue has no room.
    """
    found, step = [], AT_ONCE * model.batch
    for start in range(0, len(requests.ids), step):
        rows = await run_in_threadpool(model.rows, requests, start, start + step)
        futures = []
        for shape, group in itertools.groupby(rows, operator.itemgetter(0)):
            own = [row for _, row in group]
            while (
                taken := _submitted(batches, (model.name, options, shape), own, begun=bool(found or futures))
            ) is None:
                await asyncio.sleep(PATIENCE)
            futures += taken
        found += await asyncio.gather(*map(asyncio.wrap_future, futures))
    return found


def _submitted(batches: Batches, key: tuple, rows: list[Any], begun: bool) -> list[Any] | None:
    """Answers to come; None: there is no room just now, and what has been begun is to be ended. Raises RefusedError."""
    try:
        return batches.submit(key, rows)
    except RefusedError:
        if not begun:
            raise
        return None


async def predict(model: Model, batches: Batches, body: Mapping[str, Any], limits: Limits) -> dict[str, Any]:
    """The answer to a body of /predict. Raises UserError, RefusedError: see `content_of`."""
    bodies.known(body, "texts", "text", "file", "audio", "outputs", "hold_out", *OPTIONS)
    raw, held = bodies.flag(body, "outputs"), bodies.flag(body, "hold_out")
    given = ((name, bodies.number(body, name, None, 1, most, whole=True)) for name, most in OPTIONS.items())
    options = model.options({name: value for name, value in given if value is not None})
    data = content_of(model, body, limits)
    if held and model.kind != "forecast":
        raise UserError("hold_out is for forecasts")
    if model.kind == "hotword":
        from seqjax.serve import listening

        return await run_in_threadpool(tried, listening.heard, model, data, limits)
    read, after = model.requests, None
    if model.kind == "sound":
        from seqjax.serve import listening

        data, read = await run_in_threadpool(tried, listening.checked, data, limits), model.read
    if model.kind == "forecast":
        from seqjax.serve import series

        after = await run_in_threadpool(series.truth, model, data)
        if held and after is not None:
            data = await run_in_threadpool(tried, series.without_last, model, data)
    requests = await run_in_threadpool(read, data)
    if len(requests.ids) > limits.max_rows:
        raise RefusedError(413, f"there are {len(requests.ids):,} examples; the most is {limits.max_rows:,}")
    found = await outputs(model, batches, requests, options)
    said = await run_in_threadpool(described, model, requests, found)
    if after is not None:
        said |= series.beside(said, after)
    return said | ({"outputs": [jax.tree.map(_numbers, output) for output in found]} if raw else {})


def tried(call: Callable[..., Any], *arguments: Any) -> Any:
    """What it returns. Raises UserError, RefusedError: its own, or for whatever odd input makes of it."""
    try:
        return call(*arguments)
    except (UserError, RefusedError):
        raise
    except Exception as error:
        raise UserError(f"this cannot be read ({type(error).__name__})") from error


def described(model: Model, requests: Requests, outputs: Sequence[Any]) -> dict[str, Any]:
    """Lines, and by kind: probabilities of classes, tags of words, alignments, columns of a table."""
    lines = [requests.line(position, output) for position, output in enumerate(outputs)]
    found: dict[str, Any] = {"run": model.name, "kind": model.kind, "header": requests.header, "lines": lines}
    if model.kind in ("text", "series", "sound"):
        shares, classes = shares_of(model, requests, outputs)
        found |= {"classes": classes, "probabilities": shares.tolist()}
    if model.kind == "tags":
        found["tags"] = [[line.split("\t") for line in said.splitlines()] for said in lines]
    if requests.alignment is not None and outputs and "attention" in outputs[0]:
        aligned = (requests.alignment(position, output) for position, output in enumerate(outputs))
        found["alignments"] = [
            {"source": source, "translation": words, "weights": np.round(weights, 4).tolist()}
            for source, words, weights in aligned
        ]
    if requests.header and "," in requests.header:
        with contextlib.suppress(ValueError, csv.Error):  # a name with odd characters: the lines have to do
            names, *rows = csv.reader(io.StringIO("\n".join([requests.header, *lines])))
            found["table"] = {name: list(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)}
    return found


def shares_of(model: Model, requests: Requests, outputs: Sequence[Any]) -> tuple[np.ndarray, list[str]]:
    """Probabilities [N, K] and the names of the classes [K]."""
    from seqjax.data.text.classified import probabilities

    shares = np.stack([probabilities(output) for output in outputs])
    names = (requests.header or "").split("\t")
    classes = names[names.index("class") + 1 :] if "class" in names else []
    if not classes:
        classes = ["negative", "positive"]  # of the reviews, whose lines have no header
    return shares, classes


def _numbers(leaf: Any) -> Any:
    return np.asarray(leaf).tolist()
