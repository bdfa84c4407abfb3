"""Lanes: queues of items that are worked on together, with the flows in each served in turn."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from ninebrains.mind.scheduling.costs import CostModel
from ninebrains.mind.scheduling.tickets import PRIORITIES, Priority, R, Ticket

P = TypeVar("P")

_SURELY = 0.1
"""The share of the time left that may pass before a deadline while nobody could be told of it."""

_FOLLOWING = 0.2
"""How much the newest arrival counts in what is expected of the next."""


@dataclass(slots=True, eq=False)
class Item(Generic[R, P]):
    """One piece of work for one ticket."""

    ticket: Ticket[R]
    payload: P
    queue: TurnQueue | None = field(default=None, repr=False)


AnyItem = Item[Any, Any]
"""Queues hold items of every kind; only the lane that made them knows which."""


class TurnQueue:
    """Items in the order of their arrival within a flow, one flow after the other.

    Adding, taking and removing an item cost the same whatever the length.
    """

    __slots__ = ("_flows", "_length", "debt", "is_enlisted", "tag")

    def __init__(self) -> None:
        self._flows: OrderedDict[Hashable, OrderedDict[AnyItem, None]] = OrderedDict()
        self._length = 0
        # The pool's notes on when this queue's next turn is due.
        self.tag = 0.0
        self.debt = 0.0
        self.is_enlisted = False

    def __len__(self) -> int:
        return self._length

    @property
    def num_flows(self) -> int:
        """How many flows have something waiting."""
        return len(self._flows)

    def add(self, item: AnyItem) -> None:
        """Put an item behind those of its flow, and a new flow behind the other flows."""
        self._flow(item)[item] = None
        item.queue = self
        self._length += 1

    def take(self, most: int) -> list[AnyItem]:
        """Take up to `most` items, one from each flow in turn."""
        items: list[AnyItem] = []
        flows = self._flows
        while flows and len(items) < most:
            flow, waiting = next(iter(flows.items()))
            item, _ = waiting.popitem(last=False)
            item.queue = None
            items.append(item)
            if waiting:
                flows.move_to_end(flow)
            else:
                del flows[flow]
        self._length -= len(items)
        return items

    def give_back(self, items: Sequence[AnyItem]) -> None:
        """Put items that were just taken back where they came from: in front."""
        for item in reversed(items):
            flow = self._flow(item)
            flow[item] = None
            flow.move_to_end(item, last=False)
            self._flows.move_to_end(item.ticket.flow, last=False)
            item.queue = self
        self._length += len(items)

    def remove(self, item: AnyItem) -> None:
        """Take out one item of a ticket that is over."""
        flow = item.ticket.flow
        waiting = self._flows[flow]
        del waiting[item]
        if not waiting:
            del self._flows[flow]
        item.queue = None
        self._length -= 1

    def tightest(self) -> float:
        """Return the earliest deadline of all items; infinite without any."""
        waiting = (item.ticket.deadline for flow in self._flows.values() for item in flow)
        return min((deadline for deadline in waiting if deadline is not None), default=math.inf)

    def _flow(self, item: AnyItem) -> OrderedDict[AnyItem, None]:
        flow = self._flows.get(item.ticket.flow)
        if flow is None:
            flow = self._flows[item.ticket.flow] = OrderedDict()
        return flow


class Lane(Generic[R, P]):
    """A queue of items that are worked on together.

    Args:
        name: says in messages and figures which work it is.
        work: gets 1..most items, in a thread of the pool. It settles what it can itself; an
            exception that escapes fails the tickets of all items in the batch.
        pool: name of the scheduler's pool whose threads do the work.
        most: the largest batch that `work` takes.

    A lane serves one scheduler, which keeps no reference to it when nothing waits.
    """

    __slots__ = (
        "__weakref__",
        "_gap",
        "_since",
        "coming",
        "cost",
        "held_since",
        "is_known",
        "most",
        "name",
        "num_batches",
        "num_items",
        "pool",
        "queues",
        "running",
        "work",
    )

    def __init__(
        self, name: str, work: Callable[[Sequence[Item[R, P]]], None], *, pool: str, most: int = 64
    ) -> None:
        self.name = name
        self.work = work
        self.pool = pool
        self.most = most
        self.cost = CostModel()
        # All that follows belongs to the scheduler, under its lock.
        self.is_known = False
        self.queues: dict[Priority, TurnQueue] = {name: TurnQueue() for name in PRIORITIES}
        self.coming: dict[Priority, int] = dict.fromkeys(PRIORITIES, 0)
        self.running = 0
        self.num_batches = 0
        self.num_items = 0
        self.held_since: float | None = None
        self._gap = math.inf
        self._since = 0.0

    def __len__(self) -> int:
        """How many items wait here."""
        return sum(map(len, self.queues.values()))

    @property
    def num_coming(self) -> int:
        """How many admitted tickets are still on their way to this lane."""
        return sum(self.coming.values())

    def expect(self, ticket: Ticket[Any], now: float) -> None:
        """Count a ticket that will come here."""
        if not self.num_coming:
            self._since = now
        self.coming[ticket.priority] += 1

    def receive(self, item: AnyItem, now: float) -> None:
        """Queue an item."""
        self.welcome(item.ticket, now)
        self.queues[item.ticket.priority].add(item)
        item.ticket.queued.append(item)

    def welcome(self, ticket: Ticket[Any], now: float) -> None:
        """A ticket is here; if it was expected, learn how far apart those on their way arrive."""
        if self in ticket.ahead:
            ticket.ahead.remove(self)
            self.coming[ticket.priority] -= 1
            gap = now - self._since
            known = self._gap < math.inf
            self._gap = self._gap + _FOLLOWING * (gap - self._gap) if known else gap
        self._since = now

    def hold_until(self, now: float) -> float:
        """Return until when the waiting items should wait for more; `now` to go at once.

        It pays while what all of them lose until the next arrival is less than the fixed cost that
        it saves by coming along. Nobody knows when it really comes, so no wait costs more than
        what it could save, as one rents skis until the rent has reached the price.
        """
        size, cost = len(self), self.cost
        first = PRIORITIES[0]
        num_coming = self.coming[first] if self.queues[first] else self.num_coming
        if not num_coming or size >= cost.best_batch(self.most):
            return now
        if self._gap * size >= cost.fixed:
            return now
        if self.held_since is None:
            self.held_since = now
        until = max(self.held_since, self._since) + cost.fixed / size
        tightest = min(queue.tightest() for queue in self.queues.values())
        return max(now, min(until, tightest - 2 * cost.predict(size + 1)))

    def is_quick_for(self, ticket: Ticket[Any], now: float) -> bool:
        """Whether a ticket's own caller may do its work: who has a deadline must leave in time."""
        if ticket.deadline is None:
            return True
        return 0.0 < self.cost.predict(1) < _SURELY * (ticket.deadline - now)

    def seconds_ahead(self, priority: Priority, turns: int) -> float:
        """Return how long a newcomer will wait here for others, of its priority and before it.

        `turns` bounds how many of its own priority go before it, as flows take turns.
        """
        ahead = self.running + min(turns, len(self.queues[priority]) + self.coming[priority])
        for before in PRIORITIES[: PRIORITIES.index(priority)]:
            ahead += len(self.queues[before]) + self.coming[before]
        batch = self.cost.best_batch(self.most)
        return ahead * self.cost.predict(batch) / batch
