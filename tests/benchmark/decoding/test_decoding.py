"""D1 and D2: ours and PyTorch's loops write the same from the same weights."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax.benchmark.worker import build
from seqjax.benchmark.workloads import find
from seqjax.decoding import Limits, greedy
from seqjax.models.translate import Translate
from sequence_peers import ours, torch_weights

torch = pytest.importorskip("torch")


@pytest.mark.slow
def test_without_chance_the_same_characters_are_written(monkeypatch):
    from seqjax.benchmark.decoding.peer_torch import write
    from seqjax.benchmark.sequences.ours import model

    workload, params, _ = ours("W7")
    peer: Any = build("torch", workload, 1)
    torch_weights("W7", params, peer.model)
    monkeypatch.setattr(torch, "multinomial", lambda p, _: p.argmax(keepdim=True))
    with torch.inference_mode():
        written = write(peer.model, 30)
    run = lambda tokens, state=None: model(workload).apply({"params": params}, tokens, state, method="run")

    def step(state, tokens):
        logits, state = run(tokens[:, None], state)
        return state, logits[:, 0]

    zeros = jax.tree.map(jnp.zeros_like, run(jnp.ones((1, 1), jnp.int32))[1])
    found = jax.jit(lambda state: greedy(step, state, jnp.ones(1, jnp.int32), Limits(30, never=(0,))))(zeros)
    assert found.tokens[0].tolist() == written
    assert len(set(written)) > 2


@pytest.mark.slow
@pytest.mark.parametrize("beams", [1, 5])
def test_beams_find_the_same_translations(monkeypatch, beams):
    """Of five ours keeps a place for the greedy one, so that some are others."""
    from seqjax.benchmark.decoding import peer_torch
    from seqjax.benchmark.sequences.ours import model

    workload, params, ((inputs, *_), *_) = ours("W8")
    peer: Any = build("torch", workload, 1)
    torch_weights("W8", params, peer.model)
    monkeypatch.setattr(peer_torch, "BEAMS", beams)
    with torch.inference_mode():
        tokens, scores = peer_torch.beam_search(peer.model, torch.from_numpy(inputs[0]).long(), workload.steps)
    answer = Translate(beams, max_length=workload.steps)
    found = jax.jit(lambda params, source: answer(model(workload), params, (source, source)))(
        params, jnp.asarray(inputs[0])
    )
    same = (np.asarray(found["tokens"][:, 0]) == tokens.numpy()).all(axis=1)
    assert same.mean() >= (1 if beams == 1 else 0.5)
    np.testing.assert_allclose(np.asarray(found["scores"])[same, 0], scores.numpy()[same], rtol=1e-4)
    assert len(np.unique(tokens.numpy(), axis=0)) > 2


@pytest.mark.parametrize("name", ["D1", "D2"])
def test_each_step_writes(name):
    workload = find(name).scaled(0.02)
    for implementation in ("seqjax", "torch"):
        made: Any = build(implementation, workload, 1)
        found = np.concatenate([np.ravel(np.asarray(each)) for each in made.infer(made.steps_at_once)])
        assert found.size == (made.steps_at_once if name == "D1" else workload.batch * workload.steps)
        assert 0 <= found.min() < found.max() < workload.features
