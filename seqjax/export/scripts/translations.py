"""Translate sentences, one a line: python predict.py FILE (or from stdin). Needs numpy and onnxruntime only."""

import json
import re
import string
import sys
import unicodedata
from pathlib import Path

import numpy as np
import onnxruntime

HERE = Path(__file__).resolve().parent
FACTS = json.loads((HERE / "predict.json").read_text(encoding="utf-8"))
IDS = {token: k for k, token in enumerate(FACTS["source"], 4)}
UNKNOWN, START, END, JOINER = 1, 2, 3, "\uffed"
BOOK = str.maketrans(string.ascii_uppercase, string.ascii_lowercase, re.sub(r"[][]", "", string.punctuation) + "¿")
CPU = {"providers": ["CPUExecutionProvider"]}
READ, WRITE = (onnxruntime.InferenceSession(str(HERE / f"{name}.onnx"), **CPU) for name in ("encoder", "step"))


def tokens(text):
    """Of a sentence, in the way of the run."""
    if FACTS["way"] == "book":
        return text.translate(BOOK).split()
    text = unicodedata.normalize("NFC", text)
    if FACTS["way"] == "characters":
        return list(text)
    text = " ".join(unicodedata.normalize("NFC", text.lower()).replace(JOINER, " ").split())
    inside = lambda k: 0 <= k < len(text) and (text[k].isalnum() or text[k] == "_")
    before = lambda k: JOINER * (k > 0 and text[k - 1] != " ")
    spans = [found.span() for found in re.finditer(r"\w+|[^\w\s]", text)]
    return [text[a:b] if inside(a) else before(a) + text[a:b] + JOINER * inside(b) for a, b in spans]


def predict(sentence):
    """A sentence -> its translation, the likeliest token after token."""
    ids = [IDS.get(token, UNKNOWN) for token in tokens(sentence)]
    if not ids:
        return ""
    source = np.array([[*ids, END][: FACTS["length"]]], np.int32)
    fed = dict(zip([one.name for one in READ.get_outputs()], READ.run(None, {"source": source}), strict=True))
    token, found = START, []
    while len(found) < FACTS["most"]:
        call = {one.name: fed.get(one.name, np.array([token], np.int32)) for one in WRITE.get_inputs()}
        given = dict(zip([one.name for one in WRITE.get_outputs()], WRITE.run(None, call), strict=True))
        token = END + int(given["logits"][0, END:].argmax())  # neither padding, nor unknown words, nor a start
        if token == END:
            break
        found.append(FACTS["target"][token - 4])
        fed |= {name.removeprefix("next_"): value for name, value in given.items() if name.startswith("next_")}
    text = ("" if FACTS["way"] == "characters" else " ").join(found)
    return re.sub(f" ?{JOINER} ?", "", text) if FACTS["way"] == "words" else text


if __name__ == "__main__":
    data = Path(sys.argv[1]).read_bytes() if len(sys.argv) > 1 else sys.stdin.buffer.read()
    for line in data.decode("utf-8-sig").removesuffix("\n").split("\n") if data else []:
        print(predict(line.rstrip("\r")))
