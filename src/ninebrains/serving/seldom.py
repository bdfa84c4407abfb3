"""Telling a log of what happens again and again, such as on a full disk, without filling it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping

_SECONDS = 10.0


class Seldom:
    """Writes one line at once, and then one in so many seconds, with how often it was since.

    Args:
        log: to write to.
        level: of the lines, as `logging` has them.
        seconds: between two lines.
    """

    def __init__(self, log: logging.Logger, level: int, seconds: float = _SECONDS) -> None:
        self._log = log
        self._level = level
        self._seconds = seconds
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        self._num_untold = 0
        self._untold = ""

    def tell(self, text: str, extra: Mapping[str, object] | None = None) -> None:
        """Write a line, or count it where one has just been written."""
        with self._lock:
            if self._timer is not None:
                self._num_untold += 1
                self._untold = text
                return
            self._wait()
        self._log.log(self._level, "%s", text, extra=extra)

    def _wait(self) -> None:
        self._timer = threading.Timer(self._seconds, self._tell_rest)
        self._timer.daemon = True
        self._timer.start()

    def _tell_rest(self) -> None:
        with self._lock:
            num, text, self._num_untold = self._num_untold, self._untold, 0
            self._timer = None
            if num:
                self._wait()
        if num:
            self._log.log(self._level, "%s (%d times in %g s)", text, num, self._seconds)
