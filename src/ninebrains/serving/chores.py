"""What a host does by itself, again and again, each in a thread of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from ninebrains.errors import NinebrainsError
from ninebrains.serving.seldom import Seldom

_log = logging.getLogger("ninebrains.serving")


class Chores:
    """Runs functions again and again until it is closed.

    A chore that fails is told in the log, once until it succeeds again, and goes on: what it could
    not do now it does next time. One that fails again and again, each time in another way, is told
    now and then, with how often.
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
        told, seldom = "", Seldom(_log, logging.WARNING)
        while not self._end.wait(seconds):
            try:
                chore()
                told = ""
            # Whatever goes wrong now must not keep it from being done later.
            except Exception as error:  # noqa: BLE001
                if not isinstance(error, NinebrainsError):
                    if repr(error) != told:
                        _log.warning("%s: %s", name, error, exc_info=error)
                elif repr(error) != told:
                    seldom.tell(f"{name}: {error}")
                told = repr(error)

    def close(self) -> None:
        """End, and wait for what is being done."""
        self._end.set()
        for thread in self._threads:
            thread.join()
