"""FordA (WCCI 2008, in the UCR archive): the noise of an engine with or without a fault, 500 steps; 3,601 + 1,320.

A collection of `labelled_series`. The archive (Dau et al. 2018, timeseriesclassification.com) is a zip with FordA's
files in it as .ts, .txt and .arff; all are read. Where there is none in the data folder, that zip is downloaded.
"""

import dataclasses
import zipfile
from pathlib import Path

from seqjax.data.download import check_zip, download
from seqjax.data.series import series_files
from seqjax.data.series.labelled_series import Examples
from seqjax.data.series.series_files import SeriesForm
from seqjax.errors import UserError

ADDRESS = "https://timeseriesclassification.com/aeon-toolkit/FordA.zip"
ARCHIVE = "FordA.zip"
KINDS = ("tsv", "ts", "txt", "arff")
PACKED = ("", ".xz", ".gz")
PLAIN = SeriesForm()
SIZES = {"TRAIN": 3601, "TEST": 1320}


@dataclasses.dataclass(frozen=True)
class FordA:
    """A `Collection`."""

    form: SeriesForm = PLAIN

    def examples(self, data_dir: Path) -> Examples:
        """See `Collection`: from `data_dir`, its `ucr` or `ucr/FordA`, otherwise downloaded to `data_dir/ucr`.

        Raises:
          UserError: missing, damaged, or of another number of series than the archive's.
        """
        train, test = (self._read(data_dir, part) for part in SIZES)
        return Examples(train, test, "FordA")

    def _read(self, data_dir: Path, part: str):
        path = _find(data_dir, part)
        if path is not None:
            found, name = series_files.read(path, self.form), str(path)
        else:
            archive = download(ADDRESS, data_dir / "ucr" / ARCHIVE, check=check_zip)
            member = f"FordA_{part}.ts"
            name = f"{archive}, {member}"
            try:
                with zipfile.ZipFile(archive) as opened:
                    found = series_files.parse(opened.read(member), name, self.form)
            except (KeyError, OSError, zipfile.BadZipFile) as error:
                raise UserError(f"{archive} holds no {member} ({error})") from error
        if len(found.values) != SIZES[part]:
            raise UserError(f"{name}: {len(found.values):,} series, not the {SIZES[part]:,} of FordA")
        return found


def _find(data_dir: Path, part: str) -> Path | None:
    folders = (data_dir, data_dir / "ucr", data_dir / "ucr" / "FordA")
    names = [f"FordA_{part}.{kind}{mark}" for kind in KINDS for mark in PACKED]
    return next((folder / name for folder in folders for name in names if (folder / name).is_file()), None)
