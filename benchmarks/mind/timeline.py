"""What was true when, for judging answers while things change."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

Versions = frozenset[str | None]
"""Versions that a name may have at one moment; None is none at all."""

_KEPT = 500


class Timeline:
    """For each name, the versions that it may have had, moment by moment. Safe under threads.

    One thread changes a name at a time; any may ask.
    """

    def __init__(self) -> None:
        self._changes: dict[str, deque[tuple[float, Versions]]] = {}
        self._lock = threading.Lock()

    def note(self, name: str, version: str | None) -> None:
        """The name has this version from now on."""
        self._put(name, frozenset({version}))

    @contextmanager
    def changing(self, name: str, version: str | None) -> Iterator[None]:
        """While this lasts the name may have its old version or the new one; then the new one."""
        self._put(name, self.now(name) | {version})
        yield
        self.note(name, version)

    def now(self, name: str) -> Versions:
        """What the name may be at this moment."""
        with self._lock:
            changes = self._changes.get(name)
            return changes[-1][1] if changes else frozenset({None})

    def between(self, name: str, begin: float, end: float) -> Versions:
        """What the name may have been at any moment of an interval of time.perf_counter()."""
        found: set[str | None] = set()
        with self._lock:
            changes = list(self._changes.get(name, ()))
        if not changes or changes[0][0] > begin:
            found.add(None)
        for place, (since, versions) in enumerate(changes):
            until = changes[place + 1][0] if place + 1 < len(changes) else float("inf")
            if since <= end and until >= begin:
                found |= versions
        return frozenset(found)

    def _put(self, name: str, versions: Versions) -> None:
        with self._lock:
            kept = self._changes.setdefault(name, deque(maxlen=_KEPT))
            kept.append((time.perf_counter(), versions))
