"""The SMS Spam Collection (Almeida, Hidalgo and Yamakami, 2011): 4,827 wanted messages and 747 others.

A collection of `labelled`: a line is `label`, a tab, the message; quotes are part of it. There is no official split,
and many a message is sent again and again with another number to call: a fifth of each class is drawn for test, one of
the rest for validation, and near-duplicates (`splits.key`) stay in one part.
"""

import dataclasses
import zipfile
from collections import Counter
from pathlib import Path

from seqjax.data import packed
from seqjax.data.decoding import utf8
from seqjax.data.download import check_zip, download
from seqjax.data.text import splits
from seqjax.data.text.labelled import Examples
from seqjax.errors import UserError

ADDRESS = "https://archive.ics.uci.edu/static/public/228/sms+spam+collection.zip"
MEMBER, ARCHIVE = "SMSSpamCollection", "sms+spam+collection.zip"
NAMES = (MEMBER, f"{MEMBER}.tsv", f"{MEMBER}.gz", f"{MEMBER}.tsv.gz")
LABELS = ("ham", "spam")


@dataclasses.dataclass(frozen=True)
class SmsMessages:
    """A `Collection`."""

    def form(self) -> dict[str, str]:
        """See `Collection`."""
        return {"column": "text", "encoding": "", "delimiter": "", "quotes": "double"}

    def examples(self, data_dir: Path) -> tuple[Examples, str]:
        """See `Collection`: from `data_dir` or `data_dir/sms_spam`, packed or not, otherwise downloaded to the latter.

        Raises:
          UserError: missing, damaged, or a line that is no message.
        """
        data, name = _content(data_dir)
        labels, texts = [], []
        for number, line in enumerate(utf8(data, name).decode().split("\n"), 1):
            label, tab, text = line.partition("\t")
            if not line.strip():
                continue
            if label not in LABELS or not tab or not text.strip():
                raise UserError(f"{name}: row {number}: {line[:40]!r} is not `ham` or `spam`, a tab, and a message")
            labels.append(label)
            texts.append(text.strip())
        equal = sum(Counter(texts).values()) - len(set(texts))
        alike = len(texts) - len(set(map(splits.key, texts)))
        note = (
            f"{equal:,} messages repeat another to the letter and {alike - equal:,} nearly: all of a kind in one part"
        )
        return Examples(texts, labels, None, (note,)), "SMS messages"


def _content(data_dir: Path) -> tuple[bytes, str]:
    """-> (the lines, what to call the file)."""
    for folder in (data_dir, data_dir / "sms_spam"):
        for name in NAMES:
            if (folder / name).is_file():
                return packed.unpacked((folder / name).read_bytes(), str(folder / name)), str(folder / name)
    path = download(ADDRESS, data_dir / "sms_spam" / ARCHIVE, check=check_zip)
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.read(MEMBER), f"{path}, {MEMBER}"
    except (KeyError, OSError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} holds no {MEMBER} ({error})") from error
