"""The models of W7 to W9 and their weights, as the peers of the benchmark take them."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from seqjax.benchmark.sequences.data import host_batches
from seqjax.benchmark.worker import build
from seqjax.benchmark.workloads import find
from seqjax.layers.vocabulary import Logits
from seqjax.training.metrics import token_cross_entropy
from seqjax.training.state import apply

PARTS = ("source", "target")


def ours(name):
    """-> workload, shaken parameters, of two batches (inputs, targets, logits, nats)."""
    workload = find(name).scaled(0.02)
    made: Any = build("seqjax", workload, 1)
    rng = np.random.default_rng(0)
    shaken = lambda leaf: leaf + jnp.asarray(rng.normal(scale=0.2, size=leaf.shape), leaf.dtype)
    params, carry, found = jax.tree.map(shaken, made.state.params), getattr(made.state, "carry", None), []
    for inputs, targets in host_batches(workload, workload.dataset())[:2]:
        logits, carry = apply(made.program.experiment.model, params, carry, jax.device_put(inputs))
        sums, counts = token_cross_entropy(logits, jnp.asarray(targets))
        logits = logits.dense() if isinstance(logits, Logits) else logits
        found.append((inputs, targets, logits, float(sums.sum() / counts.sum())))
    return workload, params, found


def as_peers(params):
    """A translator's parameters as peers have them: its output a Dense, its vectors scaled in their tables."""
    if "output_kernel" not in params:
        return params
    scale = np.sqrt(params["source_embedding"]["embedding"].shape[1])
    tables = {f"{part}_embedding": {"embedding": params[f"{part}_embedding"]["embedding"] * scale} for part in PARTS}
    return {**params, **tables, "output": {"kernel": params["output_kernel"], "bias": params["output_bias"]}}


def cells(params):
    """The recurrent weights in the order in which peers define them."""
    if "encoder" in params:
        both = params["encoder"]
        return [both["forward"]["cell"], both["backward"]["cell"], params["decoder"]["cell"]]
    layer = params["layer"]
    return [layer["cell"]] if "cell" in layer else [layer["forward"]["cell"], layer["backward"]["cell"]]


def torch_weights(name, params, model):
    """Into the model."""
    import torch

    params = as_peers(params)

    from seqjax.interop.torch_modules import TorchModule

    put = lambda tensor, array: tensor.copy_(torch.from_numpy(np.array(array)))
    dense = lambda layer, weights: [
        put(layer.weight, weights["kernel"].T), *([put(layer.bias, weights["bias"])] if "bias" in weights else [])
    ]  # fmt: skip
    recurrent = [model.encoder, model.decoder] if name == "W8" else [model.lstm]
    made = [leaf for layer in recurrent for leaf in TorchModule(layer).layers()]
    for leaf, weights in zip(made, cells(params), strict=True):
        leaf.write(jax.tree.map(np.asarray, weights))  # type: ignore[arg-type]
    with torch.no_grad():
        if name != "W8":
            dense(model.head, params["Dense_0"])
            if name == "W9":
                put(model.embedding.weight, params["Embedding_0"]["embedding"])
            return
        for part in ("bridge", "readout", "output"):
            dense(getattr(model, part), params[part])
        for part in ("query", "key"):
            dense(getattr(model, part), params["attend"][part])
        put(model.v.weight, params["attend"]["v"][None])
        for part in ("source", "target"):
            put(getattr(model, part).weight, params[f"{part}_embedding"]["embedding"])
