"""A collection of `labelled_series`: files of your own."""

import dataclasses
from pathlib import Path

from seqjax.data.series import series_files
from seqjax.data.series.labelled_series import Examples
from seqjax.data.series.series_files import SeriesForm
from seqjax.errors import UserError

PLAIN = SeriesForm()


@dataclasses.dataclass(frozen=True)
class OwnSeries:
    """A `Collection`."""

    file: str
    """Here or in the data folder."""
    test_file: str = ""
    """By default a part of the former is drawn for test."""
    form: SeriesForm = PLAIN

    def examples(self, data_dir: Path) -> Examples:
        """See `Collection`. Raises UserError: no file, or a malformed one."""
        if not self.file:
            raise UserError("file is missing: --set=file=X_TRAIN.ts, or --data=sample to try")
        train = series_files.read(find(self.file, "file", data_dir), self.form)
        test = None
        if self.test_file:
            test = series_files.read(find(self.test_file, "test_file", data_dir), self.form)
        return Examples(train, test, Path(self.file).name)


def find(file: str, knob: str, data_dir: Path) -> Path:
    """Where a file is. Raises UserError: nowhere."""
    for path in (Path(file).expanduser(), data_dir.expanduser() / file):
        if path.is_file():
            return path
    raise UserError(f"{knob}={file} is neither here nor in {data_dir}")
