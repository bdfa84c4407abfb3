"""One photo on its way through a mind."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ninebrains.errors import BrainError, NinebrainsError
from ninebrains.images import PhotoSource
from ninebrains.mind.asked import Asked, Group
from ninebrains.mind.inferences import GroupAnswer, Inferences

if TYPE_CHECKING:
    from ninebrains.mind.members import Profile
    from ninebrains.mind.scheduling.scheduler import Ticket


@dataclass(frozen=True, slots=True)
class Timings:
    """How a photo got to its first segment, in seconds.

    Attributes:
        queue: waiting to be decoded.
        decode: decoding.
        decoded: when it was decoded, on time.perf_counter(); from then on it waits for a batch.
    """

    queue: float
    decode: float
    decoded: float


@dataclass(eq=False)
class Request:
    """One photo on its way.

    Attributes:
        ticket: its place in the scheduler.
        photo: as it was given; nothing once it is decoded.
        asked: who is to answer.
        heatmaps: whether heat maps are wanted, too.
        keep_errors: answer although some brains failed.
        submitted: when, on time.perf_counter().
        photo_size: (width, height) of the upright photo, once it is decoded.
        answers: of each group, as far as they have come.
    """

    ticket: Ticket[Inferences]
    photo: PhotoSource
    asked: Asked
    heatmaps: bool
    keep_errors: bool
    submitted: float = field(default_factory=time.perf_counter)
    photo_size: tuple[int, int] = (0, 0)
    answers: list[GroupAnswer] = field(default_factory=list)
    _missing: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def expect_answers(self) -> None:
        """Set out for the answers of every group."""
        self._missing = len(self.asked.groups)
        self.answers = [GroupAnswer() for _ in self.asked.groups]

    def answered(self, number: int, answer: GroupAnswer) -> None:
        """Take the answer of a group; the last one settles the ticket."""
        self.answers[number] = answer
        with self._lock:
            self._missing -= 1
            is_last = not self._missing
        if is_last:
            self._settle()

    def _settle(self) -> None:
        errors = self._errors()
        if errors and not self.keep_errors:
            self.ticket.fail(next(iter(errors.values())))
            return
        self.ticket.succeed(Inferences(self.asked.places, self.answers, errors, self.photo_size))

    def _errors(self) -> dict[str, NinebrainsError]:
        found: dict[str, NinebrainsError] = {}
        for group, answer in zip(self.asked.groups, self.answers, strict=True):
            has_errors = answer.results is not None and answer.results.has_errors
            if answer.error is None and not has_errors:
                continue  # as almost always: nobody is looked at one by one
            for place, member in enumerate(group.members):
                error = answer.error or _error_of_seat(group, answer, place)
                if error is not None:
                    found[member.name] = _blaming(member.profile, error)
        return found


def _error_of_seat(group: Group, answer: GroupAnswer, place: int) -> NinebrainsError | None:
    seat = group.places[place]
    if seat is None or answer.results is None:
        return None
    text = answer.results.error(answer.first + seat)
    return BrainError(text) if text else None


def _blaming(profile: Profile, error: NinebrainsError) -> NinebrainsError:
    """Say whose fault it is; every request gets an exception of its own to raise."""
    made = BrainError(f"{profile.title} gave no answer: {error}")
    made.__cause__ = error
    return made
