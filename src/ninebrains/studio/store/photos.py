"""The photos of a project in its index: put in, look up, count."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ninebrains.errors import MissingError
from ninebrains.photos import printable

Part = Literal["train", "test"]

_TEST_EVERY = 5
_LONGEST_NAME = 300


@dataclass(frozen=True)
class NewPhoto:
    """A photo that is about to be put into the index.

    Attributes:
        sha256: of the file's bytes (hex).
        path: of the file: relative to the project for a copy, else absolute.
        is_copy: whether the project has the file for itself.
        name: for people; may hold anything.
        source: where it came from, such as a folder or `webcam`.
        format: as in `images.PhotoInfo`.
        width: upright, in pixels.
        height: likewise.
        num_bytes: of the file.
        part: train or test, where the people who made the data set said so.
        columns: what else is known of it, for slices.
        modified: when a file in place was last written, in nanoseconds since 1970.
    """

    sha256: str
    path: Path
    is_copy: bool
    name: str
    source: str
    format: str
    width: int
    height: int
    num_bytes: int
    part: Part | None = None
    columns: Mapping[str, str] | None = None
    modified: int | None = None


@dataclass(frozen=True)
class Stored:
    """A photo of the project as its index has it; see `NewPhoto`.

    Attributes:
        id: its number.
        file: `NewPhoto.path` as text: of thousands, paths take long to make.
        label: its label's number, or None.
        trouble: why it cannot be read, or None.
        added: when, in seconds since 1970.
    """

    id: int
    sha256: str
    file: str
    is_copy: bool
    name: str
    source: str
    format: str
    width: int
    height: int
    num_bytes: int
    part: Part
    columns: Mapping[str, str]
    label: int | None
    trouble: str | None
    added: float
    modified: int | None = None

    @property
    def path(self) -> Path:
        """Of the file: relative to the project for a copy, else absolute."""
        return Path(self.file)


def part_of(sha256: str) -> Part:
    """The part that a photo is in by its content, for good: every fifth is for measuring alone."""
    return "test" if int(sha256[:12], 16) % _TEST_EVERY == 0 else "train"


def insert_photo(connection: sqlite3.Connection, photo: NewPhoto) -> int:
    """Put a photo that is not there yet into the index; its number."""
    row = connection.execute(
        "INSERT INTO photos (sha256, path, is_copy, name, source, format, width, height, bytes, "
        "added, part, columns, modified) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            photo.sha256,
            os.fsencode(photo.path),
            photo.is_copy,
            printable(photo.name)[-_LONGEST_NAME:],
            printable(photo.source)[-_LONGEST_NAME:],
            photo.format,
            photo.width,
            photo.height,
            photo.num_bytes,
            time.time(),
            photo.part or part_of(photo.sha256),
            json.dumps(photo.columns) if photo.columns else None,
            photo.modified,
        ),
    )
    assert row.lastrowid is not None
    return row.lastrowid


def find_by_content(connection: sqlite3.Connection, sha256: str) -> sqlite3.Row | None:
    """The row (id, label, gone, is_copy, path, trouble) of the photo with this content, or None."""
    found: sqlite3.Row | None = connection.execute(
        "SELECT id, label, gone, is_copy, path, trouble FROM photos WHERE sha256 = ?", (sha256,)
    ).fetchone()
    return found


def find_photo(connection: sqlite3.Connection, photo: int) -> Stored:
    """One photo.

    Raises:
        MissingError: it is not there.
    """
    row = connection.execute("SELECT * FROM photos WHERE id = ? AND gone = 0", (photo,)).fetchone()
    if row is None:
        raise MissingError(f"there is no photo with the number {photo}; reload the page")
    return stored(row)


def stored(row: sqlite3.Row) -> Stored:
    """A whole row of the index as a value."""
    return Stored(
        id=row["id"],
        sha256=row["sha256"],
        file=os.fsdecode(row["path"]),
        is_copy=bool(row["is_copy"]),
        name=row["name"],
        source=row["source"],
        format=row["format"],
        width=row["width"],
        height=row["height"],
        num_bytes=row["bytes"],
        part=row["part"],
        columns=json.loads(row["columns"]) if row["columns"] else {},
        label=row["label"],
        trouble=row["trouble"],
        added=row["added"],
        modified=row["modified"],
    )


def all_photos(connection: sqlite3.Connection, *, only_labelled: bool = False) -> list[Stored]:
    """All readable photos that were not taken out, in the order of their numbers."""
    labelled = "AND label IS NOT NULL" if only_labelled else ""
    rows = connection.execute(
        f"SELECT * FROM photos WHERE gone = 0 AND trouble IS NULL {labelled} ORDER BY id"  # noqa: S608
    )
    return [stored(row) for row in rows]


def photos_in_place(connection: sqlite3.Connection) -> list[Stored]:
    """All photos whose files are not the project's own."""
    rows = connection.execute("SELECT * FROM photos WHERE gone = 0 AND is_copy = 0 ORDER BY id")
    return [stored(row) for row in rows]


def mark_trouble(connection: sqlite3.Connection, photo: Stored, trouble: str | None) -> bool:
    """Keep why a photo cannot be read; whether that is news.

    Where its file is said to be elsewhere by now, what was found at the old place is no news.
    """
    done = connection.execute(
        "UPDATE photos SET trouble = ?1 WHERE id = ?2 AND trouble IS NOT ?1 AND path = ?3",
        (trouble, photo.id, os.fsencode(photo.file)),
    )
    return done.rowcount > 0


def mark_unchanged(connection: sqlite3.Connection, modified: Mapping[int, int]) -> None:
    """Keep when files were written last, whose content is known to be as it was."""
    connection.executemany(
        "UPDATE photos SET modified = ? WHERE id = ?", [(at, one) for one, at in modified.items()]
    )


def move_photo(connection: sqlite3.Connection, photo: int, found: NewPhoto) -> None:
    """Look for a photo where its content was found just now: it may have been moved."""
    connection.execute(
        "UPDATE photos SET path = ?, is_copy = ?, modified = ?, trouble = NULL WHERE id = ?",
        (os.fsencode(found.path), found.is_copy, found.modified, photo),
    )


def add_columns(connection: sqlite3.Connection, photo: int, columns: Mapping[str, str]) -> None:
    """Keep more about a photo, for slices."""
    row = connection.execute("SELECT columns FROM photos WHERE id = ?", (photo,)).fetchone()
    known = json.loads(row[0]) if row and row[0] else {}
    connection.execute(
        "UPDATE photos SET columns = ? WHERE id = ?", (json.dumps({**known, **columns}), photo)
    )


def count_photos(connection: sqlite3.Connection) -> dict[str, int]:
    """How many photos there are, by what the page tells of them."""
    row = connection.execute(
        "SELECT COUNT(*) AS photos, COUNT(label) AS labelled, "
        "SUM(part = 'test' AND label IS NOT NULL AND trouble IS NULL) AS test, "
        "SUM(trouble IS NOT NULL) AS troubled "
        "FROM photos WHERE gone = 0"
    ).fetchone()
    counts = {name: int(row[name] or 0) for name in ("photos", "labelled", "test", "troubled")}
    return {**counts, "unlabelled": counts["photos"] - counts["labelled"]}


def pace_seconds(connection: sqlite3.Connection) -> float | None:
    """Seconds that labelling a photo took of late; None while too little was labelled.

    Pauses count as 20 seconds at most: the estimate is for people at work.
    """
    rows: Sequence[sqlite3.Row] = connection.execute(
        "SELECT at, num_photos FROM steps WHERE undone = 0 AND kind IN ('label', 'accept') "
        "ORDER BY id DESC LIMIT 60"
    ).fetchall()
    if len(rows) < 5:
        return None
    spent = sum(min(20.0, rows[i]["at"] - rows[i + 1]["at"]) for i in range(len(rows) - 1))
    labelled = sum(row["num_photos"] for row in rows[:-1])
    return float(spent / max(1, labelled))


def photo_facts(photo: Stored) -> dict[str, Any]:
    """What the page shows of one photo."""
    return {
        "id": photo.id,
        "name": photo.name,
        "source": photo.source,
        "format": photo.format,
        "width": photo.width,
        "height": photo.height,
        "bytes": photo.num_bytes,
        "part": photo.part,
        "label": photo.label or 0,
        "trouble": photo.trouble,
        "added": photo.added,
        "columns": photo.columns,
        "sha": photo.sha256[:8],
        "sha256": photo.sha256,
    }
