"""Photos on their way from the answer to the disk: a bounded queue that never blocks."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ninebrains.serving.asking import Answered

_MOST_ANSWERS = 1024
_MOST_BYTES = 64 * 2**20


class Intake:
    """Answers whose photos may be kept, until a chore takes them.

    Attributes:
        dropped: how many found no room.
    """

    def __init__(self, answers: int = _MOST_ANSWERS, num_bytes: int = _MOST_BYTES) -> None:
        self._most_answers, self._most_bytes = answers, num_bytes
        self._lock = threading.Lock()
        self._answers: list[Answered] = []
        self._bytes = 0
        self.dropped = 0

    def offer(self, answered: Answered) -> None:
        """Take an answer, or count it as dropped. Takes a microsecond."""
        with self._lock:
            before = self._answers[-1].photo if self._answers else None
            # Many brains asked about one photo hold the same one.
            size = 0 if answered.photo is before else _size(answered)
            if len(self._answers) >= self._most_answers or self._bytes + size > self._most_bytes:
                self.dropped += 1
                return
            self._answers.append(answered)
            self._bytes += size

    def take(self) -> list[Answered]:
        """All that are there, the oldest first."""
        with self._lock:
            taken, self._answers, self._bytes = self._answers, [], 0
        return taken


def _size(answered: Answered) -> int:
    photo = answered.photo
    if isinstance(photo, np.ndarray):
        return photo.nbytes
    return len(photo) if isinstance(photo, bytes | bytearray) else 0
