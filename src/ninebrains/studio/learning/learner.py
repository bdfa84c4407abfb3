"""The learner: a thread that keeps up with the labels, and with new photos in idle time."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from ninebrains.brains import Brain
from ninebrains.brains.manifest import Metrics, name_from
from ninebrains.errors import DataError, NinebrainsError
from ninebrains.images import Limits
from ninebrains.photos import duplicate_groups
from ninebrains.studio.answers import Answers, load_answers, save_answers
from ninebrains.studio.events import Events
from ninebrains.studio.folder import Folder
from ninebrains.studio.jobs import CancelledError
from ninebrains.studio.learning.advice import advise, before_learning
from ninebrains.studio.learning.examples import Situation, look
from ninebrains.studio.learning.fitting import (
    Lesson,
    answers_of,
    extended,
    learn_fully,
    learn_quickly,
)
from ninebrains.studio.learning.runs import (
    answers_path,
    brain_file,
    drop_old_brains,
    insert_run,
    list_runs,
    next_run,
)
from ninebrains.studio.learning.shelf import BATCH, Shelf
from ninebrains.studio.learning.telling import Telling
from ninebrains.studio.originals import Troubles
from ninebrains.studio.store.database import Database
from ninebrains.studio.store.photos import Stored
from ninebrains.studio.store.settings import read_setting, write_setting
from ninebrains.trunks import DEFAULT_TRUNK, load_trunk

QUIET_SECONDS = 0.3
"""So long after the last label the quick fit begins."""
CALM_SECONDS = 3.0
"""So long after it the full fit begins."""
_log = logging.getLogger("ninebrains.studio")


class Learner:
    """Learns from a project whenever something has changed.

    Labels that change while it works go first: what it was at is dropped. Nothing is lost by that,
    as features are kept as they come.

    Args:
        folder: of the project.
        database: its index.
        events: told of `learning`, `run` and `answers`.
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
        self._limits, self._troubles = limits, troubles
        self._changed = threading.Condition()
        self._version = 1
        self._changed_at = 0.0
        self._wants_now = False
        self._is_closing = False
        self._telling = Telling(events)
        self._shelf: Shelf | None = None
        self._lesson: Lesson | None = None
        self._learnt: tuple[str, str] | None = None
        self._kept: tuple[str, str] | None = None
        self._looked_alike = 0
        self.answers: Answers | None = None
        self.alike: Mapping[int, int] = {}
        self._thread = threading.Thread(target=self._run, name="studio-learner", daemon=True)

    def start(self) -> None:
        """Begin, with the answers of the last run."""
        with self._database.reading() as connection:
            runs = list_runs(connection, 1)
            kept = read_setting(connection, "kept")
        if runs:
            self._kept = (kept[0], kept[1]) if kept else None
            self._telling.current_run = runs[0].id
            with suppress(DataError):  # made anew by the next run
                self.answers = load_answers(answers_path(self._folder.brains, runs[0].id))
        self._changed_at = time.monotonic()  # the page comes first
        self._thread.start()

    def close(self) -> None:
        """Stop soon, and wait for it."""
        with self._changed:
            self._is_closing = True
            self._version += 1
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(timeout=60.0)

    def wake(self, *, labels: bool = True) -> None:
        """Something has changed: labels, or only the set of photos."""
        with self._changed:
            self._version += 1
            self._telling.stopped = False
            if labels:
                self._changed_at = time.monotonic()
            self._changed.notify_all()

    def learn_now(self) -> None:
        """Learn in full at once."""
        with self._changed:
            self._wants_now, self._telling.stopped = True, False
            self._kept = None
            self._version += 1
            self._changed.notify_all()

    def cancel(self) -> None:
        """Drop what it is at, and rest until something changes."""
        with self._changed:
            self._telling.stopped, self._wants_now = True, False
            self._version += 1
            self._changed.notify_all()

    def state(self) -> dict[str, Any]:
        """For the page."""
        return self._telling.plain()

    @property
    def shelf(self) -> Shelf | None:
        """The features that are there; to be read only."""
        return self._shelf

    def _run(self) -> None:
        seen = 0
        while not self._is_closing:
            with self._changed:
                while self._version == seen and not self._is_closing:
                    self._changed.wait()
                seen = self._version
            if self._is_closing or self._telling.stopped:
                self._telling.tell(stage="idle", done=0, total=0)
                continue
            try:
                self._learn(seen)
            except CancelledError:
                continue  # something newer is there, and is taken up next
            except NinebrainsError as error:
                self._telling.tell(stage="idle", done=0, total=0, error=str(error))
            except Exception as error:  # noqa: BLE001 - the next change may go well
                _log.exception("learning failed")
                self._telling.tell(
                    stage="idle", error=f"internal error: {type(error).__name__}: {error}"
                )

    def _learn(self, version: int) -> None:
        """Everything that a change asks for, the most urgent first."""
        self._wait(QUIET_SECONDS, version)
        with self._database.reading() as connection:
            if not read_setting(connection, "learns", default=True) and not self._wants_now:
                self._telling.tell(stage="idle", error=None)
                return
            situation = look(connection)
            shelf = self._shelf_of(read_setting(connection, "trunk", DEFAULT_TRUNK))
        situation = self._readable(situation, shelf, version)
        waiting = before_learning(situation)
        key = (shelf.trunk.hash, situation.fingerprint)
        self._telling.tell(waiting_for=waiting, error=None, up_to_date=key == self._kept)
        if not waiting and key not in (self._kept, self._learnt):
            self._learn_quickly(situation, shelf, key)
        shelf.recall(situation.photos)
        self._extend(shelf, situation.photos)
        self._compute(shelf, situation.photos, version, "looking at all photos")
        self._look_for_copies(situation, shelf)
        if not waiting and key == self._kept and key != self._learnt:
            self._learn_again(situation, shelf, key, version)
        elif not waiting and key != self._kept:
            self._wait(CALM_SECONDS, version)
            self._learn_fully(situation, shelf, key, version)
        self._wants_now = False
        self._telling.tell(stage="idle", done=0, total=0)

    def _readable(self, situation: Situation, shelf: Shelf, version: int) -> Situation:
        """The project with features of all that can be learnt from, and without what cannot be."""
        while True:
            waiting = before_learning(situation)
            up_to_date = (shelf.trunk.hash, situation.fingerprint) == self._kept
            self._telling.tell(waiting_for=waiting, error=None, up_to_date=up_to_date)
            shelf.recall(situation.examples)
            if waiting or not self._compute(
                shelf, situation.examples, version, "looking at labelled photos"
            ):
                return situation
            with self._database.reading() as connection:
                situation = look(connection)  # a label may have too few photos now

    def _shelf_of(self, trunk: str) -> Shelf:
        if self._shelf is None or self._shelf.trunk.name != trunk:
            self._shelf = Shelf(load_trunk(trunk), self._folder.root, self._limits)
            self._lesson, self._learnt, self._looked_alike = None, None, 0
        return self._shelf

    def _wait(self, seconds: float, version: int) -> None:
        """Wait until labels have not changed for so long, unless asked to learn at once."""
        while not self._wants_now:
            left = self._changed_at + seconds - time.monotonic()
            if left <= 0:
                break
            with self._changed:
                self._changed.wait(min(left, 0.05))
            self._check(version)
        self._check(version)

    def _check(self, version: int) -> None:
        if self._version != version:
            raise CancelledError("something newer is there")

    def _compute(self, shelf: Shelf, photos: Sequence[Stored], version: int, stage: str) -> bool:
        """Features that are missing, a few photos at a time; answers on them as they come.

        Returns:
            Whether some of the photos cannot be read; they are marked.
        """
        missing, has_troubles = shelf.missing(photos), False
        for start in range(0, len(missing), BATCH):
            self._check(version)
            part = missing[start : start + BATCH]
            self._telling.tell(stage=stage, done=start, total=len(missing))
            troubles = shelf.compute(part)
            has_troubles = has_troubles or bool(troubles)
            reasons = {one.photo: one.reason for one in troubles}
            found = [(one, reasons[one.id]) for one in part if one.id in reasons]
            self._troubles.note(found, is_told=False)
            self._extend(shelf, part)
        return has_troubles

    def _extend(self, shelf: Shelf, photos: Sequence[Stored]) -> None:
        """Answers on photos whose features have come since."""
        if self._lesson is None or self.answers is None:
            return
        ids = [photo.id for photo in photos if photo.id in shelf]
        answers = extended(self.answers, self._lesson, shelf, ids)
        if answers is not self.answers:
            self.answers = answers
            self._events.tell("answers")

    def _learn_quickly(self, situation: Situation, shelf: Shelf, key: tuple[str, str]) -> None:
        began = time.monotonic()
        self._telling.tell(stage="learning", done=0, total=0)
        lesson = learn_quickly(self._folder.root, situation, shelf)
        self.answers = answers_of(lesson, shelf)
        self._lesson, self._learnt = lesson, key
        quick = {
            "revision": situation.revision,
            "num_photos": len(lesson.ids),
            "seconds": time.monotonic() - began,
            **headline(lesson.metrics),
        }
        self._telling.tell(quick=quick, up_to_date=False)
        self._events.tell("answers")

    def _look_for_copies(self, situation: Situation, shelf: Shelf) -> None:
        """Groups of near duplicates among all photos."""
        photos = [photo for photo in situation.photos if photo.id in shelf]
        mark = hash(tuple(photo.id for photo in photos))
        if mark == self._looked_alike:
            return
        groups = duplicate_groups(shelf.facts(photos)).near
        self.alike = {
            photos[place].id: number
            for number, group in enumerate(groups, start=1)
            for place in group
        }
        self._looked_alike = mark
        self._events.tell("answers")

    def _learn_fully(
        self, situation: Situation, shelf: Shelf, key: tuple[str, str], version: int
    ) -> None:
        """A brain, as `train` makes it, and a run that tells of it."""
        began = time.monotonic()
        lesson = self._lesson_in_full(situation, shelf, version)
        assert lesson.trained is not None
        with self._database.reading() as connection:
            run = next_run(connection)
        name = lesson.trained.brain.name
        answers = answers_of(lesson, shelf, run)
        brain = _numbered(lesson.trained.brain, run)
        brain.save(self._folder.brains / brain_file(name, run), overwrite=True)
        save_answers(answers_path(self._folder.brains, run), answers)
        advice = advise(situation, lesson.metrics, answers, shelf.trunk.name)
        with self._database.writing() as connection:
            insert_run(
                connection,
                revision=situation.revision,
                brain=brain,
                labels=situation.learnt,
                advice=advice,
                num_photos=len(lesson.ids),
                seconds=time.monotonic() - began,
                run=run,
            )
            write_setting(connection, "kept", key)
            drop_old_brains(self._folder.brains, list_runs(connection))
        self.answers, self._lesson, self._learnt, self._kept = answers, lesson, key, key
        self._telling.tell(current_run=run, up_to_date=True, quick=None)
        self._events.tell("run", id=run, **headline(lesson.metrics))
        self._events.tell("answers")

    def _learn_again(
        self, situation: Situation, shelf: Shelf, key: tuple[str, str], version: int
    ) -> None:
        """What the last run knew, after a restart or an undo: same photos, same brain."""
        lesson = self._lesson_in_full(situation, shelf, version)
        self.answers = answers_of(lesson, shelf, self._telling.current_run or 0)
        self._lesson, self._learnt = lesson, key
        self._telling.tell(up_to_date=True, quick=None)
        self._events.tell("answers")

    def _lesson_in_full(self, situation: Situation, shelf: Shelf, version: int) -> Lesson:
        steps = ("split", "head", "numbers", "brain")

        def step(name: str) -> None:
            self._check(version)
            self._telling.tell(stage="learning in full", done=steps.index(name), total=len(steps))

        name = name_from(self._folder.root.name)
        lesson = learn_fully(self._folder.root, situation, shelf, name, step)
        self._check(version)
        return lesson


def headline(metrics: Metrics) -> dict[str, Any]:
    """The number that is shown large, with its interval and what it was measured on."""
    accuracy = metrics.accuracy
    return {
        "accuracy": accuracy.value if accuracy else None,
        "low": accuracy.low if accuracy else None,
        "high": accuracy.high if accuracy else None,
        "num_test": metrics.num_test,
        "verdict": metrics.verdict,
    }


def _numbered(brain: Brain, version: int) -> Brain:
    """The brain under a version of its own."""
    manifest = brain.manifest.model_copy(update={"version": str(version)})
    return Brain(manifest, brain.graph, brain.card, brain.signature)
