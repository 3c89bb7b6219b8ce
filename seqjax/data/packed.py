"""What a packed file holds, whatever it is called: its first bytes say how it is packed."""

import bz2
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable

from seqjax.errors import UserError

TABLES = (".csv", ".tsv", ".txt", ".parquet")
"""What may lie in a zip."""


def unpacked(data: bytes, name: str) -> bytes:
    """The content of gzip, zip, bzip2, xz or zstandard; anything else as it is.

    Args:
      data: of the file.
      name: what messages call it.

    Raises:
      UserError: damaged, truncated, or a zip that does not hold exactly one table.
    """
    unpack = _unpacker(data)
    if unpack is None:
        return data
    try:
        return unpack(data)
    except UserError as error:
        raise UserError(f"{name}: {error}") from None
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError, RuntimeError) as error:
        # RuntimeError: an encrypted archive, or (NotImplementedError) an unknown kind of compression
        raise UserError(
            f"{name}: the archive is damaged or truncated ({error}): put a whole one in its place"
        ) from error


def _unpacker(data: bytes) -> Callable[[bytes], bytes] | None:
    if data.startswith(b"\x1f\x8b"):
        return gzip.decompress
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _unzipped
    if data.startswith(b"BZh") and data[4:10] in (b"1AY&SY", b"\x17rE8P\x90"):  # the latter: of nothing
        return bz2.decompress
    if data.startswith(b"\xfd7zXZ\x00"):
        return lzma.decompress
    if data.startswith(b"\x28\xb5\x2f\xfd"):
        return _unzstd
    return None


def _unzipped(data: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        listed = archive.namelist()
        if "[Content_Types].xml" in listed:
            raise UserError("this is a workbook, not a table of text: save it as CSV")
        names = [name for name in listed if not name.endswith("/") and "__MACOSX" not in name]
        for suffix in TABLES:
            found = [name for name in names if name.lower().endswith(suffix)]
            if len(found) == 1:
                return archive.read(found[0])
            if found:
                break
        raise UserError(f"one .csv is expected in the archive, not {len(found)}: {str(listed)[:200]}")


def _unzstd(data: bytes) -> bytes:
    import pyarrow as pa

    with pa.input_stream(pa.BufferReader(data), compression="zstd") as stream:
        return stream.read()
