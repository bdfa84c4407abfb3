"""`Studio`: an open project with everything that works on it."""

from __future__ import annotations

import secrets
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ninebrains.brains.manifest import name_from
from ninebrains.errors import DataError, PhotoError
from ninebrains.images import Limits
from ninebrains.photos import Problem
from ninebrains.studio.answers import Answers
from ninebrains.studio.bringing.describing import describe
from ninebrains.studio.bringing.folders import has_labels, open_dataset
from ninebrains.studio.bringing.intake import Intake
from ninebrains.studio.bringing.items import Item, Report
from ninebrains.studio.events import Events
from ninebrains.studio.folder import Claim, open_folder
from ninebrains.studio.jobs import Job, Jobs
from ninebrains.studio.learning.learner import Learner
from ninebrains.studio.learning.runs import list_runs
from ninebrains.studio.listing import count_queues
from ninebrains.studio.originals import CHANGED, MISSING, Troubles, Watch, read_original
from ninebrains.studio.shipping.deployment import Deployment
from ninebrains.studio.store.database import Database
from ninebrains.studio.store.labels import list_labels
from ninebrains.studio.store.photos import (
    Stored,
    all_photos,
    count_photos,
    find_photo,
    pace_seconds,
)
from ninebrains.studio.store.settings import read_setting, revision_of, write_setting
from ninebrains.studio.store.steps import Done, next_words
from ninebrains.studio.thumbnails import Thumbnails
from ninebrains.studio.understanding.maps import Maps
from ninebrains.studio.understanding.shelved import Brains
from ninebrains.studio.understanding.trying import Bench

_MOST_SUGGESTIONS = 5


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
        self.troubles = Troubles(self.database, self.events)
        common = (self.folder, self.database, self.events, self.limits, self.troubles)
        self.thumbnails, self.learner = Thumbnails(*common), Learner(*common)
        self.troubles.changed = partial(self.learner.wake, labels=False)
        self.watch = Watch(self.folder.root, self.database, self.troubles, self.limits)
        self.brains = Brains(self.folder.brains)
        self.bench = Bench(self.brains, self.limits)
        self.maps = Maps(self.folder.brains / "map.npz")
        self.deployment = Deployment(self.folder, self.events, name_from(self.folder.root.name))
        self.intake = Intake(self.folder, self.database, self.events, self.limits)
        self._queues: tuple[tuple[int, int, int], dict[str, int]] | None = None
        self.is_shared = False
        with self.database.writing() as connection:
            # Pages keep pictures for good; this tells those of two projects apart.
            self._key = read_setting(connection, "key") or secrets.token_hex(4)
            write_setting(connection, "key", self._key)

    @property
    def name(self) -> str:
        """Of the project: that of its folder."""
        return self.folder.root.name

    def start(self) -> None:
        """Begin with what goes on by itself."""
        shutil.rmtree(self.folder.incoming, ignore_errors=True)
        self.thumbnails.start()
        self.learner.start()
        self.watch.start()
        self.deployment.start()

    def close(self) -> None:
        """End everything and let go of the project."""
        self.events.close()
        self.jobs.close()
        self.watch.close()
        self.learner.close()
        self.thumbnails.close()
        self.bench.close()
        self.deployment.close()
        self.database.close()
        self.claim.close()

    @property
    def answers(self) -> Answers | None:
        """What the current brain said of every photo."""
        return self.learner.answers

    @property
    def alike(self) -> Mapping[int, int]:
        """The group of near duplicates that a photo is in, by its number."""
        return self.learner.alike

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
        self.learner.wake()

    def state(self) -> dict[str, Any]:
        """Everything about the project but its photos, for the page."""
        with self.database.reading() as connection:
            undo, redo = next_words(connection)
            return {
                "name": self.name,
                "key": self._key,
                "folder": str(self.folder.root),
                "queues": self._queue_counts(connection),
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
                "run": self._run(connection),
                "learning": self.learner.state(),
            }

    def _queue_counts(self, connection: sqlite3.Connection) -> dict[str, int]:
        """How many photos wait in each queue; counted when something has changed."""
        answers, alike = self.answers, self.alike
        mark = (revision_of(connection), id(answers), id(alike))
        if self._queues is None or self._queues[0] != mark:
            self._queues = (mark, count_queues(connection, answers, alike))
        return self._queues[1]

    def _run(self, connection: sqlite3.Connection) -> dict[str, Any] | None:
        """The newest run, with its advice and where it moved from."""
        runs = list_runs(connection, 2)
        if not runs:
            return None
        before = runs[1].accuracy if len(runs) > 1 else None
        verdict = runs[0].metrics["verdict"]
        return {
            **runs[0].summary(),
            "verdict": verdict,
            "before": before,
            "advice": runs[0].advice,
        }

    def add_folder(self, path: Path, *, labels: bool = True, copies: bool = False) -> Job:
        """Begin to bring in the photos of a folder or table of this machine.

        Args:
            path: as `train` takes it.
            labels: whether to take over labels.
            copies: whether the project gets files of its own.
        """

        def work(job: Job) -> dict[str, Any]:
            items = open_dataset(path, self.limits, labels=labels, copy=copies)
            if not path.is_file():
                report = self.intake.take(items, str(path), job)
                self.brought(report)
                return report.plain()
            return self._add_table(path, items, job)

        return self.jobs.start("import", f"add {path.name}", work)

    def _add_table(self, path: Path, items: Iterator[Item | Problem], job: Job) -> dict[str, Any]:
        """Bring in the photos of a table, and what it says of those that are there."""
        report, refused = Report(), None
        if has_labels(path):
            try:
                report = self.intake.take(items, str(path), job)
            except DataError as error:  # its photos are not beside it; it may describe ours
                refused = error
        self.brought(report)
        try:
            told = describe(self.database, self.events, path, folder=path.parent)
        except DataError as error:
            if refused is not None or not (report.added or report.known):
                raise (refused or error) from error
            return report.plain()  # it holds labels alone
        return {**report.plain(), "described": told.found, "undescribed": told.missed}

    def brought(self, report: Report) -> None:
        """Have what was brought in looked at."""
        self.thumbnails.wake()
        self.watch.wake()
        if report.added or report.labelled or report.known:
            self.learner.wake(labels=report.labelled > 0)
        self.events.tell("import", **{**report.plain(), "ids": []})

    def make_map(self) -> Job:
        """Begin to make a map of the photos."""

        def work(job: Job) -> dict[str, Any]:
            with self.database.reading() as connection:
                photos = all_photos(connection)
            return self.maps.make(self.learner.shelf, photos, job)

        return self.jobs.start("map", "make a map of the photos", work)

    def told_of(self, photo: Stored) -> dict[str, Any]:
        """What the current brain says of a photo, and which others look alike."""
        group = self.alike.get(photo.id)
        alike = [] if group is None else [one for one, of in self.alike.items() if of == group]
        told: dict[str, Any] = {
            "suggestions": [],
            "unfamiliar": None,
            "suspect": 0,
            "duplicates": [one for one in alike if one != photo.id],
        }
        answers = self.answers
        row = -1 if answers is None else int(answers.rows_of(np.array([photo.id]))[0])
        if answers is None or row < 0:
            return told
        best = np.argsort(-answers.scores[row], kind="stable")[:_MOST_SUGGESTIONS]
        suggestions = [
            {"label": int(answers.labels[k]), "score": float(answers.scores[row, k])} for k in best
        ]
        doubted = answers.given[row] == (photo.label or 0)
        return {
            **told,
            "suggestions": suggestions,
            "unfamiliar": float(answers.unfamiliar[row]),
            "suspect": int(answers.suspect[row]) if doubted else 0,
        }

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
            PhotoError: it is gone, too large, or not what was added; the last is marked.
        """
        try:
            data = read_original(self.folder.root, photo, self.limits)
        except PhotoError as error:
            if str(error) in (MISSING, CHANGED):
                self.troubles.note([(photo, str(error))])
            raise PhotoError(f"{photo.name}: {error}") from error
        if photo.trouble in (MISSING, CHANGED):
            self.troubles.note([(photo, None)])
        return data
