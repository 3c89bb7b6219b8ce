"""Run the model on arrays: python predict.py inputs.npz [outputs.npz]. Needs numpy and onnxruntime only.

`inputs.npz` holds an array for each input by its name; `python predict.py` alone says which these are.
"""

import sys
from pathlib import Path

import numpy as np
import onnxruntime

HERE = Path(__file__).resolve().parent
MODEL = onnxruntime.InferenceSession(str(HERE / "model.onnx"), providers=["CPUExecutionProvider"])
KINDS = {"tensor(float)": np.float32, "tensor(int32)": np.int32, "tensor(bool)": np.bool_}


def predict(arrays):
    """Arrays by name -> arrays by name. A state (`state_0`, ...) that is not given is zeros: the beginning."""
    fed = {}
    batch = len(next(iter(arrays.values())))
    for one in MODEL.get_inputs():
        if one.name.startswith("state_") and one.name not in arrays:
            fed[one.name] = np.zeros((batch, *one.shape[1:]), np.float32)
        elif one.name not in arrays:
            raise SystemExit(f"{one.name} {one.shape} is missing; there are {', '.join(arrays)}")
        else:
            fed[one.name] = np.asarray(arrays[one.name]).astype(KINDS[one.type])
    return dict(zip([one.name for one in MODEL.get_outputs()], MODEL.run(None, fed), strict=True))


if __name__ == "__main__":
    if len(sys.argv) < 2:
        for kind, ports in (("input", MODEL.get_inputs()), ("output", MODEL.get_outputs())):
            for port in ports:
                print(kind, port.name, port.type, port.shape)
        sys.exit(0)
    with np.load(sys.argv[1], allow_pickle=False) as given:
        found = predict(dict(given))
    for name, array in found.items():
        print(name, array.dtype, list(array.shape))
    if len(sys.argv) > 2:
        np.savez(sys.argv[2], **found)
