"""word2vec against the papers' equations in plain Python, and against gensim where it is installed."""

import heapq
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqjax import experiment as experiments
from seqjax.data.text.blocks import TABLE, Blocks, keep_probabilities, noise_table
from seqjax.data.text.huffman import tree
from seqjax.data.text.imdb import Reviews
from seqjax.errors import UserError
from seqjax.models.windows import rows
from seqjax.models.word2vec import Word2Vec, draw, hierarchical_softmax, negative_sampling, products

RNG = np.random.default_rng(0)
TOKENS = np.array([[3, 5, 2, 7, 3, 0, 0], [4, 2, 9, 1, 5, 6, 2]], np.int32)
VECTORS, CONTEXTS = RNG.normal(size=(2, 10, 4)).astype(np.float32)


compiled_rows = jax.jit(rows, static_argnums=(2, 3, 4))


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def window_pairs(kept, reach):
    """[B, L, L]: whether word j lies in the window of word i, in plain Python: drop first, then lay windows."""
    pairs = np.zeros((*kept.shape, kept.shape[1]), bool)
    for block, keeps, reaches in zip(pairs, kept, reach, strict=True):
        left = np.flatnonzero(keeps)
        for number, place in enumerate(left):
            for near in range(max(0, number - reaches[place]), min(len(left), number + reaches[place] + 1)):
                block[place, left[near]] = near != number
    return pairs


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    words=st.lists(st.tuples(st.booleans(), st.integers(1, 4)), min_size=12, max_size=12),
    blocks=st.sampled_from([1, 2, 3, 6]),
    width=st.sampled_from([1, 2, 5, 16]),
)
def test_rows_hold_the_pairs_of_all_windows_once(words, blocks, width):
    kept, reach = (np.array(column).reshape(blocks, -1) for column in zip(*words, strict=True))
    middle, around, pairs = (np.asarray(array) for array in compiled_rows(kept, reach, 4, width, -(-12 // width)))
    np.testing.assert_array_equal(middle, around[:, 4 : 4 + width])
    assert middle[middle < 12].tolist() == np.flatnonzero(kept).tolist()
    row, i, j = np.nonzero(pairs)
    block, first, length = *np.divmod(middle[row, i], 12 // blocks), 12 // blocks
    second = around[row, j] - block * length
    expected = window_pairs(kept, reach)
    assert len(row) == expected.sum()
    assert expected[block, first, second].all()


def test_words_without_room_are_left_out():
    kept = np.array([[True, False, True], [True, True, True]])
    middle, around, pairs = compiled_rows(kept, np.full((2, 3), 2), 2, 2, 2)
    assert middle.tolist() == [[0, 2], [3, 4]]
    assert around.tolist() == [[6, 6, 0, 2, 3, 4], [0, 2, 3, 4, 6, 6]]
    assert np.argwhere(pairs).tolist() == [[0, 0, 3], [0, 1, 2], [1, 0, 3], [1, 1, 2]]


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


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.integers(1, 50), min_size=2, max_size=20))
def test_huffmans_tree_is_a_shortest_prefix_code(counts):
    nodes, codes = tree(np.array(counts))
    ways = ["".join(map(str, row[row >= 0])) for row in codes]
    assert not any(a != b and b.startswith(a) for a in ways for b in ways)
    assert math.isclose(sum(2.0 ** -len(way) for way in ways), 1)
    heap, cost = list(counts), 0
    heapq.heapify(heap)
    while len(heap) > 1:
        joined = heapq.heappop(heap) + heapq.heappop(heap)
        cost += joined
        heapq.heappush(heap, joined)
    assert sum(count * len(way) for count, way in zip(counts, ways, strict=True)) == cost
    beginnings = {}  # a node is one beginning of a way
    for row, way in zip(nodes, ways, strict=True):
        for depth in range(len(way)):
            assert beginnings.setdefault(int(row[depth]), way[:depth]) == way[:depth]
    assert sorted(beginnings) == list(range(len(counts) - 1))


def test_a_tree_of_one_word_has_no_turns():
    nodes, codes = tree(np.array([7]))
    assert (nodes.tolist(), codes.tolist()) == ([[0]], [[-1]])


def test_negatives_follow_the_power_of_the_counts():
    counts = np.array([0, 0, 100, 10, 1, 0])
    table = noise_table(counts, 0.75)
    assert table[-1] == TABLE
    drawn = np.bincount(draw(jax.random.key(0), jnp.asarray(table), (200, 500)).ravel(), minlength=6)
    expected = counts**0.75 / (counts**0.75).sum()
    np.testing.assert_allclose(drawn / drawn.sum(), expected, atol=0.005)
    assert drawn[[0, 1, 5]].sum() == 0


def test_frequent_words_are_kept_less():
    counts = np.array([0, 0, 9000, 900, 99, 1])
    keep = keep_probabilities(counts, 1e-3)
    share = counts[2:] / 10_000
    np.testing.assert_allclose(keep[2:], np.minimum(1, (np.sqrt(share / 1e-3) + 1) * 1e-3 / share), rtol=1e-6)
    assert keep[0] == 0
    assert keep_probabilities(counts, 0).tolist() == [0, 0, 1, 1, 1, 1]


def apply(model, inputs, params, train=False, seed=0):
    rngs = {"dropout": jax.random.key(seed)}
    return jax.jit(lambda *both: model.apply({"params": both[0]}, both[1], train=train, rngs=rngs))(params, inputs)


def inputs(**more):
    counts = np.bincount(TOKENS.ravel(), minlength=10)
    counts[:2] = 0
    return {"tokens": TOKENS, "keep": keep_probabilities(counts, 0), "noise": noise_table(counts, 0.75), **more}


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


def test_draws_change_in_training_only_and_frequent_words_are_dropped():
    model = Word2Vec(10, 4, window=3)
    params = {"vectors": VECTORS, "contexts": CONTEXTS}
    assert not np.allclose(apply(model, inputs(), params, True, 0), apply(model, inputs(), params, True, 1))
    np.testing.assert_array_equal(apply(model, inputs(), params), apply(model, inputs(), params, seed=1))
    none = inputs() | {"keep": np.zeros(10, np.float32)}
    assert not np.any(apply(model, none, params, True))


@pytest.mark.parametrize(
    ("method", "negatives"),
    [
        ("skip_gram", 4),
        *(pytest.param(*v, marks=pytest.mark.slow) for v in (("cbow", 0), ("skip_gram", 0), ("cbow", 4))),
    ],
)
def test_every_variant_learns_which_words_stand_together(method, negatives, tmp_path):
    """Generated reviews: afterwards the names of places lie nearer to each other than to sentiments."""
    import optax

    from seqjax import folders
    from seqjax.training.program import Program, Settings, create_state

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


def test_blocks_hold_every_word_of_their_own_part_once(tmp_path, monkeypatch):
    from seqjax import folders

    monkeypatch.setattr(folders, "cache_dir", lambda: tmp_path)
    reviews = Reviews(300, 64).load("sample", tmp_path)
    dataset = Blocks(Reviews(300, 64), 24).load("sample", tmp_path)
    blocks = dataset.arrays["blocks"]
    assert blocks.shape[1] == 24
    for part, ids in dataset.parts.items():
        texts = reviews.arrays["tokens"][reviews.parts[part]]
        assert blocks[ids][blocks[ids] > 0].tolist() == texts[texts > 0].tolist()
        assert (blocks[ids] > 0).any(axis=1).all()
    assert sorted(np.concatenate(list(dataset.parts.values()))) == list(range(len(blocks)))
    prints = {Blocks(Reviews(300, 64), *options).load("sample", tmp_path).fingerprint for options in [(24,), (24, 0)]}
    flat = experiments.load(experiments.find("word2vec"))(power=0.0, vocabulary_size=300).source
    noise = np.diff(flat.load("sample", tmp_path).arrays["noise"], prepend=0)
    assert np.ptp(noise[noise > 0]) <= 1, "to the power of 0 all words are drawn alike"
    assert dataset.fingerprint in prints
    assert len(prints) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [({"block": 1}, "block=1"), ({"sample": -1}, "sample=-1")],
)
def test_senseless_options_are_refused(options, message, tmp_path):
    with pytest.raises(UserError, match=f"^{message} is too small"):
        Blocks(Reviews(300, 64), **options).load("sample", tmp_path)
    for power in (-0.5, 11, math.nan):
        with pytest.raises(UserError, match=rf"^power={power} is not in \[0, 10\]$"):
            Blocks(Reviews(300, 64), power=power).load("sample", tmp_path)
    with pytest.raises(UserError, match=r"^method='bag'"):
        apply(Word2Vec(10, 4, "bag"), inputs(), {"vectors": VECTORS, "contexts": CONTEXTS})


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
