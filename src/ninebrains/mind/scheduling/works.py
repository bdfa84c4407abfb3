"""The threads behind a scheduler, and the state that they share under one lock."""

from __future__ import annotations

import copy
import os
import threading
import time
from collections.abc import Mapping
from typing import Any
from weakref import WeakSet

from ninebrains.errors import BrainError, ClosedError, NinebrainsError
from ninebrains.mind.scheduling.admission import Places
from ninebrains.mind.scheduling.deadlines import Clock
from ninebrains.mind.scheduling.lanes import AnyItem
from ninebrains.mind.scheduling.pools import AnyLane, Batch, Pool
from ninebrains.mind.scheduling.tickets import Outcome, Ticket


class Works:
    """What tickets, workers and the clock share.

    It is apart from the Scheduler so that the threads hold no reference to that: a scheduler which
    is dropped without being closed can be collected, and its threads then end.

    No callback and no work runs while the lock is held; methods named `with_lock` expect it held.
    """

    def __init__(self, pools: Mapping[str, int], max_pending: int) -> None:
        self.lock = threading.Lock()
        self.places = Places(max_pending)
        self.clock = Clock(self.lock)
        self.pools = {name: Pool(name, count, self.lock) for name, count in pools.items()}
        self.lanes: WeakSet[AnyLane] = WeakSet()
        self.tickets: set[Ticket[Any]] = set()
        self.counts: dict[Outcome | str, int] = dict.fromkeys(
            ("answered", "failed", "expired", "cancelled", "refused"), 0
        )
        self.is_closing = False
        self.drained = threading.Condition(self.lock)
        self.process = os.getpid()
        self.workers = [
            threading.Thread(
                target=self._work, args=(pool,), name=f"mind-{pool.name}-{number}", daemon=True
            )
            for pool in self.pools.values()
            for number in range(pool.num_threads)
        ]
        for worker in self.workers:
            worker.start()

    def open_with_lock(self, ticket: Ticket[Any], now: float) -> None:
        """Let in a ticket whose place is taken and whose lanes are known."""
        self.tickets.add(ticket)
        for lane in ticket.ahead:
            lane.expect(ticket, now)
        if ticket.deadline is not None:
            self.clock.watch(ticket, ticket.deadline)

    def know_with_lock(self, lane: AnyLane) -> None:
        """Make sure that a lane can be found again for as long as it lives."""
        if lane.is_known:
            return
        if lane.pool not in self.pools:
            raise ValueError(
                f"lane {lane.name!r} is for a pool {lane.pool!r}, but there are only "
                f"{', '.join(self.pools)}"
            )
        lane.is_known = True
        self.lanes.add(lane)

    def put(self, lane: AnyLane, item: AnyItem) -> None:
        """Queue an item, unless its ticket is over, and wake one worker for it."""
        ticket = item.ticket
        with self.lock:
            if ticket.outcome is not None:
                return
            self.know_with_lock(lane)
            lane.receive(item, time.monotonic())
            pool = self.pools[lane.pool]
            pool.enlist(lane, ticket.priority)
            pool.wake()

    def work_on(self, lane: AnyLane, item: AnyItem) -> bool:
        """Work on an item in this thread, in an idle worker's place; False if there is none.

        What the work raises settles the ticket, as with a worker; an interrupt goes on, besides.
        """
        ticket = item.ticket
        with self.lock:
            if ticket.outcome is not None:
                return True
            self.know_with_lock(lane)
            pool = self.pools[lane.pool]
            now = time.monotonic()
            if not lane.is_quick_for(ticket, now) or not pool.let_in():
                return False
            lane.welcome(ticket, now)
            lane.running += 1
        batch = Batch(lane, (item,), ticket.priority, 1, 0.0)
        started = time.perf_counter()
        is_whole = False
        try:
            is_whole = _run(batch, goes_on=(KeyboardInterrupt, SystemExit))
        finally:
            with self.lock:
                seconds = time.perf_counter() - started
                self._finish_with_lock(pool, batch, seconds, is_whole=is_whole)
                pool.let_out()
        return True

    def end(self, ticket: Ticket[Any], outcome: Outcome) -> bool:
        """Free everything that an open ticket holds; False if it is over already."""
        with self.lock:
            if ticket.outcome is not None:
                return False
            ticket.outcome = outcome
            self.counts[outcome] += 1
            self.tickets.remove(ticket)
            for item in ticket.queued:
                if item.queue is not None:
                    item.queue.remove(item)
            ticket.queued.clear()
            for lane in ticket.ahead:
                lane.coming[ticket.priority] -= 1
                if lane.held_since is not None:  # is it still worth waiting, and for whom?
                    self.pools[lane.pool].wake()
            ticket.ahead.clear()
            if ticket.deadline is not None:
                self.clock.forget()
            self.places.give_back(ticket.flow)
            if self.is_closing:
                self.stop_if_drained_with_lock()
        return True

    def start_closing_with_lock(self) -> None:
        """Admit nobody from now on; once the last ticket is over all threads end."""
        self.is_closing = True
        self.places.send_away()
        self.stop_if_drained_with_lock()

    def stop_if_drained_with_lock(self) -> None:
        """End the threads if nothing is left for them to do."""
        if self.is_drained:
            self.drained.notify_all()
            self.clock.stop()
            for pool in self.pools.values():
                pool.wake_all()

    @property
    def is_drained(self) -> bool:
        """Whether it is closing and the last ticket is over."""
        return self.is_closing and not self.places.num_taken

    def close(self, *, drain: bool, timeout: float | None) -> None:
        """See Scheduler.close."""
        end = None if timeout is None else time.monotonic() + timeout
        threads = [*self.workers, self.clock.thread]
        is_own = threading.current_thread() in threads
        with self.lock:
            self.start_closing_with_lock()
            if drain and not is_own:
                self.drained.wait_for(lambda: self.is_drained, seconds_left(end))
            unfinished = [] if drain and is_own else list(self.tickets)
        for ticket in unfinished:
            ticket.fail(
                ClosedError(
                    "closed before the request was answered. Close with drain=True and enough "
                    "time, or wait for all answers before closing"
                )
            )
        for thread in threads:
            if not is_own:
                thread.join(seconds_left(end))

    def _work(self, pool: Pool) -> None:
        """A worker's life: choose a batch, run it, until drained."""
        batch = None
        seconds = 0.0
        is_whole = False
        while True:
            with self.lock:
                if batch is not None:
                    self._finish_with_lock(pool, batch, seconds, is_whole=is_whole)
                    batch = None  # or a sleeping worker would keep the last lane alive
                batch = self._next_with_lock(pool)
                if batch is None:
                    return
            started = time.perf_counter()
            is_whole = _run(batch)
            seconds = time.perf_counter() - started

    def _next_with_lock(self, pool: Pool) -> Batch | None:
        """Wait for a batch; None when drained."""
        while True:
            if pool.num_guests > pool.num_idle and not self.is_drained:
                pool.sleep(None)  # a guest stands in for this one; it wakes somebody when done
                continue
            now = time.monotonic()
            batch, look_again = pool.choose(now)
            if batch is not None:
                batch.lane.running += len(batch.items)
                return batch
            if self.is_drained:
                return None
            pool.sleep(seconds_left(look_again))

    @staticmethod
    def _finish_with_lock(pool: Pool, batch: Batch, seconds: float, *, is_whole: bool) -> None:
        lane = batch.lane
        num_items = len(batch.items)
        lane.running -= num_items
        lane.num_batches += 1
        lane.num_items += num_items
        pool.finish(batch, seconds)
        if is_whole:  # the time of a batch that broke off says little
            lane.cost.observe(num_items, seconds)


def _run(batch: Batch, goes_on: tuple[type[BaseException], ...] = ()) -> bool:
    """Work on a batch; return whether it ended well. Nothing escapes: a worker lives on.

    What is of a type in `goes_on` is raised all the same: in a thread that is no worker.
    """
    try:
        batch.lane.work(batch.items)
    except BaseException as error:
        for item in batch.items:
            item.ticket.fail(_for_one(error, batch))
        if isinstance(error, goes_on):
            raise
        return False
    return True


def _for_one(error: BaseException, batch: Batch) -> NinebrainsError:
    """The error for one ticket of several: raising one object in many threads mixes tracebacks."""
    if isinstance(error, NinebrainsError):
        if len(batch.items) == 1:
            return error
        copied = copy.copy(error)
        copied.__cause__ = error
        return copied
    internal = BrainError(
        f"internal error in {batch.lane.name!r}, in a batch of {len(batch.items)}: "
        f"{type(error).__name__}: {error}. Please report it with the traceback above"
    )
    internal.__cause__ = error
    return internal


def seconds_left(end: float | None) -> float | None:
    """The seconds left until a moment; None if there is no end."""
    if end is None or end == float("inf"):
        return None
    return min(max(0.0, end - time.monotonic()), threading.TIMEOUT_MAX)
