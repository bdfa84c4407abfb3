"""When to wait: for copies to end, for traffic to move on, before a load is tried again."""

from __future__ import annotations

import time
from collections.abc import Hashable
from dataclasses import dataclass

from ninebrains.errors import DeadlineError, OutputError, OverloadError
from ninebrains.serving.repository import Mark

_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 300.0
_MACHINE = (OSError, MemoryError, OutputError, OverloadError, DeadlineError)
_OUT_OF_MEMORY = (
    "bad_alloc",
    "bad allocation",
    "allocate memory",
    "not enough memory",
    "out of memory",
)


class Steady:
    """Tells since when something has been as it is.

    Args:
        seconds: for how long it must have been, besides having been seen before.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._since: dict[Hashable, tuple[object, float]] = {}

    def holds(self, thing: Hashable, value: object) -> bool:
        """Whether the thing was seen like this before, long enough ago, and never otherwise since.

        Args:
            thing: what is looked at.
            value: how it is now.
        """
        now = time.monotonic()
        before = self._since.get(thing)
        if before is None or before[0] != value:
            self._since[thing] = (value, now)
            return False
        return now - before[1] >= self.seconds

    def forget(self, thing: Hashable) -> None:
        """As if it had never been seen."""
        self._since.pop(thing, None)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A load that failed.

    Attributes:
        mark: of the files that it was.
        times: how often the same files failed in a row.
        again: when to try once more (`time.monotonic`); None to wait until the files change.
    """

    mark: Mark
    times: int
    again: float | None

    def stands(self, mark: Mark) -> bool:
        """Whether another try would be in vain, or too early."""
        if mark != self.mark:
            return False
        return self.again is None or time.monotonic() < self.again


def refusal(mark: Mark, error: BaseException, before: Refusal | None) -> Refusal:
    """How to go on after a load that failed.

    The same files fail in the same way again, so they are left alone; a full disk or memory may
    have room later, so such are tried again after a pause that doubles.
    """
    times = before.times + 1 if before is not None and before.mark == mark else 1
    again = None
    if is_of_machine(error):
        pause = min(_FIRST_PAUSE_SECONDS * 2 ** min(times - 1, 20), _LONGEST_PAUSE_SECONDS)
        again = time.monotonic() + pause
    return Refusal(mark, times, again)


def is_of_machine(error: BaseException | None) -> bool:
    """Whether the machine is at fault rather than the files."""
    while error is not None:
        text = str(error).lower()
        if isinstance(error, _MACHINE) or any(sign in text for sign in _OUT_OF_MEMORY):
            return True
        error = error.__cause__
    return False
