"""One training on devices and processes of several layouts: what `tests/training/test_layouts.py` starts.

python tests/layouts.py FOLDER STEPS TASK,TASK DEVICES,DEVICES plain|deterministic [float64] [COORDINATOR COUNT INDEX]

Writes the final parameters of each task and number of devices into FOLDER/TASK-DEVICESxCOUNT.npz.
"""

import sys
from pathlib import Path

TASKS = {
    "jena_lstm": ["units=8", "batch_size=16"],
    "imdb_bilstm_masked": ["vocabulary_size=200", "embedding_size=8", "units=4", "batch_size=8"],
    "word2vec": ["vocabulary_size=200", "embedding_size=8", "batch_size=8"],
    "atis_bilstm": ["embedding_size=8", "units=4", "batch_size=8"],
    "shakespeare_lstm": ["units=8", "batch_size=8", "sequence_length=20"],
    "multi30k_gru": ["source_words=100", "target_words=100", "embedding_size=8", "units=8", "batch_size=8"],
}
"""Experiments on generated data, by knobs that make them small: an LSTM with dropout, length groups, draws within a
batch, a tag for each word, a carry from batch to batch, an encoder with its decoder."""


def trained(task, steps, devices, deterministic, dtype):
    """The parameters after so many steps."""
    import jax
    import jax.numpy as jnp

    from seqjax import experiment as experiments
    from seqjax.runs.commands import as_told
    from seqjax.training.block_program import BlockProgram
    from seqjax.training.program import Program, Settings
    from seqjax.training.state import create_state

    function = experiments.load(experiments.find(task))
    options = experiments.options(function, TASKS[task])
    dataset = experiments.build(function, options).source.load("sample", Path("nowhere"))
    experiment = as_told(function, options, dataset)
    wide = lambda tree: jax.tree.map(
        lambda leaf: leaf.astype(dtype) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf, tree
    )
    state = wide(create_state(experiment, dataset.example(), dataset.initial, dataset.target()))
    kind = BlockProgram if deterministic else Program
    program = kind(experiment, dataset, Settings(8, devices=devices, deterministic=deterministic))
    program.arrays = program.place(wide(dict(dataset.arrays)))
    state = program.place(state)
    for batch in program.batches("train", 0, steps, experiment.seed):
        state, _ = program.train(state, batch)
    found = program.evaluate(state.params, "validation", state.tally())
    return jax.device_get(state.params), found


def main(folder, steps, tasks, devices, way, dtype="float32", *joined):
    import numpy as np

    if joined:
        from seqjax.peers.start import start

        start(60, joined[0], int(joined[1]), int(joined[2]))
    import jax
    from flax import traverse_util

    from seqjax import peers

    for task in tasks.split(","):
        for count in map(int, devices.split(",")):
            params, scores = trained(task, int(steps), count, way == "deterministic", dtype)
            if peers.is_first():
                flat = traverse_util.flatten_dict(params, sep="/")
                path = Path(folder) / f"{task}-{count}x{peers.count()}.npz"
                np.savez(path, **flat, **{f"score {name}": value for name, value in scores.items()})
            jax.clear_caches()
    if joined:
        from seqjax.peers.watch import WATCH

        WATCH.end()


if __name__ == "__main__":
    main(*sys.argv[1:])
