"""Files that were sent: photos, zips of photos, and tables that say more about them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ninebrains.images import Limits, read_photo
from ninebrains.photos import Problem
from ninebrains.photos.scanning import head_of
from ninebrains.studio.bringing.items import Item, is_system_file, label_from, shown_name
from ninebrains.studio.bringing.zips import open_zip

_ZIP = (b"PK\x03\x04", b"PK\x05\x06")


@dataclass(frozen=True)
class Upload:
    """A file that was sent.

    Attributes:
        name: as its sender calls it.
        path: where its bytes are, under a name of our own.
    """

    name: str
    path: Path


def open_uploads(
    uploads: Sequence[Upload], limits: Limits, *, folders: bool
) -> Iterator[Item | Problem | None]:
    """What is in the files that were sent, tables aside.

    Args:
        uploads: photos and zips, told apart by their content.
        limits: bytes that a photo may have.
        folders: whether the folder that a photo is in names its label.

    Raises:
        DataError: as `open_zip` does.
    """
    for upload in uploads:
        if head_of(upload.path, 4) in _ZIP:
            yield from open_zip(upload.path, limits, folders=folders)
        elif not is_table(upload):
            yield _photo(upload, limits, folders=folders)


def is_table(upload: Upload) -> bool:
    """Whether a file is a table by its name; what is in it decides whether it is any use."""
    return upload.name.casefold().endswith((".csv", ".tsv"))


def _photo(upload: Upload, limits: Limits, *, folders: bool) -> Item | None:
    name = shown_name(upload.name)
    if is_system_file(name):
        return None
    label, part = label_from(name) if folders else (None, None)
    return Item(name, lambda: read_photo(upload.path, limits), label=label, part=part)
