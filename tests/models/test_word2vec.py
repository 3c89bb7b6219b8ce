"""word2vec against the papers' equations in plain Python, and that it learns."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax.data.text.blocks import Blocks
from seqjax.data.text.huffman import tree
from seqjax.data.text.imdb import Reviews
from seqjax.models.word2vec import Word2Vec, draw, hierarchical_softmax, negative_sampling, products
from word_pairs import CONTEXTS, RNG, TOKENS, VECTORS, apply, inputs, window_pairs


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def skip_gram(pairs, negatives, count):
    """The sums of arXiv:1310.4546, equation 4, pair by pair."""
    true, false = [0.0] * len(TOKENS), [0.0] * len(TOKENS)
    for b, i, j in zip(*np.nonzero(pairs), strict=True):
        v = VECTORS[TOKENS[b, i]].astype(float)
        true[b] -= math.log(sigmoid(v @ CONTEXTS[TOKENS[b, j]]))
        for n in negatives[b]:
            if n != TOKENS[b, j]:
                false[b] -= math.log(sigmoid(-v @ CONTEXTS[n])) * count / len(negatives[b])
    return true, false


@pytest.mark.parametrize("count", [3, 6])
def test_negative_sampling_is_the_papers_sum_over_pairs(count):
    pairs = window_pairs(TOKENS > 1, RNG.integers(1, 4, TOKENS.shape))
    negatives = np.array([[2, 5, 8], [2, 2, 6]])
    words = CONTEXTS[np.append(TOKENS, negatives, axis=1)]
    found = negative_sampling(VECTORS[TOKENS], words, pairs, TOKENS[:, :, None] == negatives[:, None], count)
    np.testing.assert_allclose(np.sum(found, axis=2), skip_gram(pairs, negatives, count), rtol=1e-5)


def test_products_and_their_gradients_are_those_of_the_plain_product():
    inputs, words, weights = (np.float32(RNG.normal(size=shape)) for shape in [(2, 3, 4), (2, 6, 4), (2, 6, 3)])
    plain = lambda inputs, words: jnp.einsum("rue,rce->ruc", words, inputs)
    np.testing.assert_allclose(products(inputs, words), plain(inputs, words), rtol=1e-5, atol=1e-6)
    found, expected = (
        jax.grad(lambda *both, function=function: jnp.sum(weights * function(*both) ** 2), (0, 1))(inputs, words)
        for function in (products, plain)
    )
    for ours, reference in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, reference, rtol=1e-4, atol=1e-5)


def test_hierarchical_softmax_is_the_product_of_turns_and_sums_to_one():
    nodes, codes = tree(np.array([5, 1, 9, 2, 2]))
    v, u = RNG.normal(size=(4)), RNG.normal(size=(4, 4))
    probability = np.ones(5)
    for word in range(5):
        for node, code in zip(nodes[word], codes[word], strict=True):
            if code >= 0:
                probability[word] *= sigmoid((-1) ** int(code) * (v @ u[node]))
    np.testing.assert_allclose(probability.sum(), 1)
    tokens = np.array([[0, 1, 2, 3, 4]])
    for word in range(5):
        pairs = np.zeros((1, 1, 5), bool)
        pairs[0, 0, word] = True
        loss, none = hierarchical_softmax(
            jnp.float32(v)[None, None], jnp.float32(u)[nodes[tokens]], codes[tokens], pairs
        )
        np.testing.assert_allclose(loss, [[-np.log(probability[word])]], rtol=1e-5)
        assert none == 0


@pytest.mark.parametrize("width", [3, pytest.param(32, marks=pytest.mark.slow)])
def test_skip_gram_draws_what_the_equations_take(width):
    """The module's loss and gradients from its own draws of windows and negatives, against all pairs at once."""
    counts = inputs()["keep"] > 0
    model = Word2Vec(10, 4, window=3, negatives=2, shared=3, width=width)
    keys = jax.random.split(jax.random.key(0), 3)
    reach = np.asarray(jax.random.randint(keys[1], TOKENS.shape, 1, 4))
    pairs = window_pairs(counts[TOKENS], reach)
    block, place = np.nonzero(counts[TOKENS])
    negatives = np.asarray(draw(keys[2], inputs()["noise"], (-(-TOKENS.size // width), 3)))
    row = np.arange(len(block)) // width  # of each word that is left

    true, false = [], []  # block, v's word, u's word
    for word, (b, i) in enumerate(zip(block, place, strict=True)):
        for j in np.flatnonzero(pairs[b, i]):
            true.append((b, TOKENS[b, i], TOKENS[b, j]))
            false += [(b, TOKENS[b, i], n) for n in negatives[row[word]] if n != TOKENS[b, j]]

    def plain(params):
        def of_blocks(sign, triples):
            blocks, words, others = np.array(triples).T
            scores = jnp.sum(params["vectors"][words] * params["contexts"][others], axis=1)
            return jnp.zeros(2).at[blocks].add(-jax.nn.log_sigmoid(sign * scores))

        near = of_blocks(1, true)
        return jnp.stack([near + of_blocks(-1, false) * 2 / 3, near], axis=1) / 7

    params = {"vectors": VECTORS, "contexts": CONTEXTS}
    np.testing.assert_allclose(apply(model, inputs(), params), plain(params), rtol=1e-5)
    weights = np.array([[1.0, 0.5], [2.0, -1.0]], np.float32)
    gradients = [
        jax.jit(jax.grad(lambda params, function=function: jnp.sum(weights * function(params))))(params)
        for function in (lambda params: apply(model, inputs(), params), plain)
    ]
    for name in params:
        np.testing.assert_allclose(*(gradient[name] for gradient in gradients), rtol=1e-4, atol=1e-6)


def test_cbow_predicts_the_middle_from_the_mean_of_its_window():
    model = Word2Vec(10, 4, "cbow", window=1, negatives=2, shared=3)
    found = apply(model, inputs(), {"vectors": VECTORS, "contexts": CONTEXTS})
    drawn = np.asarray(draw(jax.random.split(jax.random.key(0), 3)[2], inputs()["noise"], (1, 3)))[0]
    windows = [{0: [1], 1: [0, 2], 2: [1, 3], 3: [2, 4], 4: [3]}]
    windows += [{0: [1], 1: [0, 2], 2: [1, 4], 4: [2, 5], 5: [4, 6], 6: [5]}]
    for b, window in enumerate(windows):
        true = false = 0.0
        for middle, near in window.items():
            mean = VECTORS[TOKENS[b, near]].mean(axis=0).astype(float)
            true -= math.log(sigmoid(mean @ CONTEXTS[TOKENS[b, middle]]))
            others = [n for n in drawn if n != TOKENS[b, middle]]
            false -= sum(math.log(sigmoid(-mean @ CONTEXTS[n])) for n in others) * 2 / 3
        np.testing.assert_allclose(found[b], np.array([true + false, true]) / 7, rtol=1e-5)


def test_only_training_leaves_words_out_for_want_of_room():
    params = {"vectors": VECTORS, "contexts": CONTEXTS}
    narrow, wide = Word2Vec(10, 4, window=1, width=2, room=0.5), Word2Vec(10, 4, window=1, width=2)
    np.testing.assert_array_equal(apply(narrow, inputs(), params), apply(wide, inputs(), params))
    found, expected = (apply(model, inputs(), params, train=True)[:, 1] for model in (narrow, wide))
    assert found[0] == expected[0]  # 8 words have room: the 5 of this block and 3 of the 6 of the other
    assert 0 < found[1] < expected[1]


@pytest.mark.slow
def test_draws_change_in_training_only_and_frequent_words_are_dropped():
    model = Word2Vec(10, 4, window=3)
    params = {"vectors": VECTORS, "contexts": CONTEXTS}
    assert not np.allclose(apply(model, inputs(), params, True, 0), apply(model, inputs(), params, True, 1))
    np.testing.assert_array_equal(apply(model, inputs(), params), apply(model, inputs(), params, seed=1))
    none = inputs() | {"keep": np.zeros(10, np.float32)}
    assert not np.any(apply(model, none, params, True))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "negatives"),
    [
        ("skip_gram", 4),
        ("cbow", 0),
        ("skip_gram", 0),
        ("cbow", 4),
    ],
)
def test_every_variant_learns_which_words_stand_together(method, negatives, tmp_path):
    """Generated reviews: afterwards the names of places lie nearer to each other than to sentiments."""
    import optax

    from seqjax import folders
    from seqjax.training.program import Program, Settings
    from seqjax.training.state import create_state

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(folders, "cache_dir", lambda: tmp_path)
        dataset = Blocks(Reviews(300, 64), 32, 0, hierarchical=negatives == 0).load("sample", tmp_path)
    experiment = word2vec_experiment(Word2Vec(300, 16, method, 3, negatives), optax.adam(0.03))
    program = Program(experiment, dataset, Settings(1))
    state = program.place(create_state(experiment, dataset.example()))
    before = program.evaluate(state.params, "validation")["loss"]
    for batch in program.batches("train", 0, 120, seed=0):
        state, _ = program.train(state, batch)
    after = program.evaluate(state.params, "validation")["loss"]
    assert after < 0.8 * before
    words = dataset.assets["vocabulary.txt"].split("\n")
    table = np.asarray(state.params["vectors"])
    unit = lambda word: table[2 + words.index(word)] / np.linalg.norm(table[2 + words.index(word)])
    groups = [["superb", "dull", "clever", "boring"], ["friend", "parents", "neighbours", "colleagues"]]
    alike = np.mean([unit(a) @ unit(b) for group in groups for a in group for b in group if a != b])
    apart = np.mean([unit(a) @ unit(b) for a in groups[0] for b in groups[1]])
    assert alike > apart + 0.1


def word2vec_experiment(model, optimizer):
    from seqjax.experiment import Experiment

    loss, true = (lambda outputs, targets: outputs[:, 0]), (lambda outputs, targets: outputs[:, 1])
    return Experiment(None, model, loss, {"true_pairs": true}, optimizer, epochs=1, batch_size=64, seed=0)
