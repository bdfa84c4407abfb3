"""The labels of a project as a table, for whatever comes after the studio."""

from __future__ import annotations

import csv
import io
import os
import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path

from ninebrains.errors import DataError
from ninebrains.places import write_bytes
from ninebrains.studio.folder import Folder
from ninebrains.studio.store.database import Database
from ninebrains.studio.store.labels import list_labels
from ninebrains.studio.store.photos import all_photos

_FIRST = ("path", "label", "split", "name", "sha256")


def write_labels(project: Path, table: Path) -> int:
    """Write a CSV of every labelled photo, as `train` takes it; the project may be open meanwhile.

    Args:
        project: folder of the project.
        table: where to; what is there is replaced.

    Returns:
        How many photos it names.

    Raises:
        DataError: there is no project, or nothing in it has a label.
        OutputError: the table cannot be written.
    """
    folder = Folder(project.expanduser().absolute())
    if not folder.database.is_file():
        raise DataError(f"{project} is no project of the studio; expected a folder with studio.db")
    database = Database(folder.database)
    try:
        with database.reading() as connection:
            from_table = partial(_from, table.absolute().parent)
            data, num_photos = labels_table(connection, folder, from_table)
    finally:
        database.close()
    if not num_photos:
        raise DataError(f"no photo of {project} has a label yet; there is nothing to write")
    write_bytes(table, data)
    return num_photos


def labels_table(
    connection: sqlite3.Connection, folder: Folder, spell: Callable[[Path], str] | None
) -> tuple[bytes, int]:
    """The table as CSV in UTF-8, and how many photos it names.

    Args:
        connection: to the index.
        folder: of the project.
        spell: how the whole path of a photo is written; None to leave paths out.
    """
    names = {label.id: label.name for label in list_labels(connection)}
    photos = all_photos(connection, only_labelled=True)
    known = sorted({column for photo in photos for column in photo.columns} - set(_FIRST))
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    columns = _FIRST if spell else _FIRST[1:]
    writer.writerow([*columns, *known])
    for photo in photos:
        path = [spell(folder.root / photo.path)] if spell else []
        label = names[photo.label or 0]
        more = [photo.columns.get(column, "") for column in known]
        writer.writerow([*path, label, photo.part, photo.name, photo.sha256, *more])
    # Names of files need not be text: surrogates stand for their bytes, as `train` reads them.
    return text.getvalue().encode("utf-8", errors="surrogateescape"), len(photos)


def _from(beside: Path, path: Path) -> str:
    """A path as read from a folder, if it leads into it; else the whole path."""
    return path.relative_to(beside).as_posix() if path.is_relative_to(beside) else os.fspath(path)
