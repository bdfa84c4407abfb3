"""Letting other threads run while a long piece of Python is at work."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_SECONDS = 0.0001

_lock = threading.Lock()
_num_within = 0
_before = 0.0


@contextmanager
def yielding() -> Iterator[None]:
    """Give up the interpreter's lock every tenth of a millisecond, rather than every five.

    A request changes threads a few times on its way, and each time may wait so long for the thread
    that reads a joining brain. The interval is that of the whole process: it is put back at the
    end, unless somebody else has changed it meanwhile.
    """
    global _num_within, _before  # noqa: PLW0603 - the interpreter has one interval
    with _lock:
        if not _num_within:
            _before = sys.getswitchinterval()
            sys.setswitchinterval(min(_SECONDS, _before))
        _num_within += 1
    try:
        yield
    finally:
        with _lock:
            _num_within -= 1
            if not _num_within and sys.getswitchinterval() <= 1.01 * _SECONDS:
                sys.setswitchinterval(_before)
