"""Lines of published text files, plain, gzipped or in an archive: found in the data folder or downloaded."""

import gzip
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

from seqjax.data.decoding import not_utf8
from seqjax.data.download import Check, download
from seqjax.errors import UserError


def find(data_dir: Path, folder: str, names: Sequence[str], address: str, check: Check = None) -> Path:
    """The first of `names` in `data_dir/folder` or `data_dir`; else what `address` gives, under its last name there.

    Raises:
      UserError: nowhere, and it cannot be downloaded.
    """
    for place in (data_dir / folder, data_dir):
        for name in names:
            if (place / name).is_file():
                return place / name
    return download(address, data_dir / folder / address.rpartition("/")[2], check=check)


def check_gzip(path: Path) -> None:
    """Read a gzip file against its checksum. Raises ValueError: it is none, or is damaged."""
    try:
        with gzip.open(path) as stream:
            while stream.read(1 << 20):
                pass
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"not a whole gzip file: {error}") from error


def lines(path: Path, member: str | None = None) -> list[str]:
    """The lines of a file: as it is, unpacked from gzip, or a member of a zip archive.

    Raises:
      UserError: it cannot be read, is damaged, or is not UTF-8.
    """
    try:
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                content = archive.read(member or path.stem)
        else:
            content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise not_utf8(str(path), error) from error
    except KeyError:
        raise UserError(f"{path} holds no {member}") from None
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, RuntimeError) as error:
        raise UserError(f"{path} is damaged or cannot be read: {getattr(error, 'strerror', None) or error}") from error
    found = [line.removesuffix("\r") for line in text.split("\n")]
    return found[:-1] if found[-1] == "" else found
