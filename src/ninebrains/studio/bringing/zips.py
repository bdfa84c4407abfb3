"""Photos from a zip that may be hostile: read one by one, never unpacked to disk by name."""

from __future__ import annotations

import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from ninebrains.errors import DataError, PhotoError
from ninebrains.images import Limits
from ninebrains.photos import Problem, printable
from ninebrains.studio.bringing.items import Item, is_system_file, label_from, shown_name

MOST_ENTRIES = 200_000
_USUAL_RATIO = 50
_FREE_BYTES = 2**30
_ARCHIVES = (".zip", ".7z", ".rar", ".tar", ".gz", ".tgz")
_BROKEN = (
    *(zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError),
    *(ValueError, UnicodeError, MemoryError),
)


class _Budget:
    """How much may come out of a zip: photos hardly shrink, so far more than went in is no photos.

    A zip whose entries overlap unpacks to far more than any entry says; what is counted is what
    came.
    """

    def __init__(self, zip_bytes: int) -> None:
        self.left = _FREE_BYTES + _USUAL_RATIO * zip_bytes

    def spend(self, num_bytes: int) -> None:
        self.left -= num_bytes
        if self.left < 0:
            raise DataError(
                "the zip unpacks to far more than photos would; what came before is kept. If it "
                "is meant to, unpack it and add the folder."
            )


def open_zip(path: Path, limits: Limits, *, folders: bool) -> Iterator[Item | Problem | None]:
    """What is in a zip, in its order; None for what is passed over without a word.

    Args:
        path: of the zip.
        limits: bytes that a photo may have.
        folders: whether the folder that a photo is in names its label.

    Raises:
        DataError: it is no zip, has too many entries, or unpacks to too much.
    """
    try:
        archive = zipfile.ZipFile(path)
    except _BROKEN as error:
        raise DataError(
            f"the zip cannot be read ({error}). Make it again, or add the photos themselves."
        ) from error
    with archive:
        entries = archive.infolist()
        if len(entries) > MOST_ENTRIES:
            raise DataError(
                f"the zip has {len(entries):,} entries; expected at most {MOST_ENTRIES:,}. Unpack "
                "it and add the folder."
            )
        budget = _Budget(path.stat().st_size)
        for entry in entries:
            yield _look(archive, entry, limits, budget, folders=folders)


def _look(
    archive: zipfile.ZipFile,
    entry: zipfile.ZipInfo,
    limits: Limits,
    budget: _Budget,
    *,
    folders: bool,
) -> Item | Problem | None:
    name = shown_name(entry.filename)
    if entry.is_dir() or is_system_file(name):
        return None
    reason = _why_not(entry, name)
    if reason:
        return Problem(printable(name), reason)
    try:
        # Here and not later: the file is read in one go from its beginning to its end.
        data = _read(archive, entry, limits, budget)
    except PhotoError as error:
        return Problem(printable(name), str(error))
    except _BROKEN as error:
        return Problem(printable(name), f"damaged inside the zip ({error})")
    label, part = label_from(name) if folders else (None, None)
    return Item(name, lambda: data, label=label, part=part, num_bytes=len(data))


def _why_not(entry: zipfile.ZipInfo, name: str) -> str:
    """Why an entry is not even read; empty where it is."""
    if stat.S_ISLNK(entry.external_attr >> 16):
        return "a link, which is not followed"
    if entry.flag_bits & 0x1:
        return "locked with a password; make a zip without one"
    if name.casefold().endswith(_ARCHIVES):
        return "an archive inside a zip is not opened; add it by itself"
    return ""


def _read(
    archive: zipfile.ZipFile, entry: zipfile.ZipInfo, limits: Limits, budget: _Budget
) -> bytes:
    """The bytes of an entry, never more than the limit, whatever it says of itself."""
    with archive.open(entry) as file:
        data = file.read(limits.max_bytes + 1)
    budget.spend(len(data))
    if len(data) > limits.max_bytes:
        raise PhotoError(f"has more than {limits.max_bytes:,} bytes; shrink it")
    return data
