"""Photos that stay where they are: whether they still are there, and what they were when added.

A label, features and a small picture belong to the bytes that were added, by their SHA-256. A file
that has gone or become another since is marked, and left out of everything until it is back.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ninebrains.errors import NinebrainsError, PhotoError
from ninebrains.images import Limits, read_photo
from ninebrains.studio.events import Events
from ninebrains.studio.store.database import Database
from ninebrains.studio.store.photos import (
    Stored,
    mark_trouble,
    mark_unchanged,
    photos_in_place,
)
from ninebrains.studio.store.settings import next_revision

MISSING = "the file is not where it was; put it back there, or take the photo out of the project"
CHANGED = "the file has changed since it was added; add the folder again to take in the new photo"

LOOK_SECONDS = 60.0
_MOST_OF_TIME = 0.05
_log = logging.getLogger("ninebrains.studio")


def read_original(root: Path, photo: Stored, limits: Limits) -> bytes:
    """The bytes of a photo's file, which are those that were added.

    Raises:
        PhotoError: they are not (`MISSING`, `CHANGED`), or cannot be read.
    """
    path = root / photo.path
    try:
        data = read_photo(path, limits)
    except PhotoError as error:
        if not photo.is_copy and not path.exists():
            raise PhotoError(MISSING) from error
        raise
    if not photo.is_copy and hashlib.sha256(data).hexdigest() != photo.sha256:
        raise PhotoError(CHANGED)
    return data


class Troubles:
    """Keeps why photos cannot be used, and tells who has to know.

    Args:
        database: the project's index.
        events: told that the set of photos has changed.
        changed: called after that, for whoever learns from them.
    """

    def __init__(
        self, database: Database, events: Events, changed: Callable[[], None] = lambda: None
    ) -> None:
        self._database, self._events, self.changed = database, events, changed

    def note(self, found: Sequence[tuple[Stored, str | None]], *, is_told: bool = True) -> None:
        """Keep what is wrong with photos, None for nothing any more.

        Args:
            found: photos as they were when somebody looked, and a reason for each.
            is_told: whether whoever learns is to be told as well.
        """
        if not found:
            return
        with self._database.writing() as connection:
            num = sum(mark_trouble(connection, *one) for one in found)
            revision = next_revision(connection) if num else 0
        if not num:
            return
        self._events.tell(
            "revision", revision=revision, changed={"ids": [], "labels": []}, structure=True
        )
        if is_told:
            self.changed()


class Watch:
    """Looks after photos in place: at the start and every minute or so, from size and time alone.

    Only where those differ from what they were, a file is read and its bytes decide. A look at
    20,000 files takes a fraction of a second; on a slow drive it comes so seldom that it takes a
    twentieth of the time.

    Args:
        root: of the project.
        database: its index.
        troubles: told what was found.
        limits: bytes and pixels that a photo may have.
    """

    def __init__(self, root: Path, database: Database, troubles: Troubles, limits: Limits) -> None:
        self._root, self._database, self._troubles = root, database, troubles
        self._limits = limits
        self._changed: dict[int, int] = {}
        self._wake = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="studio-watch", daemon=True)

    def start(self) -> None:
        """Begin with a look at all of them."""
        self._thread.start()

    def wake(self) -> None:
        """Look soon."""
        self._wake.set()

    def close(self) -> None:
        """Stop after the photo at hand."""
        self._closing = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout=30.0)

    def look(self) -> None:
        """Look at every photo once, and mark what is wrong or is right again.

        Raises:
            OutputError: it cannot be kept.
        """
        with self._database.reading() as connection:
            photos = photos_in_place(connection)
        found: list[tuple[Stored, str | None]] = []
        seen: dict[int, int] = {}
        for photo in photos:
            if self._closing:
                break
            trouble, modified = self._check(photo)
            if trouble != photo.trouble and photo.trouble in (None, MISSING, CHANGED):
                found.append((photo, trouble))
            if modified is not None and modified != photo.modified:
                seen[photo.id] = modified
        if seen:
            with self._database.writing() as connection:
                mark_unchanged(connection, seen)
        self._troubles.note(found)

    def _check(self, photo: Stored) -> tuple[str | None, int | None]:
        """What is wrong with a photo; and if nothing is, when its file was last written."""
        try:
            status = (self._root / photo.path).stat()
        except (OSError, ValueError):
            return MISSING, None
        modified = status.st_mtime_ns
        if status.st_size != photo.num_bytes or self._changed.get(photo.id) == modified:
            return CHANGED, None
        if photo.modified in (None, modified):  # None: of an index that did not keep it
            return None, modified
        trouble = self._read(photo)
        if trouble == CHANGED:
            self._changed[photo.id] = modified  # so that it is not read again each time
        return trouble, modified if trouble is None else None

    def _read(self, photo: Stored) -> str | None:
        try:
            read_original(self._root, photo, self._limits)
        except PhotoError as error:
            return str(error)
        return None

    def _run(self) -> None:
        while not self._closing:
            began = time.monotonic()
            try:
                self.look()
            except NinebrainsError as error:  # such as a full disk: tried again later
                _log.warning("photos in place could not be looked after: %s", error)
            spent = time.monotonic() - began
            self._wake.wait(max(LOOK_SECONDS, spent / _MOST_OF_TIME))
            self._wake.clear()


def reasons(photos: Sequence[Stored], root: Path, found: Mapping[int, str]) -> dict[int, str]:
    """Why photos cannot be used, in our words where their files have gone."""
    gone = {one.id for one in photos if not one.is_copy and not (root / one.path).exists()}
    return {number: MISSING if number in gone else reason for number, reason in found.items()}
