"""word2vec against gensim, where it is installed."""

import numpy as np
import pytest

from seqjax.data.text.blocks import keep_probabilities, noise_table
from seqjax.data.text.huffman import tree
from seqjax.models.word2vec import hierarchical_softmax, negative_sampling
from word_pairs import RNG, window_pairs


def with_gensims_table(inputs, contexts, signs):
    """Vectors whose products x become 0.996 x - 0.03 for a sign of 1, and its mirror image for -1.

    So gensim reads its table of log s: 1000 places for -6 to 6, found by a factor of 1000 // 6 // 2 = 83 instead of
    83.3, and rounded down.
    """
    ones, signs = np.ones((*inputs.shape[:-1], 1)), np.broadcast_to(signs, contexts.shape[:-1])
    wider = np.concatenate([inputs * 0.996, ones], axis=-1), np.concatenate([contexts, -0.03 * signs[..., None]], -1)
    return [array.astype(np.float32) for array in wider]


def gensims_loss(hierarchical):
    """Gensim's running loss of one pass over a text at a rate of 0: (model, tokens [1, 60], vectors, contexts)."""
    gensim = pytest.importorskip("gensim.models.word2vec")
    text = [f"w{k}" for k in RNG.integers(0, 8, 60)]
    model = gensim.Word2Vec(
        [text], vector_size=4, window=2, min_count=1, sg=1, hs=int(hierarchical), negative=0 if hierarchical else 3,
        sample=0, shrink_windows=False, alpha=0, min_alpha=0, epochs=1, workers=1, seed=1, compute_loss=True,
    )  # fmt: skip
    own = model.syn1 if hierarchical else model.syn1neg
    vectors, contexts = RNG.normal(scale=0.6, size=(2, len(model.wv), 4)).astype(
        np.float32
    )  # it skips products above 6
    model.wv.vectors[:], own[:] = vectors, contexts[: len(own)]
    model.running_training_loss = 0.0
    model.random.seed(5)
    gensim.train_batch_sg(model, [text], 0.0, np.zeros(4, np.float32), True)
    return model, np.array([[model.wv.key_to_index[word] for word in text]]), vectors, contexts


def test_negative_sampling_is_gensims_on_the_same_pairs_and_draws():
    model, tokens, vectors, contexts = gensims_loss(hierarchical=False)
    model.random.seed(5)
    state = (2**24) * model.random.randint(0, 2**24) + model.random.randint(0, 2**24)
    table, total = model.cum_table.astype(np.int64), 0.0
    for i in range(60):
        for j in range(max(0, i - 2), min(60, i + 3)):
            if j == i:
                continue
            drawn = np.zeros((1, 3), int)
            for k in range(3):  # its random numbers: those of Java
                drawn[0, k] = np.searchsorted(table, (state >> 16) % table[-1], side="left")
                state = (state * 25214903917 + 11) & (2**48 - 1)
            pair = np.zeros((1, 1, 1), bool)
            pair[:] = True  # gensim lets the word nearby predict the middle: windows are alike, and so are the pairs
            v, targets = with_gensims_table(vectors[tokens[:, [j]]], contexts[tokens[:, [i]]], 1)
            _, others = with_gensims_table(vectors[tokens[:, [j]]], contexts[drawn], -1)
            same = tokens[:, [i], None] == drawn[:, None, :]
            words = np.concatenate([targets, others], axis=1)
            total += float(sum(part[0, 0] for part in negative_sampling(v, words, pair, same, 3)))
    np.testing.assert_allclose(model.running_training_loss, total, rtol=1e-3)


def test_hierarchical_softmax_is_gensims_on_the_same_pairs():
    model, tokens, vectors, contexts = gensims_loss(hierarchical=True)
    ways = model.wv.expandos["code"]
    codes = np.full((len(ways), max(map(len, ways))), -1)
    nodes = np.zeros_like(codes)
    for word, way in enumerate(ways):
        codes[word, : len(way)], nodes[word, : len(way)] = way, model.wv.expandos["point"][word]
    pairs = window_pairs(np.ones((1, 60), bool), np.full((1, 60), 2)).swapaxes(1, 2)
    signs = np.where(codes[tokens] == 1, -1, 1)
    v, along = with_gensims_table(vectors[tokens], contexts[nodes[tokens]], signs)
    ours = hierarchical_softmax(v, along, codes[tokens], pairs)[0]
    np.testing.assert_allclose(model.running_training_loss, ours.sum(), rtol=1e-3)
    counts = np.array([model.wv.get_vecattr(word, "count") for word in range(len(ways))])
    assert counts @ (tree(counts)[1] >= 0).sum(axis=1) == counts @ (codes >= 0).sum(axis=1)  # as short a code


def test_shares_kept_and_noise_are_gensims():
    gensim = pytest.importorskip("gensim.models.word2vec")
    counts = {f"w{k}": int(count) for k, count in enumerate([5000, 900, 300, 40, 3])}
    model = gensim.Word2Vec(vector_size=2, min_count=1, sample=1e-3, ns_exponent=0.75, negative=5)
    model.build_vocab_from_freq(counts)
    array = np.array(list(counts.values()))
    theirs = model.wv.expandos["sample_int"] / (2**32 - 1)
    np.testing.assert_allclose(keep_probabilities(array, 1e-3), theirs, rtol=1e-5)
    np.testing.assert_allclose(noise_table(array, 0.75), model.cum_table, rtol=1e-6, atol=1)
