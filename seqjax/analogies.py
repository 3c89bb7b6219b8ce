"""What lies near what among word vectors: neighbours, analogies, and the lecture's picture of three relations.

python -m seqjax.analogies runs/word2vec --near=film,dreadful
python -m seqjax.analogies glove.6B.100d.txt.gz --analogy=man:king:woman --picture=relations.png

Given is a run of word2vec or glove (its workdir), or a file in any form that `seqjax.data.text.vectors` reads.

Legend: W words, E numbers of a vector.
"""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags

from seqjax import experiment as experiments
from seqjax.command_line import run_tool
from seqjax.data.text import vectors
from seqjax.data.text.vectorizer import Vectorizer
from seqjax.data.text.vectors import Vectors
from seqjax.errors import UserError
from seqjax.files import shown
from seqjax.training.workdir import Workdir

FLAGS = flags.FlagValues()  # our own: those of seqjax.main are others
NEAR = flags.DEFINE_list("near", [], "Words whose neighbours to list.", flag_values=FLAGS)
ANALOGY = flags.DEFINE_list("analogy", [], "man:king:woman asks what is to woman as king to man.", flag_values=FLAGS)
PICTURE = flags.DEFINE_string("picture", None, "Draw the relations into this file (.png, .svg).", flag_values=FLAGS)
WRITE = flags.DEFINE_string("write", None, "Write the vectors into this file, as word2vec's text.", flag_values=FLAGS)
COUNT = flags.DEFINE_integer("count", 8, "How many neighbours.", lower_bound=1, flag_values=FLAGS)

RELATIONS = {
    "gender": (("man", "woman"), ("king", "queen"), ("uncle", "aunt"), ("actor", "actress"), ("brother", "sister")),
    "tense": (("walking", "walked"), ("swimming", "swam"), ("playing", "played"), ("going", "went"), ("eating", "ate")),
    "country - capital": (
        ("spain", "madrid"), ("italy", "rome"), ("germany", "berlin"), ("japan", "tokyo"), ("russia", "moscow"),
    ),
}  # fmt: skip
"""The lecture's three, each as pairs of a word and its counterpart."""


def read(path: Path, wanted: Collection[str] | None = None) -> Vectors:
    """The vectors of a run (of its best epoch) or a file; see `seqjax.data.text.vectors.read`.

    Raises:
      UserError: no such run or file, several runs, or a run of another kind.
    """
    try:
        folder = path.is_dir()
    except OSError as error:  # a name that is too long
        raise UserError(f"{shown(path)}: {error.strerror}") from error
    if folder:
        inside = [str(f.parent) for kind in ("seed_*", "*=*/seed_*") for f in sorted(path.glob(f"{kind}/config.json"))]
        if inside:
            raise UserError(f"{path} holds several runs: give one of them, {', '.join(inside)}")
        return _read_run(Workdir(path))
    if not path.exists():
        raise UserError(f"{path}: no such file or run; train one first: --experiment=word2vec")
    return vectors.read(path, wanted)


def _read_run(workdir: Workdir) -> Vectors:
    if workdir.config() is None:
        raise UserError(f"workdir {workdir.path} holds no run; train one first: --experiment=word2vec")
    config = workdir.run()
    import jax

    from seqjax.training.best import restore_best

    model = experiments.of_run(workdir.path, config).model
    if not hasattr(model, "table"):
        raise UserError(f"workdir {workdir.path} is a run of {config['experiment']}, which has no word vectors to give")
    _, params = restore_best(workdir, model.init(jax.random.key(0), model.example())["params"])
    words = Vectorizer.load(workdir.path).vocabulary
    first = words.unknown + 1
    return Vectors(list(words.tokens), np.asarray(model.table(params))[first : first + len(words.tokens)])


def nearest(known: Vectors, wanted: np.ndarray, count: int = 8, without: Sequence[str] = ()) -> list[tuple[str, float]]:
    """The words whose vectors have the largest cosine with `wanted` [E], and that cosine.

    Args:
      known: to choose from.
      wanted: [E].
      count: how many.
      without: words to leave out.
    """
    cosines = known.unit @ (wanted / max(float(np.linalg.norm(wanted)), 1e-12))
    cosines[[known.places[word] for word in without if word in known.places]] = -np.inf
    order = np.argsort(-cosines, kind="stable")[: min(count, len(cosines) - len(set(without)))]
    return [(known.words[place], float(cosines[place])) for place in order]


def neighbours(known: Vectors, word: str, count: int = 8) -> list[tuple[str, float]]:
    """The words nearest to `word`, itself left out. Raises UserError: it has no vector."""
    return nearest(known, known.unit[_place(known, word)], count, [word])


def analogy(known: Vectors, a: str, b: str, c: str, count: int = 8) -> list[tuple[str, float]]:
    """What is to `c` as `b` is to `a`: nearest to b - a + c, of vectors scaled to length 1; the three left out.

    Raises:
      UserError: one of them has no vector.
    """
    before, after, other = (known.unit[_place(known, word)] for word in (a, b, c))
    return nearest(known, after - before + other, count, [a, b, c])


def _place(known: Vectors, word: str) -> int:
    if word not in known.places:
        raise UserError(f"{word!r} has no vector among these {len(known.words):,} words")
    return known.places[word]


def draw(known: Vectors, path: Path) -> dict[str, int]:
    """Write the picture of `relations` into a file, and return what that returns.

    Raises:
      UserError: there is no pair of some relation, or the file cannot be written.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 4), layout="constrained")
    drawn = relations(known, figure)
    try:
        figure.savefig(path, dpi=130)
    except (OSError, ValueError) as error:
        raise UserError(f"--picture={path} cannot be written: {error}") from error
    return drawn


def relations(known: Vectors, figure: Any) -> dict[str, int]:
    """A picture for each of `RELATIONS`: its words in the plane in which they differ most, pairs joined by a line.

    Args:
      known: the vectors.
      figure: of Matplotlib, empty.

    Returns:
      the number of pairs drawn of each; words without a vector are left out.

    Raises:
      UserError: there is no pair of some relation.
    """
    drawn = {}
    for axes, (name, pairs) in zip(figure.subplots(1, len(RELATIONS)), RELATIONS.items(), strict=True):
        pairs = [pair for pair in pairs if all(word in known.places for word in pair)]
        if len(pairs) < 2:
            raise UserError(f"fewer than two pairs of the relation {name} have vectors")
        drawn[name] = len(pairs)
        for (first, second), points in zip(pairs, plane(known, pairs), strict=True):
            axes.plot(*points.T, color="0.6", linewidth=1, zorder=1)
            axes.scatter(*points.T, c=["C0", "C1"], s=16, zorder=2)
            for word, point in zip((first, second), points, strict=True):
                axes.annotate(word, point, xytext=(4, 4), textcoords="offset points", fontsize=9)
        axes.set_title(name)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.margins(0.2)
    return drawn


def plane(known: Vectors, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
    """[pairs, 2, 2]: the first two principal components of the pairs' words, of vectors scaled to length 1."""
    points = np.array([[known.unit[known.places[word]] for word in pair] for pair in pairs])
    flat = points.reshape(2 * len(pairs), -1)
    flat = flat - flat.mean(axis=0)
    _, _, axes = np.linalg.svd(flat, full_matrices=False)
    return (flat @ axes[:2].T).reshape(len(pairs), 2, 2)


def _expanded(text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise UserError(f"{text}: no such home folder") from None


def main(arguments: Sequence[str]) -> None:
    """Print what the flags ask for.

    Raises:
      UserError: the user can mend it.
    """
    if len(arguments) != 1:
        raise UserError(f"give one run's folder or one file of vectors, not {len(arguments)}")
    known = read(_expanded(arguments[0]))
    print(f"{arguments[0]}: {len(known.words):,} words, vectors of {known.table.shape[1]} numbers")
    say = lambda found: ", ".join(f"{word} {cosine:.3f}" for word, cosine in found)
    for word in NEAR.value:
        print(f"{word}: {say(neighbours(known, word, COUNT.value))}")
    for question in ANALOGY.value:
        words = question.split(":")
        if len(words) != 3:
            raise UserError(f"--analogy={question} is not of the form man:king:woman")
        a, b, c = words
        print(f"{b} - {a} + {c}: {say(analogy(known, a, b, c, COUNT.value))}")
    if PICTURE.value:
        drawn = draw(known, _expanded(PICTURE.value))
        print(f"{PICTURE.value}: {', '.join(f'{name}: {pairs} pairs' for name, pairs in drawn.items())}")
    if WRITE.value:
        vectors.write_text(_expanded(WRITE.value), known)
        print(f"written to {WRITE.value}")


def run() -> None:
    """Entry point."""
    run_tool(main, FLAGS, __doc__)


if __name__ == "__main__":
    run()
