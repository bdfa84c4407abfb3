"""Tables that say more about photos that are in the project: columns, for slices and search."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ninebrains.errors import DataError
from ninebrains.photos import printable
from ninebrains.studio.bringing.folders import read_columns
from ninebrains.studio.events import Events
from ninebrains.studio.store.database import Database
from ninebrains.studio.store.photos import add_columns
from ninebrains.studio.store.settings import next_revision


@dataclass(frozen=True)
class Described:
    """What came of a table.

    Attributes:
        found: how many of its rows named a photo, which has its columns now.
        missed: how many named none.
    """

    found: int
    missed: int


def describe(
    database: Database, events: Events, table: Path, *, folder: Path | None = None
) -> Described:
    """Keep what a table knows of photos of the project, and tell the pages.

    Args:
        database: the project's index.
        events: told that there are columns.
        table: a CSV file with a column `path` (or file, filename, name, image, photo) and others.
        folder: that its paths are relative to, where it lies beside photos.

    Raises:
        DataError: it is no such table, or none of its rows names a photo.
    """
    with database.writing() as connection:
        told = attach_columns(connection, table, folder)
        revision = next_revision(connection)
    events.tell("revision", revision=revision, changed={"ids": [], "labels": []}, structure=True)
    return told


def attach_columns(
    connection: sqlite3.Connection, table: Path, folder: Path | None = None
) -> Described:
    """Keep what a table knows of photos; see `describe`, and `_Names` for how they are named.

    Raises:
        DataError: it is no such table, or none of its rows names a photo.
    """
    rows = read_columns(table)
    names, num_found = _Names.of(connection, folder), 0
    for path, values in rows.items():
        number = names.find(path)
        if number is not None:
            num_found += 1
            if values:
                add_columns(connection, number, values)
    if not num_found:
        raise DataError(
            f"none of the {len(rows):,} rows of the table names a photo of this project; its "
            "column path holds their names as they are on the page, or their paths. To add photos "
            "with it, it has to lie beside them, with the columns path,label."
        )
    return Described(num_found, len(rows) - num_found)


@dataclass(frozen=True)
class _Names:
    """What photos may be called in a table; None for what several are called.

    A cell is the whole name of a photo, or the path of a file in place, or an end of its name such
    as `a.jpg` of `cats/a.jpg`; or its own end is the whole name of a photo.
    """

    whole: Mapping[str, int | None]
    endings: Mapping[str, int | None]
    folder: Path | None

    @classmethod
    def of(cls, connection: sqlite3.Connection, folder: Path | None) -> _Names:
        rows = connection.execute("SELECT id, name, path, is_copy FROM photos WHERE gone = 0")
        whole: list[tuple[str, int]] = []
        endings: list[tuple[str, int]] = []
        for row in rows:
            whole.append((row["name"], row["id"]))
            if not row["is_copy"]:
                whole.append((_slashed(os.fsdecode(row["path"])), row["id"]))
            endings += ((ending, row["id"]) for ending in _endings(row["name"]))
        return cls(_unique(whole), _unique(endings), folder)

    def find(self, cell: str) -> int | None:
        """The number of the photo that a cell names, if that is clear."""
        if self.folder is not None:
            beside = self.whole.get(_slashed(os.path.normpath(self.folder / cell)))
            if beside is not None:
                return beside
        name = printable(cell)
        for known in (self.whole, self.endings):
            if name in known:
                return known[name]
        ends = (self.whole[end] for end in _endings(name) if end in self.whole)
        return next(ends, None)


def _slashed(path: str) -> str:
    return path.replace(os.sep, "/")


def _endings(name: str) -> list[str]:
    """The ends of a path but itself, the longest first."""
    parts = name.split("/")
    return ["/".join(parts[start:]) for start in range(1, len(parts))]


def _unique(pairs: Iterable[tuple[str, int]]) -> dict[str, int | None]:
    found: dict[str, int | None] = {}
    for name, number in pairs:
        found[name] = number if found.get(name, number) == number else None
    return found
