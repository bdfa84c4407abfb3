"""How much one caller may ask for: so many requests a second, so many at once."""

from __future__ import annotations

import os
import struct
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ninebrains.errors import OverloadError

_BUCKET = struct.Struct("=dd")  # tokens left, and when that was counted, by the monotonic clock


class SharedBuckets:
    """What is left to each key, in a file that all workers of a host write to.

    A bucket is two numbers at a place of its own, locked while it is changed: a few microseconds a
    request, and nothing for keys without a limit. It holds what may be forgotten: nothing is
    synced, and a bucket of before the machine was started counts as full.

    Args:
        path: of the file; it is made when missing.

    Raises:
        OSError: it cannot be, or this system has no locks of that kind.
    """

    def __init__(self, path: Path) -> None:
        if sys.platform == "win32":
            raise OSError("parts of a file cannot be locked for others here")
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)

    def __del__(self) -> None:
        """Let go of the file."""
        if hasattr(self, "_file"):
            os.close(self._file)

    def take(self, place: int, rate: float, most: float) -> float:
        """Take one of what a key may ask.

        Args:
            place: of the key.
            rate: that come back in a second.
            most: that the bucket holds.

        Returns:
            0, or the seconds until there is one.

        Raises:
            OSError: the bucket cannot be written, as on a full disk.
        """
        offset = place * _BUCKET.size
        with self._locked(offset):
            now = time.monotonic()
            data = os.pread(self._file, _BUCKET.size, offset)
            left, counted = _BUCKET.unpack(data) if len(data) == _BUCKET.size else (0.0, 0.0)
            is_new = not 0.0 < counted <= now + 1.0
            left = most if is_new else min(most, left + max(0.0, now - counted) * rate)
            if left < 1.0:
                return (1.0 - left) / rate
            os.pwrite(self._file, _BUCKET.pack(left - 1.0, now), offset)
        return 0.0

    @contextmanager
    def _locked(self, offset: int) -> Iterator[None]:
        import fcntl  # not on Windows

        fcntl.lockf(self._file, fcntl.LOCK_EX, _BUCKET.size, offset)
        try:
            yield
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN, _BUCKET.size, offset)


class Allowance:
    """Counts the requests of one caller, from any thread.

    Requests a second are counted with a bucket that holds a second's worth, and one at least: a
    caller who was quiet may ask for that much in one go.

    Args:
        name: of the key, for messages.
        requests_per_second: on average; None for any number.
        at_once: how many may be open at a time here; None for any number.
        shared: where all workers count together.
        place: of the key there.
        share: of the requests a second, while they cannot be counted together.
    """

    def __init__(
        self,
        name: str,
        requests_per_second: float | None = None,
        at_once: int | None = None,
        *,
        shared: SharedBuckets | None = None,
        place: int = 0,
        share: float = 1.0,
    ) -> None:
        self._name = name
        self._rate = requests_per_second
        self._shared = shared
        self._place = place
        self._share = share
        self._left = self._most(share)
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
                wait = self._take(self._rate)
                if wait:
                    raise OverloadError(
                        f"the key {self._name!r} may ask {self._rate:g} times a second here; "
                        "ask again a little later",
                        retry_seconds=wait,
                    )
            self._open += 1

    def end(self) -> None:
        """Count a request that is over."""
        with self._lock:
            self._open -= 1

    def _take(self, rate: float) -> float:
        """Take one of what may be asked; 0, or the seconds until there is one."""
        if self._shared is not None:
            try:
                return self._shared.take(self._place, rate, self._most(1.0))
            except OSError:  # no room for 16 bytes; so each worker by itself, until there is
                pass
        rate, now = rate * self._share, time.monotonic()
        self._left = min(self._most(self._share), self._left + (now - self._counted) * rate)
        self._counted = now
        if self._left < 1.0:
            return (1.0 - self._left) / rate
        self._left -= 1.0
        return 0.0

    def _most(self, share: float) -> float:
        return max(1.0, (self._rate or 0.0) * share)
