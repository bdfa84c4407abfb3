"""Work that takes longer than a request: one piece after the other, with progress and an end."""

from __future__ import annotations

import logging
import queue
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ninebrains.errors import MissingError, NinebrainsError
from ninebrains.studio.events import Events

_KEPT = 200
_TELL_SECONDS = 0.1
_log = logging.getLogger("ninebrains.studio")


class CancelledError(NinebrainsError):
    """Someone has cancelled the work."""


@dataclass
class Job:
    """A piece of work.

    Attributes:
        id: to ask for it by.
        kind: such as `import`, `map` or `export`.
        title: in words.
        state: waiting, running, done, failed or cancelled.
        stage: what it is at.
        done: of total.
        total: 0 while nobody knows.
        result: once it is done.
        error: why it failed.
    """

    id: str
    kind: str
    title: str
    state: str = "waiting"
    stage: str = ""
    done: int = 0
    total: int = 0
    result: Any = None
    error: str | None = None
    _events: Events | None = field(default=None, repr=False)
    _told: float = 0.0
    _is_cancelled: bool = False

    def progress(self, done: int, total: int, stage: str = "") -> None:
        """Tell how far it is.

        Raises:
            CancelledError: it shall end.
        """
        if self._is_cancelled:
            raise CancelledError("cancelled")
        self.done, self.total, self.stage = done, total, stage or self.stage
        now = time.monotonic()
        if self._events is not None and (now - self._told > _TELL_SECONDS or done == total):
            self._told = now
            self._events.tell("job", **self.plain())

    def cancel(self) -> None:
        """Have it end at the next occasion."""
        self._is_cancelled = True

    @property
    def is_over(self) -> bool:
        """Whether nothing more comes of it."""
        return self.state in ("done", "failed", "cancelled")

    def plain(self) -> dict[str, Any]:
        """For the page."""
        names = ("id", "kind", "title", "state", "stage", "done", "total", "result", "error")
        return {name: getattr(self, name) for name in names}


class Jobs:
    """Does jobs, one at a time for each lane, in threads of its own."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._jobs: dict[str, Job] = {}
        self._lanes: dict[str, queue.Queue[tuple[Job, Callable[[Job], Any]] | None]] = {}
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()

    def start(self, kind: str, title: str, work: Callable[[Job], Any], lane: str = "") -> Job:
        """Have something done, after what is waiting in the same lane."""
        job = Job(secrets.token_hex(6), kind, title, _events=self._events)
        with self._lock:
            self._jobs[job.id] = job
            for old in [one for one in self._jobs.values() if one.is_over][:-_KEPT]:
                del self._jobs[old.id]
            lane = lane or kind
            if lane not in self._lanes:
                self._lanes[lane] = queue.Queue()
                thread = threading.Thread(
                    target=self._run, args=(self._lanes[lane],), name=f"studio-{lane}", daemon=True
                )
                self._threads.append(thread)
                thread.start()
            self._lanes[lane].put((job, work))
        self._events.tell("job", **job.plain())
        return job

    def find(self, job_id: str) -> Job:
        """The job with an id.

        Raises:
            MissingError: it is long over, or never was.
        """
        with self._lock:
            job = self._jobs.get(job_id)
        if job is None:
            raise MissingError("there is no such job any more; reload the page")
        return job

    def current(self) -> list[Job]:
        """Jobs that are not over."""
        with self._lock:
            return [job for job in self._jobs.values() if not job.is_over]

    def close(self) -> None:
        """Cancel everything, and wait until it has ended."""
        for job in self.current():
            job.cancel()
        with self._lock:
            for lane in self._lanes.values():
                lane.put(None)
        for thread in self._threads:
            thread.join(timeout=30.0)

    def _run(self, lane: queue.Queue[tuple[Job, Callable[[Job], Any]] | None]) -> None:
        while (taken := lane.get()) is not None:
            job, work = taken
            job.state = "running"
            try:
                job.progress(0, job.total)
                job.result = work(job)
                job.state = "done"
            except CancelledError:
                job.state = "cancelled"
            except NinebrainsError as error:
                job.state, job.error = "failed", str(error)
            except Exception as error:  # noqa: BLE001 - later jobs must still be done
                job.state = "failed"
                job.error = f"internal error: {type(error).__name__}: {error}"
                _log.exception("a job of the studio failed")
            self._events.tell("job", **job.plain())
