"""Sequences out of any model that takes a token and tells what may follow: greedy, sampling, beam search.

A model is a pure function `step(state, tokens [N] int32) -> (state, logits [N, V])`, or `-> (state, logits, extra)`;
`state` and `extra` are any trees whose leaves have the batch first. All here is pure and can be jitted:

    decoded = greedy(step, state, first, Limits(max_length=50, end=2))
    decoded = sample(step, state, first, keys, Limits(max_length=500), Sampling(temperature=0.8, top_k=40))
    decoded = beam_search(step, state, first, Limits(max_length=50, end=2), beams=5, alpha=1.0)

What stays the same from step to step (an encoded source) is best closed over by `step`, not carried in the state: a
beam search has N = B * beams rows, those of one source side by side, and reorders every leaf of the state at each step.

Legend: B rows (sentences), N rows of a step, V tokens of the vocabulary, L most tokens of a sequence.
"""

from seqjax.decoding.beams import beam_search, length_penalty
from seqjax.decoding.limits import Limits
from seqjax.decoding.rows import Decoded, Progress, greedy
from seqjax.decoding.sampling import Sampling, begin_sampling, sample, sample_more

__all__ = [
    "Decoded",
    "Limits",
    "Progress",
    "Sampling",
    "beam_search",
    "begin_sampling",
    "greedy",
    "length_penalty",
    "sample",
    "sample_more",
]
