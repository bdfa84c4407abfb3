"""The way of a request through a mind, and what is done at each station.

    photo ─► decode pool, once a contract ─► lane of the first segment, a queue for each
          ─► batch ─► tree of segments ─► stack of heads ─► Inferences

Every station is a lane of the scheduler, whose work is one of the methods below.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ninebrains.images import Contract, Limits, Pixels, fit_pixels, read_photo
from ninebrains.images.preparing import pixels_of
from ninebrains.mind.asked import Asked
from ninebrains.mind.inferences import Inferences
from ninebrains.mind.passing import Passage, send
from ninebrains.mind.requests import Request, Timings
from ninebrains.mind.scheduling.lanes import Item, Lane
from ninebrains.mind.scheduling.scheduler import Scheduler
from ninebrains.mind.segments import Segment

if TYPE_CHECKING:
    from ninebrains.mind.company import Company

_PIXELS_AT_ONCE = 64 * 224 * 224
_MOST_AT_ONCE = 64


@dataclass(frozen=True, eq=False)
class Arrival:
    """A prepared photo on its way into a segment, for some groups of its request."""

    request: Request
    pixels: Pixels
    numbers: tuple[int, ...]
    timings: Timings


class Course:
    """The stations that requests pass, and the threads that work there.

    Args:
        decoders: threads that decode photos.
        max_pending: requests that may wait.
        limits: bytes and pixels that a photo may have.

    Attributes:
        scheduler: runs the stations.
        company: who answers; set before the first request.
    """

    company: Company

    def __init__(self, decoders: int, max_pending: int, limits: Limits | None) -> None:
        pools = {"wake": 1, "decode": decoders, "network": 1}
        self.scheduler = Scheduler(pools, max_pending=max_pending)
        self._limits = limits
        self._waking: Lane[Inferences, Request] = Lane("wake", self._wake, pool="wake", most=1)
        self._decoding: Lane[Inferences, Request] = Lane(
            "decode", self._decode, pool="decode", most=1
        )

    def first_lane(self, asked: Asked) -> Lane[Inferences, Request]:
        """Where a request begins."""
        return self._waking if asked.asleep else self._decoding

    def make_lane(self, segment: Segment, contract: Contract) -> Lane[Inferences, Arrival]:
        """The queue of a segment that reads photos."""
        room = _PIXELS_AT_ONCE // (contract.height * contract.width)
        most = segment.choice.batch or max(1, min(_MOST_AT_ONCE, room))
        return Lane(segment.hash[:8], self._look, pool="network", most=most)

    def _wake(self, items: Sequence[Item[Inferences, Request]]) -> None:
        """Bring back parked weights, then go on as other requests do."""
        for item in items:
            request = item.payload
            request.asked = self.company.wake(request.asked, heatmaps=request.heatmaps)
            self.scheduler.put(self._decoding, item.ticket, request)

    def _decode(self, items: Sequence[Item[Inferences, Request]]) -> None:
        """Decode a photo once for each contract, and put it into the lanes from there."""
        for item in items:
            request = item.payload
            began = time.perf_counter()
            photo, request.photo = request.photo, b""
            if isinstance(photo, (str, os.PathLike)):
                photo = read_photo(photo, self._limits)
            request.expect_answers()
            for start in request.asked.starts:
                before = time.perf_counter()
                pixels, request.photo_size = pixels_of(photo, start.contract, self._limits)
                fitted = fit_pixels(pixels, start.contract)
                done = time.perf_counter()
                timings = Timings(began - request.submitted, done - before, done)
                for lane, numbers in start.lanes:
                    arrival = Arrival(request, fitted, numbers, timings)
                    self.scheduler.put(lane, item.ticket, arrival)

    def _look(self, items: Sequence[Item[Inferences, Arrival]]) -> None:
        """Send a batch of photos through the tree."""
        passages = [
            Passage(arrival.request, number, row, arrival.timings)
            for row, arrival in enumerate(item.payload for item in items)
            for number in arrival.numbers
        ]
        pixels = np.stack([item.payload.pixels for item in items])
        send(passages, pixels, self.company.stack)
