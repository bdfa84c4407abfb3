"""Small pictures of all photos, made once: in the background, or at once where one is asked for."""

from __future__ import annotations

import io
import threading
import time
from pathlib import Path

from ninebrains.errors import NinebrainsError, OutputError, PhotoError
from ninebrains.explaining import thumbnail
from ninebrains.images import Limits
from ninebrains.places import replacing
from ninebrains.studio.events import Events
from ninebrains.studio.folder import Folder
from ninebrains.studio.originals import Troubles, read_original
from ninebrains.studio.store.database import Database
from ninebrains.studio.store.photos import Stored, stored

SIDE = 256
_QUALITY = 82
_AT_ONCE = 2
_TELL_SECONDS = 0.5


class Thumbnails:
    """Makes what is missing, in a thread of its own that waits while others are busy.

    Args:
        folder: of the project.
        database: its index.
        events: told how far it is.
        limits: bytes and pixels that a photo may have.
        troubles: told which photos cannot be read.
    """

    def __init__(
        self,
        folder: Folder,
        database: Database,
        events: Events,
        limits: Limits,
        troubles: Troubles,
    ) -> None:
        self._folder, self._database, self._events = folder, database, events
        self._troubles = troubles
        self._limits = limits
        self._wake = threading.Event()
        self._room = threading.Semaphore(_AT_ONCE)
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="studio-thumbnails", daemon=True)

    def start(self) -> None:
        """Begin with what is missing from before."""
        self._thread.start()
        self._wake.set()

    def wake(self) -> None:
        """Look for new photos."""
        self._wake.set()

    def close(self) -> None:
        """Stop after the photo at hand."""
        self._closing = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout=30.0)

    def find(self, photo: Stored) -> Path:
        """The file of a photo's small picture, made now where it is missing.

        Raises:
            PhotoError: the photo cannot be read; that is marked.
        """
        path = self._folder.thumbnail_of(photo.sha256)
        if not path.exists():
            try:
                self._make(photo, path)
            except PhotoError as error:
                self._troubles.note([(photo, str(error))])
                raise
            if photo.trouble is not None:
                self._troubles.note([(photo, None)])
        return path

    def _make(self, photo: Stored, path: Path) -> None:
        with self._room:  # a large photo takes hundreds of megabytes while it is made small
            data = read_original(self._folder.root, photo, self._limits)
            image = thumbnail(data, SIDE)
        file = io.BytesIO()
        image.save(file, "JPEG", quality=_QUALITY)
        with replacing(path) as target:
            target.write(file.getvalue())

    def _run(self) -> None:
        done_to = 0
        while not self._closing:
            self._wake.wait()
            self._wake.clear()
            try:
                done_to = self._catch_up(done_to)
            except NinebrainsError as error:  # such as a full disk: told, and tried again later
                self._events.tell("thumbs", done=0, total=0, error=str(error))
                time.sleep(5.0)

    def _catch_up(self, done_to: int) -> int:
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT * FROM photos WHERE id > ? AND gone = 0 AND trouble IS NULL ORDER BY id",
                (done_to,),
            ).fetchall()
        photos = [stored(row) for row in rows]
        missing = [one for one in photos if not self._folder.thumbnail_of(one.sha256).exists()]
        told = 0.0
        for done, photo in enumerate(missing, start=1):
            if self._closing:
                return done_to
            try:
                self.find(photo)
            except PhotoError:
                pass  # marked, and shown as such
            except OutputError:
                raise
            if time.monotonic() - told > _TELL_SECONDS or done == len(missing):
                told = time.monotonic()
                self._events.tell("thumbs", done=done, total=len(missing))
        return max((photo.id for photo in photos), default=done_to)
