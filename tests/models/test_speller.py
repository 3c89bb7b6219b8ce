"""The speller: what it says freely is what it says of its own letters, one image or many."""

import jax
import numpy as np
import pytest

from recurrent_reference import apply, gru_step, random_variables
from seqjax.errors import UserError
from seqjax.models.speller import END, START, Speller, spell

RNG = np.random.default_rng(0)
PICTURES = RNG.random((40, 6)).astype(np.float32)
BEFORE = np.array([[1, 4, 3, 5, 0], [1, 3, 0, 0, 0]], np.int32)


def speller(**options):
    return Speller(
        **{"pixels": 6, "letters": 7, "hidden": 4, "embedding_size": 3, "units": 5, "dropout": 0.0, **options}
    )


def said(model, params, pictures=PICTURES, steps=5):
    inputs = (pictures, np.zeros((len(pictures), steps), np.int32))
    return jax.tree.map(np.asarray, jax.jit(lambda p: spell(model, p, inputs))(params))


@pytest.fixture(scope="module")
def params():
    """Of a speller that ends some of its words within 5 letters."""
    made = random_variables(speller(), (PICTURES[:2], BEFORE), scale=2.0)["params"]
    kernel, bias = made["out"]["kernel"].at[:, END].set(0), made["out"]["bias"].at[END].set(4)
    return {**made, "out": {"kernel": kernel, "bias": bias}}


def test_logits_are_those_of_the_formulas(params):
    found = np.asarray(apply(speller(), {"params": params}, (PICTURES[:2], BEFORE)))
    p = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)
    for row in range(2):
        x = np.maximum(PICTURES[row : row + 1] @ p["picture"]["kernel"] + p["picture"]["bias"], 0)
        h = np.tanh(x @ p["state"]["kernel"] + p["state"]["bias"])
        for t in range(np.count_nonzero(BEFORE[row])):
            (h,) = gru_step(
                p["layer"]["cell"], (h,), p["embedding"]["embedding"][BEFORE[row, t]][None], np.ones((3, 1, 5))
            )
            logits = h @ p["out"]["kernel"] + p["out"]["bias"]
            np.testing.assert_allclose(found[row, t], logits[0], rtol=1e-4, atol=1e-5)


def test_what_it_says_freely_is_what_it_says_of_its_own_letters(params):
    found = said(speller(), params)
    assert len(np.unique(found["letters"], axis=0)) > 3, "different words"
    assert not (found["letters"] == START).any()
    ended = (found["letters"] == END).any(axis=1)
    assert ended.any()
    assert not ended.all()
    before = np.insert(found["letters"], 0, START, axis=1)[:, :-1] * (found["letters"] != 0)
    logits = np.asarray(apply(speller(), {"params": params}, (PICTURES, before)), np.float64)
    scores = logits - np.log(np.exp(logits).sum(axis=2, keepdims=True))
    real = found["letters"] != 0
    np.testing.assert_array_equal(2 + logits[:, :, 2:].argmax(axis=2)[real], found["letters"][real])
    own = np.take_along_axis(scores, found["letters"][:, :, None], axis=2)[:, :, 0]
    np.testing.assert_allclose(found["probability"], np.exp((own * real).sum(axis=1)), rtol=1e-4)


def test_nothing_is_said_behind_the_end(params):
    for letters in said(speller(), params)["letters"]:
        end = letters.tolist().index(END) if END in letters else len(letters)
        assert not letters[end + 1 :].any()
        assert letters[:end].all(), "padding is no letter"


def test_an_image_alone_and_a_longer_try_say_the_same(params):
    whole = said(speller(), params)
    alone = [said(speller(), params, picture[None]) for picture in PICTURES[:5]]
    np.testing.assert_array_equal(whole["letters"][:5], np.concatenate([one["letters"] for one in alone]))
    longer = said(speller(), params, steps=9)
    ended = (whole["letters"] == END).any(axis=1)
    np.testing.assert_array_equal(whole["letters"], longer["letters"][:, :5])
    np.testing.assert_allclose(whole["probability"][ended], longer["probability"][ended], rtol=1e-5)


def test_senseless_options_are_refused():
    for options in ({"units": 0}, {"letters": 0}, {"hidden": 0}, {"embedding_size": 0}, {"dropout": 1.0}):
        with pytest.raises(UserError, match=next(iter(options))):
            jax.eval_shape(speller(**options).init, jax.random.key(0), (PICTURES[:2], BEFORE))
