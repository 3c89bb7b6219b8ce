"""Run the model on arrays: python example.py inputs.npz [outputs.npz]. Needs numpy and jax only.

`inputs.npz` holds an array for each input by its name (see README.md). Where the export was asked for a gradient,
jax.grad goes through `MODEL.call` to parameters and inputs.
"""

import sys
from pathlib import Path

import numpy as np
from jax import export

HERE = Path(__file__).resolve().parent
MODEL = export.deserialize(bytearray((HERE / "model.stablehlo").read_bytes()))


def parameters():
    """As a tree."""
    tree = {}
    with np.load(HERE / "parameters.npz", allow_pickle=False) as found:
        for path, array in found.items():
            *folders, name = path.split("/")
            place = tree
            for folder in folders:
                place = place.setdefault(folder, {})
            place[name] = array
    return tree


def predict(arrays):
    """Inputs by name -> a list of outputs."""
    return [np.asarray(one) for one in MODEL.call(parameters(), arrays)]


if __name__ == "__main__":
    with np.load(sys.argv[1], allow_pickle=False) as given:
        outputs = predict(dict(given))
    for output in outputs:
        print(output.dtype, list(output.shape))
    if len(sys.argv) > 2:
        np.savez(sys.argv[2], *outputs)
