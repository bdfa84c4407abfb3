"""The clock that fails each ticket at its deadline, whatever the workers are busy with."""

from __future__ import annotations

import heapq
import itertools
import math
import threading
import time
import weakref
from typing import Any

from ninebrains.mind.scheduling.tickets import Ticket

_FEW = 64
"""Below so many kept tickets nobody minds that some of them are over."""


class Clock:
    """Tickets by deadline, and a thread that sleeps until the earliest.

    Tickets are held weakly, so that answers do not stay in memory until their deadline. Every
    method but `run` is called with the lock held that the clock was made with.
    """

    def __init__(self, lock: threading.Lock) -> None:
        self._lock = lock
        self._changed = threading.Condition(lock)
        self._tickets: list[tuple[float, int, weakref.ref[Ticket[Any]]]] = []
        self._numbers = itertools.count()
        self._num_over = 0
        self._wakes_at = -math.inf  # it is awake
        self._is_stopped = False
        self.thread = threading.Thread(target=self.run, name="mind-clock", daemon=True)
        self.thread.start()

    def watch(self, ticket: Ticket[Any], deadline: float) -> None:
        """Fail the ticket at its deadline, unless it is over by then."""
        heapq.heappush(self._tickets, (deadline, next(self._numbers), weakref.ref(ticket)))
        if deadline < self._wakes_at:
            self._changed.notify()

    def forget(self) -> None:
        """Note that a watched ticket is over; once most are, they are dropped."""
        self._num_over += 1
        if self._num_over > _FEW and 2 * self._num_over > len(self._tickets):
            self._tickets = [entry for entry in self._tickets if _is_open(entry[2]())]
            heapq.heapify(self._tickets)
            self._num_over = 0

    def stop(self) -> None:
        """End the thread."""
        self._is_stopped = True
        self._changed.notify_all()

    def run(self) -> None:
        """Sleep until the earliest deadline, fail what is due, and so on until stopped."""
        while True:
            with self._lock:
                due = self._due()
                while not due:
                    if self._is_stopped:
                        return
                    self._wakes_at = self._tickets[0][0] if self._tickets else math.inf
                    self._changed.wait(_seconds_to(self._wakes_at))
                    self._wakes_at = -math.inf
                    due = self._due()
            while due:
                due.pop().expire()

    def _due(self) -> list[Ticket[Any]]:
        now = time.monotonic()
        due = []
        while self._tickets and self._tickets[0][0] <= now:
            ticket = heapq.heappop(self._tickets)[2]()
            if ticket is not None and not ticket.is_over:
                due.append(ticket)
            else:
                self._num_over = max(0, self._num_over - 1)
        due.reverse()  # the earliest is taken from the end first
        return due


def _is_open(ticket: Ticket[Any] | None) -> bool:
    return ticket is not None and not ticket.is_over


def _seconds_to(moment: float) -> float | None:
    """How long to sleep; None for ever. Threads cannot sleep longer than TIMEOUT_MAX."""
    if moment == math.inf:
        return None
    return min(max(0.0, moment - time.monotonic()), threading.TIMEOUT_MAX)
