"""Tag the words of sentences, one a line: python predict.py FILE (or from standard input).

Needs numpy and onnxruntime only.
"""

import json
import re
import sys
from pathlib import Path

import numpy as np
import onnxruntime

HERE = Path(__file__).resolve().parent
FACTS = json.loads((HERE / "predict.json").read_text(encoding="utf-8"))
IDS = {word: k for k, word in enumerate(FACTS["words"], FACTS["first"])}
MODEL = onnxruntime.InferenceSession(str(HERE / "model.onnx"), providers=["CPUExecutionProvider"])


def number(word):
    """The id of a word, 1 for one that is not known."""
    word = re.sub(FACTS["digit"], "#", word.lower()) if FACTS["mask_digits"] else word.lower()
    return IDS.get(word) or IDS.get(word.strip(FACTS["marks"]), 1)


def predict(sentence):
    """Words -> a tag for each; what has neither letter nor digit is no word to the model."""
    real = [word for word in sentence if any(mark.isalnum() for mark in word)]
    tags = iter([])
    if real:
        logits = MODEL.run(None, {"words": np.array([[number(word) for word in real]], np.int32)})[0][0]
        tags = iter([FACTS["tags"][1 + k] for k in logits[:, 1:].argmax(1)])
    return [next(tags) if any(mark.isalnum() for mark in word) else "O" for word in sentence]


if __name__ == "__main__":
    data = Path(sys.argv[1]).read_bytes() if len(sys.argv) > 1 else sys.stdin.buffer.read()
    for line in data.decode("utf-8-sig").removesuffix("\n").split("\n") if data else []:
        words = line.split()
        words = words[1:-1] if words[:1] == ["BOS"] and words[-1:] == ["EOS"] else words
        for word, tag in zip(words, predict(words), strict=True):
            print(word, tag, sep="\t")
        print()
