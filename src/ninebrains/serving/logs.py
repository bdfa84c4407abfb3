"""What a host logs: one JSON object a line on standard error, or plain text on a terminal.

Never in it: keys, photos, bodies, keys of users, and what stands behind a `?`. Lines of the access
log are put into a queue by the thread that answers, and written by another one a little later; when
nobody reads standard error the host goes on, and says afterwards how many lines it left out.
"""

from __future__ import annotations

import atexit
import json
import logging
import re
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import NamedTuple, TextIO

import orjson

_SECRETS = re.compile(r"nb_[A-Za-z0-9_-]{8,}|(?<=\?)[^\s\"'<>]+|(?<=//)[^\s/\"'<>@]+(?=@)")
_DEAR = ("httpx", "httpcore", "multipart", "python_multipart", "asyncio", "PIL")
_PAUSE_SECONDS = 0.1
_MOST_WAITING = 20_000
_MOST_PATH = 200
_requests = logging.getLogger("ninebrains.requests")
_RECORD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}

Plain = str | int | float | bool | None | Sequence[str]


class Visit(NamedTuple):
    """One request in the access log.

    Attributes:
        seconds: when it ended, since 1970.
        status: of the reply; 499 where the client had left.
        ms: it took.
        key: name of the API key, or "".
        brains: the names that were asked for.
    """

    seconds: float
    request_id: str
    method: str
    path: str
    status: int
    ms: float
    key: str
    brains: Sequence[str]


def start(level: str, stream: TextIO | None = None, *, with_requests: bool = True) -> None:
    """Let this process log to standard error from now on, those that serve beneath it included.

    Args:
        level: `debug`, `info`, `warning` or `error`.
        stream: to write to in place of standard error.
        with_requests: requests as well, by a thread that a forked process would not have.
    """
    out = sys.stderr if stream is None else stream
    is_plain = out.isatty()
    handler = logging.StreamHandler(out)
    handler.setFormatter(_Lines(is_plain))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("ninebrains").setLevel(level.upper())
    for name in ("_granian", "granian.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    for name in _DEAR:  # at lower levels they tell of URLs and bodies
        logging.getLogger(name).setLevel(logging.WARNING)
    if with_requests:
        access.open(out, is_plain=is_plain)


def redact(text: str) -> str:
    """A text without keys, queries of URLs, and names and passwords in them."""
    return _SECRETS.sub("*", text)


class AccessLog:
    """Takes note of requests in well under a microsecond each, and writes them soon after."""

    def __init__(self) -> None:
        self._waiting: deque[Visit] = deque()
        self._num_left_out = 0
        self._out: TextIO | None = None
        self._is_plain = False
        self._writing = threading.Lock()
        self._thread: threading.Thread | None = None

    @property
    def is_on(self) -> bool:
        """Whether anything is noted: where a log was started, at the level `info` or below."""
        return self._out is not None and _requests.isEnabledFor(logging.INFO)

    def open(self, out: TextIO | None, *, is_plain: bool = False) -> None:
        """Write to `out` from now on."""
        self._out, self._is_plain = out, is_plain
        if out is not None and self._thread is None:
            self._thread = threading.Thread(target=self._write_on, name="access-log", daemon=True)
            self._thread.start()
            atexit.register(self.flush)

    def note(self, visit: Visit) -> None:
        """Remember a request for the log."""
        if len(self._waiting) < _MOST_WAITING:
            self._waiting.append(visit)
        else:
            self._num_left_out += 1

    def flush(self) -> None:
        """Write what is waiting."""
        out = self._out
        with self._writing:
            lines = [_line_of(self._waiting.popleft(), self._is_plain) for _ in self._now()]
            left_out, self._num_left_out = self._num_left_out, 0
            if left_out:
                told: dict[str, Plain] = {"event": "left out", "num_lines": left_out}
                lines.append(_line(time.time(), "warning", told, self._is_plain))
            if lines and out is not None:
                with suppress(OSError, ValueError):  # nobody is there to be told
                    out.write("".join(lines))
                    out.flush()

    def _now(self) -> range:
        return range(len(self._waiting))

    def _write_on(self) -> None:
        while True:
            time.sleep(_PAUSE_SECONDS)
            if self._waiting or self._num_left_out:
                self.flush()


access = AccessLog()
"""The access log of this process; off until `start`."""


class _Lines(logging.Formatter):
    """One line a record; what is given as `extra` becomes members of its object."""

    def __init__(self, is_plain: bool) -> None:
        super().__init__()
        self._is_plain = is_plain

    def format(self, record: logging.LogRecord) -> str:
        told: dict[str, Plain] = {"event": redact(record.getMessage())}
        for name, value in record.__dict__.items():
            if name not in _RECORD:
                told[name] = redact(str(value))
        if not record.name.startswith("ninebrains"):
            told["from"] = record.name
        if record.exc_info and record.exc_info[1] is not None:
            told["exception"] = redact("".join(traceback.format_exception(record.exc_info[1])))
        return _line(record.created, record.levelname.lower(), told, self._is_plain)[:-1]


def _line_of(visit: Visit, is_plain: bool) -> str:
    path = visit.path[:_MOST_PATH]
    told: dict[str, Plain] = {
        "event": "request",
        "request_id": visit.request_id,
        "method": visit.method,
        "path": redact(path) if "nb_" in path or "?" in path else path,
        "status": visit.status,
        "ms": round(visit.ms, 3),
    }
    if visit.key:
        told["key"] = visit.key
    if visit.brains:
        told["brains"] = list(visit.brains)
    return _line(visit.seconds, "info", told, is_plain)


def _line(seconds: float, level: str, told: dict[str, Plain], is_plain: bool) -> str:
    when = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    if not is_plain:
        whole = {"time": f"{when[:-6]}Z", "level": level, **told}
        try:
            return orjson.dumps(whole).decode() + "\n"
        except TypeError:  # a path may hold halves of letters
            return json.dumps(whole) + "\n"
    trace = told.pop("exception", None)
    event, *rest = (_plain(name, value) for name, value in told.items())
    after = "" if trace is None else f"\n{trace}"
    return f"{when[11:23]} {level:<7} {' '.join([event, *rest])}{after}\n"


def _plain(name: str, value: Plain) -> str:
    shown = ",".join(value) if isinstance(value, (list, tuple)) else str(value)
    safe = shown.encode("unicode_escape").decode() if not shown.isprintable() else shown
    return safe if name == "event" else f"{name}={safe}"
