"""Which words of a text move the answer: the text is asked about again, up to each word and without each word.

Nothing is estimated: every number is the model's own answer to a text. A text of n words takes 2 n + 1 answers.
"""

import re
from collections.abc import Mapping
from typing import Any

from starlette.concurrency import run_in_threadpool

from seqjax.errors import UserError
from seqjax.serve import answers, bodies
from seqjax.serve.batches import Batches
from seqjax.serve.limits import Limits, RefusedError
from seqjax.serve.model import Model


async def explain(model: Model, batches: Batches, body: Mapping[str, Any], limits: Limits) -> dict[str, Any]:
    """The answer to a body of /explain: {"text": ..., "class": the one to be explained, by default the likeliest}.

    Raises:
      UserError: no classifier of texts, no such class, not one word.
      RefusedError: too many words.
    """
    if model.kind != "text":
        raise UserError(f"{model.name} is no classifier of texts, so there are no words to be explained")
    bodies.known(body, "text", "class")
    text = " ".join(bodies.text(body.get("text"), "text", limits.max_characters).splitlines())
    spans = spans_of(text, model.path)
    if not spans:
        raise UserError("text has not one word")
    if 2 * len(spans) + 2 > limits.max_rows:
        raise RefusedError(413, f"text has {len(spans):,} words; the most is {limits.max_rows // 2 - 1:,}")
    prefixes = [text[:stop] for _, stop in spans]
    without = [text[:start] + text[stop:] for start, stop in spans]
    data = answers.lines_of([text, "", *prefixes, *without])
    requests = await run_in_threadpool(model.requests, data)
    found = await answers.outputs(model, batches, requests)
    shares, classes = answers.shares_of(model, requests, found)
    wanted = body.get("class")
    if wanted is not None and wanted not in classes:
        raise UserError(f"there is no class {wanted!r:.60}; choices: {', '.join(classes)}")
    place = classes.index(wanted) if wanted is not None else int(shares[0].argmax())
    own = shares[:, place].tolist()
    count = len(spans)
    return {
        "run": model.name,
        "class": classes[place],
        "classes": classes,
        "probabilities": shares[0].tolist(),
        "probability": own[0],
        "empty": own[1],
        "words": [
            {
                "word": text[start:stop],
                "start": start,
                "prefix": own[2 + k],
                "without": own[2 + count + k],
                "moved": own[0] - own[2 + count + k],
            }
            for k, (start, stop) in enumerate(spans)
        ],
    }


def spans_of(text: str, path: Any) -> list[tuple[int, int]]:
    """Where each word begins and ends: what stands between blanks, or every character where the run has learned so."""
    from seqjax.data.text.vectorizer import Vectorizer

    pattern = r"\S" if Vectorizer.load(path).tokenizer.split == "characters" else r"\S+"
    return [found.span() for found in re.finditer(pattern, text)]
