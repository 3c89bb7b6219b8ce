"""Small models for decoding, and slow decoders of a few lines to hold the quick ones against.

Legend: B rows, V vocabulary.
"""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np

STATES = 997


@functools.cache
def prefix_model(vocabulary, seed=0, scale=2.0):
    """Logits that depend on every token so far: the step, and the same in NumPy: tokens -> log-probabilities [V]."""
    table = np.random.default_rng(seed).normal(size=(STATES, vocabulary), scale=scale).astype(np.float32)
    held = jnp.asarray(table)

    def step(state, tokens):
        code = (state["code"] * 31 + tokens + 7) % STATES
        return {"code": code}, held[code]

    def log_probabilities(tokens, row=0):
        code = row
        for token in tokens:
            code = (code * 31 + token + 7) % STATES
        logits = table[code].astype(np.float64)
        return logits - np.log(np.exp(logits - logits.max()).sum()) - logits.max()

    return step, log_probabilities


def rows(batch):
    """A state and first tokens: every row begins elsewhere."""
    return {"code": jnp.arange(batch, dtype=jnp.int32)}, jnp.ones(batch, jnp.int32)


def lstm_model(vocabulary, units=8, seed=0, scale=1.0):
    """A step of an LSTM with random weights."""
    rng = np.random.default_rng(seed)
    shapes = [(vocabulary, units), (units, 4 * units), (units, 4 * units), (units, vocabulary)]
    table, kernel, recurrent, output = (jnp.float32(rng.normal(size=shape, scale=scale)) for shape in shapes)

    def step(state, tokens):
        h, c = state
        i, f, g, o = jnp.split(table[tokens] @ kernel + h @ recurrent, 4, axis=1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h @ output

    return step, lambda batch: (jnp.zeros((batch, units)), jnp.zeros((batch, units)))


def penalty(length, alpha):
    return ((5 + length) / 6) ** alpha


def may_follow(tokens, limits, vocabulary):
    """The tokens that the limits allow after these."""
    n = limits.no_repeat_ngram
    had = {tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)} if n else set()
    for token in range(vocabulary):
        short = token == limits.end and len(tokens) < limits.min_length
        again = n and len(tokens) + 1 >= n and tuple([*tokens, token][-n:]) in had
        if not short and not again and token not in limits.never:
            yield token


def is_whole(tokens, limits):
    return len(tokens) == limits.max_length or (tokens and tokens[-1] == limits.end)


def every_sequence(log_probabilities, vocabulary, limits, row=0, first=1):
    """[(score, tokens)] of all that there are, unsorted."""
    found, open_ones = [], [(0.0, [])]
    while open_ones:
        score, tokens = open_ones.pop()
        if is_whole(tokens, limits):
            found.append((score, tokens))
            continue
        log_p = log_probabilities([first, *tokens], row)
        open_ones += [(score + log_p[token], [*tokens, token]) for token in may_follow(tokens, limits, vocabulary)]
    return found


def slow_greedy(log_probabilities, vocabulary, limits, row=0, first=1):
    score, tokens = 0.0, []
    while not is_whole(tokens, limits):
        log_p = log_probabilities([first, *tokens], row)
        allowed = list(may_follow(tokens, limits, vocabulary))
        if not allowed:
            return -np.inf, tokens
        token = max(allowed, key=lambda token: log_p[token])
        score, tokens = score + log_p[token], [*tokens, token]
    return score, tokens


def slow_beam_search(log_probabilities, vocabulary, limits, beams, n_best, alpha, row=0, first=1):
    """As seqjax.decoding.beams says, without giving up early: the n best [(score over penalty, score, tokens)]."""
    _, greedy = slow_greedy(log_probabilities, vocabulary, limits, row, first)
    slots = [(0.0, [])]
    while not all(is_whole(tokens, limits) for _, tokens in slots):
        kept = [slot for slot in slots if is_whole(slot[1], limits)]
        longer = []
        for score, tokens in itertools.filterfalse(lambda slot: is_whole(slot[1], limits), slots):
            log_p = log_probabilities([first, *tokens], row)
            longer += [(score + log_p[token], [*tokens, token]) for token in may_follow(tokens, limits, vocabulary)]
        longer.sort(key=lambda slot: (slot[1] != greedy[: len(slot[1])], -slot[0]))
        slots = kept + longer[: beams - len(kept)]
    ranked = sorted(((score / penalty(len(tokens), alpha), score, tokens) for score, tokens in slots), reverse=True)
    return ranked[:n_best]
