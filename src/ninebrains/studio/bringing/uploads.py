"""Files that were sent: photos, zips of photos, and tables that say more about them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ninebrains.errors import DataError
from ninebrains.images import Limits, read_photo
from ninebrains.photos import Problem, printable
from ninebrains.photos.scanning import head_of
from ninebrains.studio.bringing.folders import read_columns
from ninebrains.studio.bringing.items import Item, is_system_file, label_from, shown_name
from ninebrains.studio.bringing.zips import open_zip
from ninebrains.studio.store.photos import add_columns

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


def attach_columns(connection: sqlite3.Connection, table: Path) -> tuple[int, int]:
    """Keep what a table knows of photos, found by name; how many were found, and how many not.

    A cell names a photo by its whole name, or by its end where that is clear: `cats/a.jpg` or
    `a.jpg`.

    Raises:
        DataError: it is no such table.
    """
    columns = read_columns(table)
    rows = connection.execute("SELECT id, name FROM photos WHERE gone = 0").fetchall()
    names = _by_ending((row["id"], row["name"]) for row in rows)
    num_found = 0
    for path, values in columns.items():
        number = names.get(printable(path))
        if number is not None and values:
            add_columns(connection, number, values)
            num_found += 1
    if not num_found:
        raise DataError(
            f"none of the {len(columns):,} paths in the table is the name of a photo here; the "
            "column path names photos as they are called on the page"
        )
    return num_found, len(columns) - num_found


def _by_ending(photos: Iterable[tuple[int, str]]) -> dict[str, int | None]:
    """Numbers by name and by every ending of it; None where an ending is that of several."""
    found: dict[str, int | None] = {}
    for number, name in photos:
        parts = name.split("/")
        for start in range(len(parts)):
            ending = "/".join(parts[start:])
            found[ending] = None if ending in found and start else number
    return found
