"""Labelling as steps, each with its way back: undo and redo in any number, also after a restart.

A change says what photos and labels shall be; what they were is read when it is made, so every kind
of step is undone by the same few lines.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ninebrains.studio.store.settings import next_revision, revision_of

Group = tuple[int | None, tuple[int, ...]]
"""A label (None for none) and the photos that have it."""

_FIELDS = ("name", "color", "position", "removed")


@dataclass(frozen=True)
class Change:
    """What photos and labels shall be.

    Attributes:
        photos: which photos get which label.
        gone: which photos are taken out of the project (1), or put back (0).
        confirmed: which photos somebody has looked at and found a label right for.
        labels: fields of labels by their id; any of name, color, position, removed.
    """

    photos: tuple[Group, ...] = ()
    gone: tuple[tuple[int, tuple[int, ...]], ...] = ()
    confirmed: tuple[Group, ...] = ()
    labels: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def ids(self) -> list[int]:
        """Of all photos that it is about."""
        return [photo for _, ids in (*self.photos, *self.gone) for photo in ids]

    def to_json(self) -> str:
        """As text, to be kept."""
        return json.dumps(
            {
                "photos": self.photos,
                "gone": self.gone,
                "confirmed": self.confirmed,
                "labels": self.labels,
            }
        )

    @classmethod
    def from_json(cls, text: str) -> Change:
        """Undo `to_json`."""
        plain = json.loads(text)
        return cls(
            tuple((label, tuple(ids)) for label, ids in plain["photos"]),
            tuple((state, tuple(ids)) for state, ids in plain["gone"]),
            tuple((label, tuple(ids)) for label, ids in plain["confirmed"]),
            {int(key): value for key, value in plain["labels"].items()},
        )


@dataclass(frozen=True)
class Done:
    """What a step has changed.

    Attributes:
        revision: of the project now.
        ids: of the photos that changed.
        labels: what they have now, 0 for none.
        undo: what undoing would take back, or None.
        redo: what redoing would do again, or None.
        has_structure: whether labels or the set of photos changed too.
    """

    revision: int
    ids: Sequence[int]
    labels: Sequence[int]
    undo: str | None
    redo: str | None
    has_structure: bool

    def plain(self) -> dict[str, Any]:
        """For the page."""
        return {
            "revision": self.revision,
            "changed": {"ids": self.ids, "labels": self.labels},
            "structure": self.has_structure,
            "undo": self.undo,
            "redo": self.redo,
        }


def take_step(connection: sqlite3.Connection, kind: str, told: str, change: Change) -> Done:
    """Make a change that can be undone; what was undone before cannot be redone any more.

    Args:
        connection: in a transaction.
        kind: such as `label` or `merge`.
        told: what it does, in words, such as "label 3 photos cat".
        change: what shall be.
    """
    backward = _reverse(connection, change)
    connection.execute("DELETE FROM steps WHERE undone = 1")
    connection.execute(
        "INSERT INTO steps (at, kind, told, num_photos, forward, backward) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        (time.time(), kind, told, len(change.ids), change.to_json(), backward.to_json()),
    )
    return _apply(connection, change)


def extend_step(
    connection: sqlite3.Connection, step: int | None, kind: str, told: str, change: Change
) -> int:
    """Add to a step of many parts, such as an import; return its id.

    Where something else was done since, or it was undone, the change becomes a step of its own.
    """
    last = connection.execute("SELECT * FROM steps ORDER BY id DESC LIMIT 1").fetchone()
    if step is None or last is None or last["id"] != step or last["undone"]:
        take_step(connection, kind, told, change)
        return int(connection.execute("SELECT MAX(id) FROM steps").fetchone()[0])
    backward = _reverse(connection, change)
    forward = _joined(Change.from_json(last["forward"]), change)
    backward = _joined(Change.from_json(last["backward"]), backward)
    connection.execute(
        "UPDATE steps SET told = ?, num_photos = ?, forward = ?, backward = ? WHERE id = ?",
        (told, len(forward.ids), forward.to_json(), backward.to_json(), step),
    )
    _apply(connection, change)
    return step


def undo(connection: sqlite3.Connection) -> Done | None:
    """Take the last step back; None where there is none."""
    row = connection.execute(
        "SELECT * FROM steps WHERE undone = 0 ORDER BY id DESC LIMIT 1"
    ).fetchone()
    if row is None:
        return None
    connection.execute("UPDATE steps SET undone = 1 WHERE id = ?", (row["id"],))
    return _apply(connection, Change.from_json(row["backward"]))


def redo(connection: sqlite3.Connection) -> Done | None:
    """Do the step again that was undone last; None where there is none."""
    row = connection.execute("SELECT * FROM steps WHERE undone = 1 ORDER BY id LIMIT 1").fetchone()
    if row is None:
        return None
    connection.execute("UPDATE steps SET undone = 0 WHERE id = ?", (row["id"],))
    return _apply(connection, Change.from_json(row["forward"]))


def next_words(connection: sqlite3.Connection) -> tuple[str | None, str | None]:
    """What undo would take back, and redo do again, in words."""
    last = connection.execute(
        "SELECT told FROM steps WHERE undone = 0 ORDER BY id DESC LIMIT 1"
    ).fetchone()
    first = connection.execute("SELECT told FROM steps WHERE undone = 1 ORDER BY id").fetchone()
    return (last and last[0]), (first and first[0])


def nothing_done(connection: sqlite3.Connection) -> Done:
    """The answer where there was nothing to do."""
    return Done(revision_of(connection), [], [], *next_words(connection), has_structure=False)


def _reverse(connection: sqlite3.Connection, change: Change) -> Change:
    """What photos and labels are before a change of them."""
    labels = {}
    for label, fields in change.labels.items():
        row = connection.execute("SELECT * FROM labels WHERE id = ?", (label,)).fetchone()
        labels[label] = {name: row[name] for name in fields}
    return Change(
        _grouped(connection, "label", [one for _, ids in change.photos for one in ids]),
        _grouped(connection, "gone", [one for _, ids in change.gone for one in ids]),  # type: ignore[arg-type]
        _grouped(connection, "confirmed", [one for _, ids in change.confirmed for one in ids]),
        labels,
    )


def _grouped(connection: sqlite3.Connection, column: str, ids: Iterable[int]) -> tuple[Group, ...]:
    """Photos by what they have in a column."""
    groups: dict[int | None, list[int]] = {}
    for photo in ids:
        row = connection.execute(
            f"SELECT {column} FROM photos WHERE id = ?",  # noqa: S608 - one of the names above
            (photo,),
        ).fetchone()
        groups.setdefault(row[0], []).append(photo)
    return tuple((value, tuple(some)) for value, some in groups.items())


def _apply(connection: sqlite3.Connection, change: Change) -> Done:
    for label, fields in change.labels.items():
        for name, value in fields.items():
            assert name in _FIELDS
            connection.execute(
                f"UPDATE labels SET {name} = ? WHERE id = ?",  # noqa: S608 - checked above
                (value, label),
            )
    for state, ids in change.gone:
        connection.executemany(
            "UPDATE photos SET gone = ? WHERE id = ?", [(state, photo) for photo in ids]
        )
    for group, ids in change.confirmed:
        connection.executemany(
            "UPDATE photos SET confirmed = ? WHERE id = ?", [(group, photo) for photo in ids]
        )
    for group, ids in change.photos:
        connection.executemany(
            "UPDATE photos SET label = ? WHERE id = ?", [(group, photo) for photo in ids]
        )
    changed = [(photo, group or 0) for group, ids in change.photos for photo in ids]
    return Done(
        next_revision(connection),
        [photo for photo, _ in changed],
        [label for _, label in changed],
        *next_words(connection),
        has_structure=bool(change.labels or change.gone),
    )


def _joined(one: Change, other: Change) -> Change:
    groups: dict[int | None, list[int]] = {}
    for label, ids in (*one.photos, *other.photos):
        groups.setdefault(label, []).extend(ids)
    return Change(
        tuple((label, tuple(ids)) for label, ids in groups.items()),
        (*one.gone, *other.gone),
        (*one.confirmed, *other.confirmed),
        # The first state of a label is what undoing goes back to, the last what redoing leads to;
        # a part touches a label once, when it makes it.
        {**other.labels, **one.labels},
    )
