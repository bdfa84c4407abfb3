"""What a host does by itself, again and again, each in a thread of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from ninebrains.errors import NinebrainsError

_log = logging.getLogger("ninebrains.serving")


class Chores:
    """Runs functions again and again until it is closed.

    A chore that fails is told in the log, once until it succeeds again, and goes on: what it could
    not do now it does next time.
    """

    def __init__(self) -> None:
        self._end = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self, name: str, seconds: float, chore: Callable[[], None]) -> None:
        """Do `chore` every so many seconds, from now on."""
        thread = threading.Thread(
            target=self._repeat, args=(name, seconds, chore), name=f"host-{name}", daemon=True
        )
        self._threads.append(thread)
        thread.start()

    def _repeat(self, name: str, seconds: float, chore: Callable[[], None]) -> None:
        told = ""
        while not self._end.wait(seconds):
            try:
                chore()
                told = ""
            # Whatever goes wrong now must not keep it from being done later.
            except Exception as error:  # noqa: BLE001
                is_known = isinstance(error, NinebrainsError)
                if repr(error) != told:
                    _log.warning("%s: %s", name, error, exc_info=None if is_known else error)
                told = repr(error)

    def close(self) -> None:
        """End, and wait for what is being done."""
        self._end.set()
        for thread in self._threads:
            thread.join()
