"""A run's model in PyTorch, by `seqjax.interop`: a plain module and its weights, without pickle."""

import runpy
from pathlib import Path
from typing import Any

import numpy as np

from seqjax.export.peers import Facts
from seqjax.interop import to_torch
from seqjax.interop.torch_modules import import_torch

MODULE = Path(__file__).parent / "scripts" / "torch.py"


def write(model: Any, params: Any, facts: Facts, examples: Any) -> tuple[dict[str, np.ndarray], Any, float]:
    """-> (the weights by name, what runs the module on the model's inputs, the largest difference on interop's trials).

    Raises:
      UserError: they compute other things.
    """
    torch = import_torch()
    made = runpy.run_path(str(MODULE))["Model"](facts)
    difference = to_torch(params, model, made, examples)
    made.eval()

    def run(inputs: Any) -> np.ndarray:
        with torch.no_grad():
            return made(torch.from_numpy(np.array(inputs))).numpy()

    return {name: tensor.numpy() for name, tensor in made.state_dict().items()}, run, difference
