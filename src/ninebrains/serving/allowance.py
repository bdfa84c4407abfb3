"""How much one caller may ask for: so many requests a second, so many at once."""

from __future__ import annotations

import threading
import time

from ninebrains.errors import OverloadError


class Allowance:
    """Counts the requests of one caller, from any thread.

    Requests a second are counted with a bucket that holds a second's worth, and one at least: a
    caller who was quiet may ask for that much in one go.

    Args:
        name: of the key, for messages.
        requests_per_second: on average; None for any number.
        at_once: how many may be open at a time; None for any number.
    """

    def __init__(
        self, name: str, requests_per_second: float | None = None, at_once: int | None = None
    ) -> None:
        self._name = name
        self._rate = requests_per_second
        self._most = max(1.0, requests_per_second or 0.0)
        self._left = self._most
        self._counted = time.monotonic()
        self._at_once = at_once
        self._open = 0
        self._lock = threading.Lock()

    def begin(self) -> None:
        """Count a request that begins; `end` has to follow if this does not raise.

        Raises:
            OverloadError: it is one too many.
        """
        with self._lock:
            if self._at_once is not None and self._open >= self._at_once:
                raise OverloadError(
                    f"the key {self._name!r} has {self._open} requests open here, as many as it "
                    "may; wait for an answer before asking more",
                    retry_seconds=1.0,
                )
            if self._rate is not None:
                now = time.monotonic()
                self._left = min(self._most, self._left + (now - self._counted) * self._rate)
                self._counted = now
                if self._left < 1.0:
                    raise OverloadError(
                        f"the key {self._name!r} may ask {self._rate:g} times a second here; "
                        "ask again a little later",
                        retry_seconds=(1.0 - self._left) / self._rate,
                    )
                self._left -= 1.0
            self._open += 1

    def end(self) -> None:
        """Count a request that is over."""
        with self._lock:
            self._open -= 1
