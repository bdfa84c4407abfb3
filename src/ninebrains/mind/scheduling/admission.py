"""Who may come in: a bounded number of places, shared fairly, and a line in front of the door."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Hashable

from ninebrains.errors import OverloadError

CROWDING = 2
"""Flows below their fair share come in up to this many times the places."""


class Waiter:
    """One thread in the line. `gate` opens when it `got` a place or the door was closed."""

    __slots__ = ("flow", "gate", "got")

    def __init__(self, flow: Hashable) -> None:
        self.flow = flow
        self.got = False
        self.gate = threading.Lock()
        self.gate.acquire()


class Places:
    """The places of the pending tickets. Every method is called with the scheduler's lock held."""

    def __init__(self, num_places: int) -> None:
        self.num_places = num_places
        self.num_taken = 0
        self._flows: dict[Hashable, int] = {}
        self._line: deque[Waiter] = deque()

    @property
    def num_waiting(self) -> int:
        """How many threads stand in the line."""
        return len(self._line)

    def of_flow(self, flow: Hashable) -> int:
        """How many places a flow holds."""
        return self._flows.get(flow, 0)

    def num_flows_with(self, flow: Hashable) -> int:
        """How many flows hold a place, once `flow` does too."""
        return len(self._flows) + (flow not in self._flows)

    def has_room(self, flow: Hashable) -> bool:
        """Whether there is a place, or one must be made because the flow has less than its share.

        Without the second, one flow that fills all places would keep everybody else out.
        """
        if self.num_taken < self.num_places:
            return True
        share = max(1, self.num_places // self.num_flows_with(flow))
        return self.of_flow(flow) < share and self.num_taken < CROWDING * self.num_places

    def take(self, flow: Hashable) -> None:
        """Take a place for a flow."""
        self.num_taken += 1
        self._flows[flow] = self._flows.get(flow, 0) + 1

    def give_back(self, flow: Hashable) -> None:
        """Free a place of a flow, and hand it to the first in the line."""
        self.num_taken -= 1
        left = self._flows[flow] - 1
        if left:
            self._flows[flow] = left
        else:
            del self._flows[flow]
        while self._line and self.has_room(self._line[0].flow):
            waiter = self._line.popleft()
            # Taken on its behalf right now, so that nobody can slip in before the thread runs.
            self.take(waiter.flow)
            waiter.got = True
            waiter.gate.release()

    def line_up(self, flow: Hashable) -> Waiter:
        """Join the line."""
        waiter = Waiter(flow)
        self._line.append(waiter)
        return waiter

    def leave(self, waiter: Waiter) -> None:
        """Leave the line without a place, giving back one that was got meanwhile."""
        if waiter.got:
            self.give_back(waiter.flow)
        elif waiter in self._line:
            self._line.remove(waiter)

    def send_away(self) -> None:
        """Open the gates of all that wait in the line, without a place."""
        while self._line:
            self._line.popleft().gate.release()

    def refusal(self, flow: Hashable) -> OverloadError:
        """Say why a flow does not come in."""
        return OverloadError(
            f"refused: {self.num_taken:,} requests are pending, {self.of_flow(flow):,} of them "
            f"from {flow}; there is room for {self.num_places:,}, shared by "
            f"{self.num_flows_with(flow):,}. Try again later, send fewer at once, or allow more "
            "with max_pending"
        )
