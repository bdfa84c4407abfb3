"""Tickets: the place that one request holds in a mind until it is answered, failed or cancelled."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from ninebrains.errors import DeadlineError

if TYPE_CHECKING:
    from ninebrains.mind.scheduling.lanes import Item, Lane

Priority = Literal["interactive", "bulk"]
PRIORITIES: tuple[Priority, ...] = ("interactive", "bulk")
"""The first goes before the second."""

Outcome = Literal["answered", "failed", "expired", "cancelled"]

R = TypeVar("R")

_log = logging.getLogger(__name__)


class TicketFuture(Future[R]):
    """A future that can be cancelled until it is settled, also while its work is running.

    It never enters the state "running". Cancelling it frees the ticket's place at once.
    """

    def __init__(self, ticket: Ticket[R]) -> None:
        super().__init__()
        # Gone once settled: otherwise future and ticket, and with them the answer, would wait for
        # the garbage collector.
        self._ticket: Ticket[R] | None = ticket

    def cancel(self) -> bool:
        """Cancel the request unless it is settled; return whether it is cancelled now."""
        ticket = self._ticket
        if ticket is None:
            return self.cancelled()
        if not ticket.claim("cancelled"):
            return ticket.outcome == "cancelled"
        super().cancel()
        self.set_running_or_notify_cancel()  # or concurrent.futures.wait would never hear of it
        self._ticket = None
        return True

    def settle(self, value: R | None, error: BaseException | None) -> None:
        """Hand over the outcome; called once, by whoever claimed the ticket."""
        self._ticket = None
        try:
            if error is None:
                self.set_result(value)  # type: ignore[arg-type]
            else:
                self.set_exception(error)
        except BaseException:
            # The outcome is set by now. What escapes is a callback's SystemExit or the like, which
            # must not fail the others that are answered by the same worker.
            if threading.current_thread() is threading.main_thread():
                raise
            _log.exception("a callback of a request ended with an exception")


class Ticket(Generic[R]):
    """One admitted request. Made by `Scheduler.admit`; safe under many threads.

    Attributes:
        flow: whose request it is; flows are served in turn.
        priority: "interactive" before "bulk".
        deadline: when it fails with DeadlineError, on the clock of time.monotonic(); or None.
        lanes: the lanes that it will pass, as far as known; what waits and estimates rest on.
        future: pending until the ticket is settled.
        submitted: when it was admitted, on the same clock.
        outcome: None while the ticket is open.
    """

    __slots__ = (
        "__weakref__",
        "_close",
        "ahead",
        "deadline",
        "flow",
        "future",
        "lanes",
        "outcome",
        "priority",
        "queued",
        "submitted",
    )

    def __init__(
        self,
        flow: Hashable,
        priority: Priority,
        deadline: float | None,
        lanes: tuple[Lane[Any, Any], ...],
        submitted: float,
        close: Callable[[Ticket[Any], Outcome], bool],
    ) -> None:
        self.flow = flow
        self.priority: Priority = priority
        self.deadline = deadline
        self.lanes = lanes
        self.submitted = submitted
        self.outcome: Outcome | None = None
        self.future: Future[R] = TicketFuture(self)
        self._close = close
        # Both belong to the scheduler, under its lock: lanes not reached yet, and items in queues.
        self.ahead: list[Lane[Any, Any]] = list(lanes)
        self.queued: list[Item[Any, Any]] = []

    @property
    def is_over(self) -> bool:
        """Whether it is answered, failed, expired or cancelled: work for it is in vain."""
        return self.outcome is not None

    def claim(self, outcome: Outcome) -> bool:
        """Free the ticket's place; True for the one caller who may and must settle its future."""
        return self._close(self, outcome)

    def succeed(self, value: R) -> None:
        """Answer the request; without effect if it is over. Runs the future's callbacks.

        An answer after the deadline is none, also where the clock has not looked since.
        """
        if self.deadline is not None and time.monotonic() > self.deadline:
            self.expire()
        elif self.claim("answered"):
            self._settle(value, None)

    def expire(self) -> None:
        """Fail the request, whose deadline has passed; without effect if it is over."""
        assert self.deadline is not None
        allowed = 1e3 * (self.deadline - self.submitted)
        error = DeadlineError(
            f"not answered within {allowed:.0f} ms, the deadline that was given. Give requests "
            "more time, send fewer at once, or use fewer or smaller brains"
        )
        self.fail(error, "expired")

    def fail(self, error: BaseException, outcome: Outcome = "failed") -> None:
        """Fail the request; without effect if it is over. Runs the future's callbacks."""
        if self.claim(outcome):
            self._settle(None, error)

    def _settle(self, value: R | None, error: BaseException | None) -> None:
        future = self.future
        assert isinstance(future, TicketFuture)
        future.settle(value, error)
