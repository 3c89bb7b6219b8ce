"""Multi30k, task 1 (Elliott et al. 2016): captions of pictures in German and English, 29,000 / 1,014 / 1,000.

The test part is that of 2016. The files are aligned by line.
"""

import dataclasses
from pathlib import Path
from typing import Literal

from seqjax.data.text import aligned_files, toy_language
from seqjax.data.text.pairs import Pairs, Read
from seqjax.errors import UserError

ADDRESS = "https://raw.githubusercontent.com/multi30k/dataset/master/data/task1/raw/"
FILES = {"train": "train", "validation": "val", "test": "test_2016_flickr"}
Language = Literal["de", "en", "fr", "cs"]


@dataclasses.dataclass(frozen=True)
class Multi30k(Pairs):
    """A `Source` of captions, or of generated sentences."""

    source: Language = "de"
    target: Language = "en"

    def read(self, data: str, data_dir: Path) -> tuple[str, Read]:
        """See `Pairs.read`. Looks for `train.de.gz` or `train.de` and so on in `data_dir/multi30k` and `data_dir`."""
        if self.source == self.target:
            raise UserError(f"source={self.source} and target={self.target}: choose two languages")
        if data == "sample":
            return "generated sentences, not Multi30k", toy_language.parts()
        sides = [{part: self._lines(data_dir, part, own) for part in FILES} for own in (self.source, self.target)]
        for part, file in FILES.items():
            if len(sides[0][part]) != len(sides[1][part]):
                counts = " and ".join(f"{len(side[part]):,}" for side in sides)
                raise UserError(f"{file}.{self.source} and {file}.{self.target} are not aligned: {counts} lines")
        read = {part: list(zip(sides[0][part], sides[1][part], strict=True)) for part in FILES}
        return f"Multi30k {self.source}-{self.target}", read

    def _lines(self, data_dir: Path, part: str, language: str) -> list[str]:
        name = f"{FILES[part]}.{language}"
        path = aligned_files.find(
            data_dir, "multi30k", (f"{name}.gz", name), f"{ADDRESS}{name}.gz", aligned_files.check_gzip
        )
        return aligned_files.lines(path)
