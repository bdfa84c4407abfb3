"""The one way of photos into a project: checked, copied or left in place, put into the index.

Each batch is one transaction. Whoever is killed in between keeps all batches before; the same
photos brought again are known by their content.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ninebrains.errors import DataError, PhotoError
from ninebrains.images import Limits, inspect
from ninebrains.photos import Problem, printable
from ninebrains.places import write_bytes
from ninebrains.studio.bringing.items import Item, Report
from ninebrains.studio.events import Events
from ninebrains.studio.folder import Folder
from ninebrains.studio.jobs import Job
from ninebrains.studio.originals import CHANGED, MISSING
from ninebrains.studio.store.database import Database
from ninebrains.studio.store.labels import clean_name, list_labels, num_photos, prepare_label
from ninebrains.studio.store.photos import (
    NewPhoto,
    add_columns,
    find_by_content,
    insert_photo,
    move_photo,
)
from ninebrains.studio.store.settings import next_revision
from ninebrains.studio.store.steps import Change, Group, extend_step
from ninebrains.workers import map_ahead

_BATCH = 64
_BATCH_BYTES = 64 * 2**20


@dataclass(frozen=True)
class _Seen:
    """A photo that was looked at, and is where it shall be."""

    photo: NewPhoto
    label: str | None


class Intake:
    """Brings items into a project.

    Args:
        folder: of the project.
        database: its index.
        events: told of each batch.
        limits: bytes and pixels that a photo may have.
    """

    def __init__(self, folder: Folder, database: Database, events: Events, limits: Limits) -> None:
        self._folder, self._database, self._events = folder, database, events
        self.limits = limits

    def take(
        self,
        items: Iterable[Item | Problem | None],
        source: str,
        job: Job,
        *,
        label: int | None = None,
        total: int = 0,
    ) -> Report:
        """Bring all items in.

        Args:
            items: what may be photos; None for what is passed over.
            source: where they come from, for people.
            job: told how far it is.
            label: number of a label that all of them get which come without one.
            total: how many items there are, if that is known.

        Raises:
            DataError: as the items do.
        """
        report, step, done = Report(), None, 0
        stream = iter(items)
        while batch := _next_batch(stream):
            found = map_ahead(lambda item: self._see(item, source), batch, ahead=_BATCH)
            seen = [one for one in found if self._usable(one, report)]
            with self._database.writing() as connection:
                num_before = len(report.added)
                step = self._store(connection, seen, label, step, report)  # type: ignore[arg-type]
                revision = next_revision(connection)
            done += len(batch)
            if seen:
                self._events.tell(
                    "revision",
                    revision=revision,
                    changed={"ids": [], "labels": []},
                    structure=True,
                    added=len(report.added) - num_before,
                )
            job.progress(done, max(total, done), "adding")
        return report

    def _see(self, item: Item | Problem | None, source: str) -> _Seen | Problem | None:
        """Look at one item: its content decides, not its name."""
        if not isinstance(item, Item):
            return item
        try:
            modified = None if item.path is None else _modified(item.path)
            data = item.read()
            info = inspect(data, self.limits)
        except PhotoError as error:
            return Problem(printable(item.name), str(error))
        sha256 = hashlib.sha256(data).hexdigest()
        path = item.path
        if path is None:
            path = self._folder.copy_of(sha256, info.format)
            if not (self._folder.root / path).exists():
                write_bytes(self._folder.root / path, data)
        photo = NewPhoto(
            sha256=sha256,
            path=Path(path),
            is_copy=item.path is None,
            name=item.name,
            source=source,
            format=info.format,
            width=info.width,
            height=info.height,
            num_bytes=len(data),
            part=item.part,
            columns=item.columns,
            modified=modified,
        )
        return _Seen(photo, item.label)

    @staticmethod
    def _usable(found: _Seen | Problem | None, report: Report) -> bool:
        if isinstance(found, Problem):
            report.refuse(found)
        elif found is None:
            report.ignored += 1
        return isinstance(found, _Seen)

    def _store(
        self,
        connection: sqlite3.Connection,
        seen: list[_Seen],
        label: int | None,
        step: int | None,
        report: Report,
    ) -> int | None:
        """Put a batch into the index, and give labels in a step that can be undone."""
        names = _Names(connection)
        groups: dict[int, list[int]] = {}
        given: set[int] = set()
        back: list[int] = []
        for one in seen:
            row = find_by_content(connection, one.photo.sha256)
            if row is None:
                number, has_label = insert_photo(connection, one.photo), False
                report.added.append(number)
            else:
                number, has_label = row["id"], row["label"] is not None
                report.known += 1
                if one.photo.columns:
                    add_columns(connection, number, one.photo.columns)
                if _is_lost(row):
                    move_photo(connection, number, one.photo)
                if row["gone"]:
                    back.append(number)
            wanted = names.find(one.label) if one.label is not None else label
            if wanted is not None and not has_label and number not in given:
                groups.setdefault(wanted, []).append(number)
                given.add(number)
        report.labelled += sum(len(some) for some in groups.values())
        photos: tuple[Group, ...] = tuple((key, tuple(ids)) for key, ids in groups.items())
        gone = ((0, tuple(dict.fromkeys(back))),) if back else ()
        if not photos and not gone:
            return step
        change = Change(photos=photos, gone=gone, labels=names.made)
        told = f"the labels that {num_photos(report.labelled)} came with"
        return extend_step(connection, step, "import", told, change)


class _Names:
    """Labels by the names that photos come with; made where they are new."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._known = {one.name.casefold(): one.id for one in list_labels(connection)}
        self.made: dict[int, dict[str, object]] = {}

    def find(self, name: str) -> int | None:
        """The label of a name; None where the name cannot be one."""
        try:
            clean = clean_name(name[:100])
            key = clean.casefold()
            if key not in self._known:
                label = prepare_label(self._connection, clean)
                fields = {"removed": 0, "name": clean, "position": len(self._known)}
                self.made[label] = fields
                self._known[key] = label
        except DataError:
            return None
        return self._known[key]


def _modified(path: Path) -> int | None:
    """When a file was last written; asked before it is read, so that a change meanwhile shows."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None


def _is_lost(row: sqlite3.Row) -> bool:
    """Whether a photo that is known is not where it was when it was added."""
    if row["is_copy"]:
        return False
    return row["trouble"] in (MISSING, CHANGED) or not Path(os.fsdecode(row["path"])).exists()


def _next_batch(stream: Iterator[Item | Problem | None]) -> list[Item | Problem | None]:
    """A few items, fewer where they hold much in memory."""
    batch: list[Item | Problem | None] = []
    num_bytes = 0
    for item in stream:
        batch.append(item)
        num_bytes += item.num_bytes if isinstance(item, Item) else 0
        if len(batch) >= _BATCH or num_bytes >= _BATCH_BYTES:
            break
    return batch
