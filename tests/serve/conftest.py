"""Two tiny runs, a classifier of texts and a language model, and the application that answers for them."""

import pytest

from seqjax.layers.backends import native_library
from seqjax.runs import commands
from seqjax.training.program import Settings
from seqjax.training.workdir import Workdir

WORDS = ("good", "bad", "film", "plot", "fine", "dull", "a", "the", "very", "not")


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """With the runs `texts` and `letters`."""
    pytest.importorskip("starlette")
    pytest.importorskip("uvicorn")
    folder = tmp_path_factory.mktemp("serve")
    rows = [
        f"{'good' if k % 2 else 'bad'} {WORDS[k % 7]} {WORDS[k % 9]} {WORDS[(3 * k) % 10]} {k % 13}" for k in range(80)
    ]
    table = "".join(f"{text},{'yes' if k % 2 else 'no'}\n" for k, text in enumerate(rows))
    (folder / "texts.csv").write_text("text,label\n" + table)
    (folder / "letters.txt").write_text(
        "".join(f"the {'cat' if k % 3 else 'dog'} sat on the mat.\n" for k in range(60))
    )
    native_library.refusal()  # not to be compiled into the other cache
    bow = ["units=4", "epochs=2", "batch_size=8", f"file={folder / 'texts.csv'}", "vocabulary_size=40"]
    letters = [
        "units=8",
        "epochs=1",
        "batch_size=2",
        "sequence_length=16",
        "dropout=0.0",
        f"file={folder / 'letters.txt'}",
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        for name, row, options in (("texts", "text_bow", bow), ("letters", "shakespeare_lstm", letters)):
            commands.train(row, Workdir(folder / name), options=options, data_dir=folder, settings=Settings())
    return folder


@pytest.fixture(scope="session")
def app(folder):
    """The application."""
    from seqjax import interface
    from seqjax.serve.app import application
    from seqjax.serve.limits import Limits
    from seqjax.serve.model import Model

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(interface, "settle", dict)  # not in the tests' process
        models = {name: Model(folder / name, name, 4) for name in ("texts", "letters")}
    return application(models, Limits(batch=4, queue=400, max_rows=300, max_characters=3_000, concurrent=300))
