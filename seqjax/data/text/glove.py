"""GloVe 6B (Pennington, Socher and Manning, 2014): the file of its vectors, found or downloaded.

The publisher's archive of 822 MB holds four sizes; only the one asked for is taken out.
"""

import os
import shutil
import tempfile
import zipfile
from pathlib import Path

from seqjax.data.download import check_zip, download
from seqjax.errors import UserError

ADDRESSES = ("https://nlp.stanford.edu/data/glove.6B.zip", "https://downloads.cs.stanford.edu/nlp/data/glove.6B.zip")
SIZES = (50, 100, 200, 300)


def find(data_dir: Path, size: int) -> Path | None:
    """The vectors of `size` numbers in `data_dir` or `data_dir/glove`, the whole file before an extract of it."""
    whole = [f"glove.6B.{size}d.txt", f"glove.6B.{size}d.txt.gz"]
    for folder in (data_dir, data_dir / "glove"):
        extracts = sorted(folder.glob(f"glove.6B.{size}d.*.txt*"))
        for path in (*(folder / name for name in whole), *extracts):
            if path.is_file():
                return path
    return None


def download_vectors(data_dir: Path, size: int) -> Path:
    """Fetch the archive, unless it is there, and take the vectors of `size` numbers out of it.

    Raises:
      UserError: no such size, no network, a damaged archive, or no room.
    """
    if size not in SIZES:
        raise UserError(f"GloVe 6B has vectors of {', '.join(map(str, SIZES))} numbers, not {size}")
    folder = data_dir / "glove"
    archive = download(ADDRESSES, folder / "glove.6B.zip", check=check_zip)
    target = folder / f"glove.6B.{size}d.txt"
    temporary = None
    try:
        handle, temporary = tempfile.mkstemp(prefix=target.stem, suffix=".tmp", dir=folder)
        with os.fdopen(handle, "wb") as out, zipfile.ZipFile(archive) as opened, opened.open(target.name) as member:
            shutil.copyfileobj(member, out, 1 << 20)
        os.replace(temporary, target)
        temporary = None
    except KeyError:
        raise UserError(f"{archive} holds no {target.name}") from None
    except (OSError, zipfile.BadZipFile) as error:
        raise UserError(f"{target}: {getattr(error, 'strerror', None) or error}") from error
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
    return target
