"""English sentences and their Spanish translations, from Tatoeba through manythings.org/anki: 118,964 pairs.

Many sentences have several translations: 102,904 are distinct. Two ways to split them, 70 / 15 / 15 %:

* `sentence`: all the translations of a sentence are in one part, so that no test sentence has been trained on;
* `book`: the pairs at random, as chapter 11 of *Deep Learning with Python* (2nd edition) and Keras's example do it:
  18 % of the test pairs' English sentences stand in the training part too.
"""

import dataclasses
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from seqjax.data.download import check_zip
from seqjax.data.text import aligned_files, sentences, toy_language
from seqjax.data.text.pairs import Pairs, Read
from seqjax.errors import UserError

ADDRESS = "http://storage.googleapis.com/download.tensorflow.org/data/spa-eng.zip"
MEMBER = "spa-eng/spa.txt"
HELD_OUT = 0.15
"""For validation, and as much for the test."""


@dataclasses.dataclass(frozen=True)
class SpaEng(Pairs):
    """A `Source` of English sentences and their translations, or of generated ones."""

    split: Literal["sentence", "book"] = "sentence"
    split_seed: int = 0

    def read(self, data: str, data_dir: Path) -> tuple[str, Read]:
        """See `Pairs.read`. Looks for `spa-eng.zip` or `spa.txt` in `data_dir/spa-eng` and `data_dir`."""
        if data == "sample":
            return "generated sentences, not spa-eng", toy_language.parts(turned=True)
        path = aligned_files.find(data_dir, "spa-eng", ("spa-eng.zip", "spa.txt", "spa.txt.gz"), ADDRESS, check_zip)
        pairs = []
        for number, line in enumerate(aligned_files.lines(path, MEMBER), 1):
            fields = line.split("\t")
            if len(fields) < 2:  # newer files have a third, where the sentence comes from
                raise UserError(f"{path}, line {number}: no tab between a sentence and its translation")
            pairs.append((fields[0], fields[1]))
        read = by_sentence(pairs, self.split_seed) if self.split == "sentence" else by_pair(pairs, self.split_seed)
        return f"spa-eng, split by {'sentence' if self.split == 'sentence' else 'pair'}", read


def by_pair(pairs: Sequence[tuple[str, str]], seed: int) -> Read:
    """The book's: pairs shuffled, the first 70 % for training, 15 % for validation, 15 % for the test."""
    shuffled = list(pairs)
    random.Random(seed).shuffle(shuffled)
    held = int(HELD_OUT * len(shuffled))
    train = len(shuffled) - 2 * held
    return {
        "train": shuffled[:train],
        "validation": shuffled[train : train + held],
        "test": shuffled[train + held :],
    }


def by_sentence(pairs: Sequence[tuple[str, str]], seed: int) -> Read:
    """As `by_pair`, of the distinct sources; those that differ in case or spaces are one."""
    keys = [sentences.standard(source) for source, _ in pairs]
    split = by_pair([(key, "") for key in dict.fromkeys(keys)], seed)
    place = {key: part for part, those in split.items() for key, _ in those}
    found: dict[str, list[tuple[str, str]]] = {part: [] for part in split}
    for key, pair in zip(keys, pairs, strict=True):
        found[place[key]].append(pair)
    return found
