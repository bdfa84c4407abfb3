"""What the pages are told of learning, often enough to follow and no oftener."""

from __future__ import annotations

import time
from typing import Any

from ninebrains.studio.events import Events

_TELL_SECONDS = 0.2
_PROGRESS = {"stage", "done", "total"}


class Telling:
    """How learning stands.

    Args:
        events: told of `learning` where something has changed.

    Attributes:
        stage: what it is at; `idle` for nothing.
        done: of total.
        total: 0 where nobody knows.
        error: why it could not go on, or None.
        waiting_for: what is missing before anything can be learnt, in words, or empty.
        quick: the quick answer that is newer than the last run, or None.
        current_run: number of that run, or None.
        up_to_date: whether that run has learnt from what is there now.
        stopped: whether somebody has cancelled it, until something changes.
    """

    def __init__(self, events: Events) -> None:
        self._events = events
        self._told = 0.0
        self.stage = "idle"
        self.done = self.total = 0
        self.error: str | None = None
        self.waiting_for = ""
        self.quick: dict[str, Any] | None = None
        self.current_run: int | None = None
        self.up_to_date = False
        self.stopped = False

    def plain(self) -> dict[str, Any]:
        """For the page."""
        return {name: value for name, value in vars(self).items() if not name.startswith("_")}

    def tell(self, **changes: object) -> None:
        """Take over what changed, and tell the pages unless they were told just now."""
        now = time.monotonic()
        is_progress = set(changes) <= _PROGRESS and changes.get("stage") != "idle"
        is_same = all(getattr(self, name) == value for name, value in changes.items())
        for name, value in changes.items():
            setattr(self, name, value)
        if is_same or (is_progress and now - self._told < _TELL_SECONDS):
            return
        self._told = now
        self._events.tell("learning", **self.plain())
