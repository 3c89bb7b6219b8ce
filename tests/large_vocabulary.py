"""Tables of a large vocabulary, split over the devices by rows: what `tests/training/test_shard_rows.py` starts.

python tests/large_vocabulary.py TASK DEVICES WORDS NUMBERS STEPS ROWS [equal]

Trains `word2vec`, or a small language model of the layers, on drawn tokens, and prints as JSON the bytes of parameters
and optimizer state on each device, the bytes that the compiled step has on a device, and the loss. equal: and the
largest difference from the training with the tables whole.
"""

import json
import sys

import jax
import numpy as np
import optax

from seqjax.data.dataset import Dataset
from seqjax.experiment import Experiment
from seqjax.layers.recurrent import LSTM
from seqjax.models.language import LanguageModel
from seqjax.models.word2vec import Word2Vec
from seqjax.training import metrics
from seqjax.training.optimizers import adagrad_rows
from seqjax.training.program import Program, Settings


def pieces(task, words, numbers):
    """An experiment and its data: 64 blocks of 32 tokens."""
    rng = np.random.default_rng(0)
    arrays = {"tokens": rng.integers(1, words, (64, 32), np.int32)}
    parts = {"train": np.arange(64), "validation": np.arange(16), "test": np.arange(16)}
    if task == "word2vec":
        arrays |= {"keep": np.ones(words, np.float32), "noise": np.arange(1, words + 1, dtype=np.int32)}

        def gather(arrays, ids):
            return {**arrays, "tokens": arrays["tokens"][ids]}, np.zeros(len(ids), np.float32)

        model = Word2Vec(words, numbers)
        told = {"loss": lambda outputs, _: outputs[:, 0], "metrics": {"pairs": lambda outputs, _: outputs[:, 1]}}
        optimizer = adagrad_rows(0.15, initial=2e-8)
    else:

        def gather(arrays, ids):
            tokens = arrays["tokens"][ids]
            return (tokens[:, :-1], np.ones(len(ids), bool)), tokens[:, 1:]

        model = LanguageModel(words, LSTM(8, return_sequences=True, return_state=True), numbers, 0.0, False, False)
        told = {"loss": metrics.token_cross_entropy, "metrics": {"hits": metrics.token_accuracy}}
        optimizer = optax.adam(0.01)
    dataset = Dataset(arrays, gather, parts, "drawn", "f00d")
    return Experiment(None, model, optimizer=optimizer, epochs=1, batch_size=8, seed=0, **told), dataset


def trained(task, devices, words, numbers, steps, rows):
    experiment, dataset = pieces(task, words, numbers)
    program = Program(experiment, dataset, Settings(1, devices=devices, shard_rows=rows))
    state = program.initial(experiment)
    held = {}
    for leaf in jax.tree.leaves((state.params, state.opt_state)):
        for share in leaf.addressable_shards:
            held[share.device.id] = held.get(share.device.id, 0) + share.data.nbytes
    first = next(iter(program.batches("train", 0, 1, 0)))
    with program._context():
        compiled = program._train.lower(state, program._stack(first), program.arrays, None).compile()
    memory = compiled.memory_analysis()
    step = {name: getattr(memory, f"{name}_size_in_bytes") for name in ("argument", "output", "temp", "alias")}
    report = {"loss": np.nan}
    for batch in program.batches("train", 0, steps, 0):
        state, report = program.train(state, batch)
    whole = 4 * words * numbers
    told = {"table": whole, "held": held, "step": step, "loss": float(report["loss"])}
    return program, state, told


def main(task, devices, words, numbers, steps, rows, equal=""):
    sizes = task, int(devices), int(words), int(numbers), int(steps)
    program, state, told = trained(*sizes, int(rows))
    if equal:
        _, other, _ = trained(*sizes, None)
        pairs = zip(jax.tree.leaves(state.params), jax.tree.leaves(other.params), strict=True)
        told["difference"] = max(float(np.abs(np.asarray(a) - np.asarray(b)).max()) for a, b in pairs)
        told["validation"] = program.evaluate(state.params, "validation")["loss"]
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
