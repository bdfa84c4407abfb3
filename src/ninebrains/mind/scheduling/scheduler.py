"""The scheduler: admits requests, and runs their work in batches on a few threads."""

from __future__ import annotations

import atexit
import functools
import math
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

from ninebrains.errors import BrainError, ClosedError, DeadlineError, OverloadError
from ninebrains.mind.scheduling.admission import Waiter
from ninebrains.mind.scheduling.lanes import Item, Lane, P
from ninebrains.mind.scheduling.tickets import PRIORITIES, Priority, R, Ticket
from ninebrains.mind.scheduling.works import Works, seconds_left

__all__ = ["Item", "Lane", "LaneStats", "Priority", "Scheduler", "SchedulerStats", "Ticket"]

_EXIT_SECONDS = 1.0
"""How long the end of the program waits for the batches that are running."""


@dataclass(frozen=True, slots=True)
class LaneStats:
    """What a lane did so far; a batch of n costs each * n + fixed seconds."""

    name: str
    queued: int
    batches: int
    items: int
    each: float
    fixed: float


@dataclass(frozen=True, slots=True)
class SchedulerStats:
    """Tickets pending, callers waiting for room, and how many tickets ended in which way so far."""

    pending: int
    waiting: int
    answered: int
    failed: int
    expired: int
    cancelled: int
    refused: int
    lanes: tuple[LaneStats, ...]


class _Own(threading.local):
    """What a caller's thread that works itself has still to do; None in all other threads."""

    items: deque[tuple[Lane[Any, Any], Item[Any, Any]]] | None = None


class Scheduler:
    """Runs items in batches on pools of threads.

    A request is admitted, which gives it a ticket; its items are put into lanes, one after the
    other or at the same time; the work of a lane settles the ticket or puts on. Admission is where
    load is refused: whoever has a ticket can put without ever being blocked.

    All methods may be called from any thread. Callbacks of futures and the work of lanes run
    outside of every lock; a callback should be quick, as it holds up a worker.

    Args:
        pools: number of threads by pool name.
        max_pending: how many tickets may be open; flows with less than their share of that still
            get in when it is reached, up to twice as many in all.
    """

    def __init__(self, pools: Mapping[str, int], *, max_pending: int) -> None:
        if max_pending < 1 or min(pools.values(), default=0) < 1:
            raise BrainError(
                f"max_pending is {max_pending} and the threads are {dict(pools)}; "
                "all of these must be at least 1"
            )
        self._works = Works(pools, max_pending)
        self._own = _Own()
        _open_works.add(self._works)
        weakref.finalize(self, _abandon, self._works).atexit = False

    def admit(
        self,
        *,
        flow: Hashable,
        priority: Priority = "interactive",
        deadline_ms: float | None = None,
        lanes: Sequence[Lane[Any, Any]] = (),
        wait: bool = False,
    ) -> Ticket[R]:
        """Let a request in.

        Args:
            flow: whose it is: flows are served in turn and share the places.
            priority: "interactive" goes before "bulk".
            deadline_ms: fail it with DeadlineError so many milliseconds from now.
            lanes: those that it will pass.
            wait: if it is full, wait until there is room instead of being refused.

        Raises:
            OverloadError: too many are pending, or those ahead take longer than the deadline.
            DeadlineError: `deadline_ms` is not above 0, or passed while waiting for room.
            ClosedError: the scheduler is closed or closing.
        """
        if self.is_forked:
            raise ClosedError(
                "this process was forked from the one that made the mind, whose threads it does "
                "not have. Make a new mind in it"
            )
        if wait:
            self.check_may_wait()
        now = time.monotonic()
        _check(priority, deadline_ms)
        deadline = None if deadline_ms is None else now + float(deadline_ms) / 1e3
        ticket: Ticket[R] = Ticket(flow, priority, deadline, tuple(lanes), now, self._works.end)
        works = self._works
        with works.lock:
            self._check_open()
            for lane in ticket.lanes:
                works.know_with_lock(lane)
            if deadline_ms is not None:
                self._check_wait(ticket, deadline_ms)
            if works.places.has_room(flow):
                works.places.take(flow)
                works.open_with_lock(ticket, now)
                return ticket
            if not wait:
                works.counts["refused"] += 1
                raise works.places.refusal(flow)
            waiter = works.places.line_up(flow)
        self._stand_in_line(waiter, ticket)
        return ticket

    def put(self, lane: Lane[R, P], ticket: Ticket[R], payload: P) -> None:
        """Queue work for a ticket; never blocks, and does nothing if the ticket is over."""
        item = Item(ticket, payload)
        if self._own.items is None:
            self._works.put(lane, item)
        else:
            self._own.items.append((lane, item))

    def work_on(self, lane: Lane[R, P], ticket: Ticket[R], payload: P) -> None:
        """As `put`, for a caller who waits for the answer: it does the work meanwhile.

        Where a worker of the lane's pool is idle and nothing else waits for it, this thread does
        its work, and what that puts on; handing over to another thread takes longer than a small
        network. The rest is queued. There are never more at work than the pool has threads.
        """
        before, self._own.items = self._own.items, deque([(lane, Item(ticket, payload))])
        try:
            while self._own.items:
                where, item = self._own.items.popleft()
                if not self._works.work_on(where, item):
                    self._works.put(where, item)
        finally:
            self._own.items = before

    def close(self, *, drain: bool = True, timeout: float | None = None) -> None:
        """Admit nobody any more, finish the admitted, end the threads and wait for them.

        Safe to call again and from several threads. Called by a callback or by work, in a thread
        of its own, it does not wait: the threads end when they are done.

        Args:
            drain: answer what was admitted; False fails it with ClosedError.
            timeout: seconds; what is not answered by then fails with ClosedError, and threads
                that are still busy are left to end by themselves.
        """
        if not self.is_forked:
            self._works.close(drain=drain, timeout=timeout)

    def stats(self) -> SchedulerStats:
        """Count what happened so far."""
        works = self._works
        with works.lock:
            lanes = sorted(works.lanes, key=lambda lane: lane.name)
            return SchedulerStats(
                pending=works.places.num_taken,
                waiting=works.places.num_waiting,
                **works.counts,
                lanes=tuple(
                    LaneStats(
                        lane.name,
                        len(lane),
                        lane.num_batches,
                        lane.num_items,
                        lane.cost.each,
                        lane.cost.fixed,
                    )
                    for lane in lanes
                ),
            )

    @property
    def is_forked(self) -> bool:
        """Whether this process is a child of the one whose threads do the work."""
        return self._works.process != os.getpid()

    def check_may_wait(self) -> None:
        """Refuse to let one of its own threads wait for an answer, which it would have to give.

        Raises:
            BrainError: this is such a thread, in a callback of a request.
        """
        works = self._works
        if threading.current_thread() in (*works.workers, works.clock.thread):
            raise BrainError(
                "a callback of a request waits for another answer in the thread that gives the "
                "answers, which would be forever. Use submit there, or another thread"
            )

    def _check_open(self) -> None:
        if self._works.is_closing:
            raise ClosedError("closed: no more requests are taken. Make a new mind for more")

    def _check_wait(self, ticket: Ticket[Any], deadline_ms: float) -> None:
        """Refuse a ticket that could only be late."""
        places = self._works.places
        # In turns, a flow waits for one item of each flow before each of its own.
        flows = places.num_flows_with(ticket.flow)
        turns = (places.of_flow(ticket.flow) + 1) * flows - 1
        waits = {
            lane: lane.seconds_ahead(ticket.priority, turns)
            / self._works.pools[lane.pool].num_threads
            for lane in dict.fromkeys(ticket.lanes)
        }
        wait_ms = 1e3 * sum(waits.values())
        if wait_ms > deadline_ms:
            self._works.counts["refused"] += 1
            slowest = max(waits, key=lambda lane: waits[lane])
            raise OverloadError(
                f"refused: it would wait about {wait_ms:.0f} ms for requests before it, most of "
                f"that in {slowest.name!r}, which is longer than its deadline of "
                f"{deadline_ms:.0f} ms. Send fewer at once, or give requests more time"
            )

    def _stand_in_line(self, waiter: Waiter, ticket: Ticket[Any]) -> None:
        """Block until there is a place, the deadline has passed or the scheduler closes."""
        works = self._works
        is_in = False
        try:
            left = seconds_left(ticket.deadline)
            waiter.gate.acquire(timeout=-1 if left is None else left)
            with works.lock:
                if waiter.got and not works.is_closing:
                    works.open_with_lock(ticket, time.monotonic())
                    is_in = True
                    return
                self._check_open()
                works.counts["refused"] += 1
            raise DeadlineError(
                "there was no room for the request before its deadline. Give it more time, send "
                "fewer at once, or allow more with max_pending"
            )
        finally:
            if not is_in:
                with works.lock:
                    works.places.leave(waiter)
                    if works.is_closing:
                        works.stop_if_drained_with_lock()


def _check(priority: Priority, deadline_ms: float | None) -> None:
    if priority not in PRIORITIES:
        raise BrainError(f"priority is {priority!r}; it must be one of {', '.join(PRIORITIES)}")
    if deadline_ms is None:
        return
    is_number = isinstance(deadline_ms, Real) and not isinstance(deadline_ms, bool)
    if not is_number or not math.isfinite(deadline_ms):
        raise BrainError(
            f"deadline_ms is {deadline_ms!r}; it must be a number of milliseconds, or None for no "
            "deadline"
        )
    if deadline_ms <= 0:
        raise DeadlineError(f"the deadline has passed: deadline_ms is {deadline_ms}")


_open_works: weakref.WeakSet[Works] = weakref.WeakSet()


def _abandon(works: Works) -> None:
    """Close behind a scheduler that was dropped; what it admitted is still answered.

    The garbage collector may call this in a thread that holds the lock, so another has to take it.
    """
    if not works.is_drained:
        close = functools.partial(works.close, drain=True, timeout=None)
        threading.Thread(target=close, name="mind-close", daemon=True).start()


@atexit.register
def _close_all() -> None:
    """At the end of the program, fail what nobody waits for, so that no thread outlives it."""
    for works in list(_open_works):
        if works.process == os.getpid():  # threads do not survive a fork
            works.close(drain=False, timeout=_EXIT_SECONDS)
