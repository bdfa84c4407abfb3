"""What happens in a project, told to every open page; a page that was away catches up."""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections import deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

_KEPT = 500
_MOST_WAITING = 1_000
_SILENCE_SECONDS = 15.0


@dataclass(frozen=True)
class Event:
    """Something that happened.

    Attributes:
        number: counts up.
        kind: such as `revision`.
        data: for the page.
    """

    number: int
    kind: str
    data: Mapping[str, Any]


class Events:
    """Takes events from any thread and gives them to all listeners, in order."""

    def __init__(self) -> None:
        # Numbers of another process say nothing here: a page that has them starts afresh.
        self._start = secrets.token_hex(4)
        self._kept: deque[Event] = deque(maxlen=_KEPT)
        self._number = 0
        self._lock = threading.Lock()
        self._is_closed = False
        self._listeners: dict[asyncio.Queue[Event | None], asyncio.AbstractEventLoop] = {}

    def tell(self, kind: str, /, **data: object) -> None:
        """Tell all pages of something."""
        with self._lock:
            self._number += 1
            event = Event(self._number, kind, data)
            self._kept.append(event)
            for queue, loop in self._listeners.items():
                loop.call_soon_threadsafe(_put, queue, event)

    def close(self) -> None:
        """Let all pages go, also those that come again."""
        with self._lock:
            self._is_closed = True
            for queue, loop in self._listeners.items():
                loop.call_soon_threadsafe(_put, queue, None)

    async def listen(self, last: str | None) -> AsyncIterator[bytes]:
        """The events as a stream for `EventSource`, from the one after `last` on.

        A page whose last event is forgotten, or of an earlier start, first gets `reset`.
        """
        queue: asyncio.Queue[Event | None] = asyncio.Queue()
        with self._lock:
            if self._is_closed:
                return
            missed = self._missed(last)
            self._listeners[queue] = asyncio.get_running_loop()
        try:
            yield b"retry: 1000\n\n"
            if missed is None:
                yield self._bytes(Event(self._number, "reset", {}))
            for event in missed or ():
                yield self._bytes(event)
            while True:
                try:
                    told = await asyncio.wait_for(queue.get(), _SILENCE_SECONDS)
                except TimeoutError:
                    yield b": still here\n\n"
                    continue
                if told is None or queue.qsize() > _MOST_WAITING:
                    return  # the page comes again, and catches up
                yield self._bytes(told)
        finally:
            with self._lock:
                self._listeners.pop(queue, None)

    def _missed(self, last: str | None) -> list[Event] | None:
        if not last:
            return None
        start, _, text = last.partition("-")
        if start != self._start or not text.isdecimal() or len(text) > 15:
            return None
        number = int(text)
        oldest = self._kept[0].number if self._kept else self._number + 1
        if number + 1 < oldest or number > self._number:
            return None
        return [event for event in self._kept if event.number > number]

    def _bytes(self, event: Event) -> bytes:
        data = orjson.dumps(event.data, option=orjson.OPT_SERIALIZE_NUMPY)
        mark = f"{self._start}-{event.number}"
        return f"id: {mark}\nevent: {event.kind}\ndata: ".encode() + data + b"\n\n"


def _put(queue: asyncio.Queue[Event | None], event: Event | None) -> None:
    queue.put_nowait(event)
