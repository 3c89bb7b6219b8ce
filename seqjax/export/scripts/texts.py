"""Classify texts, one a line: python predict.py FILE (or from standard input). Needs numpy and onnxruntime only."""

import json
import sys
import unicodedata
from pathlib import Path

import numpy as np
import onnxruntime

HERE = Path(__file__).resolve().parent
FACTS = json.loads((HERE / "predict.json").read_text(encoding="utf-8"))
SWITCHES, CLASSES, BAG = FACTS["tokenizer"], FACTS["classes"], FACTS["length"] is None
IDS, IDF = {word.encode(): k for k, word in enumerate(FACTS["words"], 2 - BAG)}, np.array(FACTS["idf"], np.float32)
PUNCTUATION = b"!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
MODEL = onnxruntime.InferenceSession(str(HERE / "model.onnx"), providers=["CPUExecutionProvider"])


def tokens(text):
    """The words of a text as bytes, then its runs of two, and so on."""
    if SWITCHES["strip_special"]:
        text = "".join(mark for mark in text if mark.isascii() or unicodedata.category(mark)[0] in "LMNZ")
    if SWITCHES["fold_accents"]:
        text = "".join(mark for mark in unicodedata.normalize("NFKD", text) if not unicodedata.combining(mark))
    data = text.encode("utf-8", "replace")
    data = data.lower() if SWITCHES["lower"] else data  # of ASCII alone
    data = data.translate(bytes.maketrans(b"123456789", b"0" * 9)) if SWITCHES["fold_digits"] else data
    data = data.translate(None, PUNCTUATION) if SWITCHES["strip_punctuation"] else data
    words = data.split() if SWITCHES["split"] == "words" else [mark.encode() for mark in data.decode()]
    return [b" ".join(words[k : k + n]) for n in range(1, SWITCHES["ngrams"] + 1) for k in range(len(words) - n + 1)]


def inputs(texts):
    """Ids in order; or the distinct columns of each text, and what stands in them."""
    ids = [[IDS.get(word, 0 if BAG else 1) for word in tokens(text)] for text in texts]
    if not BAG:
        return {"tokens": np.array([(row + [0] * FACTS["length"])[: FACTS["length"]] for row in ids], np.int32)}
    found = [np.unique(np.array(row, np.int32), return_counts=True) for row in ids]
    columns = np.full((len(ids), max([1, *(len(row) for row, _ in found)])), FACTS["padding"], np.int32)
    weights = np.zeros(columns.shape, np.float32)
    for k, (row, counts) in enumerate(found):
        columns[k, : len(row)], weights[k, : len(row)] = row, counts * IDF[row] if len(IDF) else counts
    return {"columns": columns} | ({} if FACTS["encoding"] == "multi_hot" else {"weights": weights})


def predict(texts):
    """The probability of each class, [N, K]."""
    logits = np.concatenate([MODEL.run(None, inputs(texts[k : k + 32]))[0] for k in range(0, len(texts), 32)])
    logits = (logits if logits.ndim > 1 else np.stack([-logits / 2, logits / 2], 1)).astype(np.float64)
    shares = np.exp(logits - logits.max(1, keepdims=True))
    return shares / shares.sum(1, keepdims=True)


if __name__ == "__main__":
    given = (Path(sys.argv[1]).read_bytes() if len(sys.argv) > 1 else sys.stdin.buffer.read()).decode("utf-8-sig")
    lines = [line.strip() if FACTS["header"] else line for line in given.removesuffix("\n").split("\n") if given]
    sys.stdout.write("\t".join(["class", *CLASSES]) + "\n" if FACTS["header"] else "")
    for row in predict(lines) if lines else []:
        print(CLASSES[row.argmax()], *(f"{share:.4f}" for share in (row if FACTS["header"] else row[1:])), sep="\t")
