"""A pool's choice of what to run next: which lane, which items, and whether to wait for more."""

from __future__ import annotations

import heapq
import itertools
import math
import threading
from typing import Any, NamedTuple

from ninebrains.mind.scheduling.lanes import AnyItem, Lane
from ninebrains.mind.scheduling.tickets import PRIORITIES, Priority

_RIDERS = 2.0
"""Items of lower priority may make a batch take so many times as long."""

AnyLane = Lane[Any, Any]


class Batch(NamedTuple):
    """Items to work on; the priority of the first of them; what their turn was charged."""

    lane: AnyLane
    items: tuple[AnyItem, ...]
    priority: Priority
    num_flows: int
    predicted: float


class Pool:
    """The lanes that wait for one pool's threads, in the order of their turns.

    Time is shared among lanes by start-time fair queueing (Goyal, Vin and Cheng, SIGCOMM 1996):
    each turn moves a queue's tag on by its seconds divided by the flows that wait in it, and the
    queue with the lowest tag is next. So a flow gets the same share of time whether it waits alone
    in its lane or with many, and a lane that was idle is served after one turn of each other.

    Every method is called with the scheduler's lock held.
    """

    def __init__(self, name: str, num_threads: int, lock: threading.Lock) -> None:
        self.name = name
        self.num_threads = num_threads
        self.num_idle = 0
        self.num_guests = 0
        self.lock = lock
        self._ready = threading.Condition(lock)
        self._heaps: dict[Priority, list[tuple[float, int, AnyLane]]] = {
            priority: [] for priority in PRIORITIES
        }
        self._now_served = dict.fromkeys(PRIORITIES, 0.0)
        self._numbers = itertools.count()

    def sleep(self, seconds: float | None) -> None:
        """Let the calling worker wait for something to do."""
        self.num_idle += 1
        try:
            self._ready.wait(seconds)
        finally:
            self.num_idle -= 1

    def wake(self) -> None:
        """Wake one idle worker, if there is one that no guest stands in for."""
        if self.has_turn:
            self._ready.notify()

    @property
    def has_turn(self) -> bool:
        """Whether one more than those at work may work: as many at a time as there are threads."""
        return self.num_idle > self.num_guests

    def let_in(self) -> bool:
        """Let a caller's thread stand in for an idle worker, unless something waits for that."""
        if not self.has_turn or any(self._heaps.values()):
            return False
        self.num_guests += 1
        return True

    def let_out(self) -> None:
        """The caller's thread is done."""
        self.num_guests -= 1
        if any(self._heaps.values()):
            self.wake()

    def wake_all(self) -> None:
        """Wake every idle worker."""
        self._ready.notify_all()

    def enlist(self, lane: AnyLane, priority: Priority) -> None:
        """Give a queue that has items its next turn."""
        queue = lane.queues[priority]
        if queue.is_enlisted:
            return
        queue.is_enlisted = True
        queue.tag = max(queue.tag + queue.debt, self._now_served[priority])
        queue.debt = 0.0
        heapq.heappush(self._heaps[priority], (queue.tag, next(self._numbers), lane))

    def choose(self, now: float) -> tuple[Batch | None, float]:
        """Return the next batch, or None and when to look again unless woken before."""
        look_again = math.inf
        for priority in PRIORITIES:
            heap = self._heaps[priority]
            held: list[tuple[float, int, AnyLane]] = []
            batch = None
            while heap and batch is None:
                turn = heapq.heappop(heap)
                lane = turn[2]
                queue = lane.queues[priority]
                if not queue:  # emptied by cancelling, or along with the other priority
                    queue.is_enlisted = False
                elif (until := lane.hold_until(now)) > now:
                    held.append(turn)
                    look_again = min(look_again, until)
                else:
                    batch = self._fill(lane, priority, now)
            for turn in held:
                heapq.heappush(heap, turn)
            # What is held is so for a moment only; a batch of lower priority would take longer.
            if batch is not None or held:
                return batch, look_again
        return None, look_again

    def finish(self, batch: Batch, seconds: float) -> None:
        """Correct what the batch's turn was charged by what it really took."""
        queue = batch.lane.queues[batch.priority]
        queue.debt += (seconds - batch.predicted) / batch.num_flows

    def _fill(self, lane: AnyLane, priority: Priority, now: float) -> Batch:
        queue = lane.queues[priority]
        num_flows = queue.num_flows
        most = lane.cost.best_batch(lane.most)
        others = self.num_idle - self.num_guests
        if others > 0:  # several small batches at a time are sooner done than one large
            most = min(most, math.ceil(len(lane) / (1 + others)))
        items = _keeping_deadlines(lane, queue.take(most), now)
        if priority == PRIORITIES[0]:
            items += _riders(lane, items, most, now)
        predicted = lane.cost.predict(len(items))
        self._charge(lane, priority, predicted / num_flows)
        for item in items:
            item.ticket.queued.remove(item)
        lane.held_since = None
        if any(self._heaps.values()):
            self.wake()
        return Batch(lane, tuple(items), priority, num_flows, predicted)

    def _charge(self, lane: AnyLane, priority: Priority, seconds: float) -> None:
        """Move the queue's tag on, and line it up again if anything is left in it."""
        queue = lane.queues[priority]
        self._now_served[priority] = max(self._now_served[priority], queue.tag)
        queue.tag += seconds
        queue.is_enlisted = False
        if queue:
            self.enlist(lane, priority)


def _keeping_deadlines(lane: AnyLane, items: list[AnyItem], now: float) -> list[AnyItem]:
    """Put back those without which the tightest deadline is kept that can be kept at all."""
    cost = lane.cost
    urgent = sorted(
        (item for item in items if item.ticket.deadline is not None),
        key=lambda item: item.ticket.deadline or 0.0,
    )
    for tight in urgent:
        assert tight.ticket.deadline is not None
        slack = tight.ticket.deadline - now
        if cost.predict(len(items)) <= slack:
            break
        if cost.predict(1) > slack:
            continue  # late even alone: no reason to hurry for it
        size = int((slack - cost.fixed) / cost.each) if cost.each else len(items)
        size = min(max(1, size), len(items))
        others = [item for item in items if item is not tight]
        lane.queues[tight.ticket.priority].give_back(others[size - 1 :])
        return [tight, *others[: size - 1]]
    return items


def _riders(lane: AnyLane, items: list[AnyItem], most: int, now: float) -> list[AnyItem]:
    """Fill a batch up with items of lower priority, as far as those before them can bear it."""
    queue = lane.queues[PRIORITIES[1]]
    if not queue or len(items) >= most or lane.queues[PRIORITIES[0]]:
        return []
    cost, size = lane.cost, most
    bearable = _RIDERS * cost.predict(len(items))
    deadlines = [item.ticket.deadline for item in items if item.ticket.deadline is not None]
    if deadlines and (slack := min(deadlines) - now) > 0:
        bearable = min(bearable, slack)
    if cost.each > 0:
        size = min(size, int((bearable - cost.fixed) / cost.each))
    return queue.take(max(0, size - len(items)))
