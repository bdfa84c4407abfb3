"""`Studio`: an open project with everything that works on it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ninebrains.errors import PhotoError
from ninebrains.images import Limits, read_photo
from ninebrains.studio.answers import Answers
from ninebrains.studio.bringing.intake import Intake
from ninebrains.studio.bringing.items import Report
from ninebrains.studio.events import Events
from ninebrains.studio.folder import Claim, open_folder
from ninebrains.studio.jobs import Jobs
from ninebrains.studio.store.database import Database
from ninebrains.studio.store.labels import list_labels
from ninebrains.studio.store.photos import Stored, count_photos, find_photo, pace_seconds
from ninebrains.studio.store.settings import read_setting, revision_of
from ninebrains.studio.store.steps import Done, next_words
from ninebrains.studio.thumbnails import Thumbnails


class Studio:
    """A project that is open.

    Args:
        path: of its folder; made where there is none.

    Raises:
        DataError: it is no project, or another studio has it open.
        OutputError: it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.folder = open_folder(path)
        self.claim = Claim(self.folder)
        self.limits = Limits()
        try:
            self.database = Database(self.folder.database)
        except BaseException:
            self.claim.close()
            raise
        self.events = Events()
        self.jobs = Jobs(self.events)
        self.thumbnails = Thumbnails(self.folder, self.database, self.events, self.limits)
        self.intake = Intake(self.folder, self.database, self.events, self.limits)
        self.is_shared = False

    @property
    def name(self) -> str:
        """Of the project: that of its folder."""
        return self.folder.root.name

    def start(self) -> None:
        """Begin with what goes on by itself."""
        shutil.rmtree(self.folder.incoming, ignore_errors=True)
        self.thumbnails.start()

    def close(self) -> None:
        """End everything and let go of the project."""
        self.events.close()
        self.jobs.close()
        self.thumbnails.close()
        self.database.close()
        self.claim.close()

    @property
    def answers(self) -> Answers | None:
        """What the current brain said of every photo."""
        return None

    @property
    def alike(self) -> Mapping[int, int]:
        """The group of near duplicates that a photo is in, by its number."""
        return {}

    def change(self, work: Callable[[Any], Done]) -> Done:
        """Do a labelling step, and tell all pages and whoever learns from it.

        Args:
            work: takes the connection, in a transaction.
        """
        with self.database.writing() as connection:
            done = work(connection)
        self.tell(done)
        return done

    def tell(self, done: Done) -> None:
        """Tell all pages, and whoever learns from labels, that there was a step."""
        self.events.tell("revision", **done.plain())

    def state(self) -> dict[str, Any]:
        """Everything about the project but its photos, for the page."""
        with self.database.reading() as connection:
            undo, redo = next_words(connection)
            return {
                "name": self.name,
                "counts": count_photos(connection),
                "labels": [label.plain() for label in list_labels(connection)],
                "pace_seconds": pace_seconds(connection),
                "settings": {
                    "trunk": read_setting(connection, "trunk", "octo"),
                    "learns": read_setting(connection, "learns", True),
                },
                "undo": undo,
                "redo": redo,
                "revision": revision_of(connection),
                "jobs": [job.plain() for job in self.jobs.current()],
                "shared": self.is_shared,
                "run": None,
                "learning": None,
            }

    def brought(self, report: Report) -> None:
        """Have what was brought in looked at."""
        self.thumbnails.wake()
        self.events.tell("import", **{**report.plain(), "ids": []})

    def told_of(self, photo: Stored) -> dict[str, Any]:
        """What the current brain says of a photo, and which others look alike."""
        return {"suggestions": [], "unfamiliar": None, "duplicates": []}

    def photo(self, number: int) -> Stored:
        """One photo.

        Raises:
            MissingError: it is not there.
        """
        with self.database.reading() as connection:
            return find_photo(connection, number)

    def path_of(self, photo: Stored) -> Path:
        """Where a photo's file is."""
        return self.folder.root / photo.path

    def bytes_of(self, photo: Stored) -> bytes:
        """A photo's file.

        Raises:
            PhotoError: it is gone or too large.
        """
        try:
            return read_photo(self.path_of(photo), self.limits)
        except PhotoError as error:
            raise PhotoError(f"{photo.name}: {error}") from error
