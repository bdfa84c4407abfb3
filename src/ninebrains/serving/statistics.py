"""What Triton's statistics extension tells: how often a version answered, and what took how long.

Counted by each worker for itself, from its start; `/metrics` and the counts of the traffic are for
the whole host.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ninebrains.serving.asking import Answered

_STEPS: Mapping[str, tuple[str, ...]] = {
    "queue": ("queue_ms",),
    "compute_input": ("decode_ms",),
    "compute_infer": ("network_ms", "head_ms"),
}
"""Triton's names of steps by ours."""

Duration = dict[str, int]


class _Tally:
    """What became of the photos that one version was asked about."""

    __slots__ = ("last_ms", "steps")

    def __init__(self) -> None:
        self.last_ms = 0
        self.steps: dict[str, Duration] = {
            name: {"count": 0, "ns": 0} for name in ("success", "fail", *_STEPS, "compute_output")
        }

    def add(self, name: str, seconds: float) -> None:
        step = self.steps[name]
        step["count"] += 1
        step["ns"] += int(seconds * 1e9)


class Statistics:
    """Counts answers as they are given; a watcher of the host."""

    def __init__(self) -> None:
        self._tallies: dict[tuple[str, int], _Tally] = {}

    def saw(self, answered: Answered) -> None:
        """Take note of what one version made of one photo."""
        place = (answered.chosen.name, answered.chosen.number)
        tally = self._tallies.get(place)
        if tally is None:
            tally = self._tallies[place] = _Tally()
        if answered.inference is None:
            tally.add("fail", answered.seconds)
            return
        tally.last_ms = int(time.time() * 1000)
        tally.add("success", answered.seconds)
        timings = answered.inference.timings
        for name, parts in _STEPS.items():
            tally.add(name, sum(timings.get(part, 0.0) for part in parts) / 1000)

    def of(self, name: str, number: int) -> dict[str, object]:
        """What was counted of a version, in Triton's form: photos, and nanoseconds of each step."""
        tally = self._tallies.get((name, number)) or _Tally()
        count = tally.steps["success"]["count"]
        return {
            "name": name,
            "version": str(number),
            "last_inference": tally.last_ms,
            "inference_count": count,
            "execution_count": count,
            "inference_stats": {name: dict(step) for name, step in tally.steps.items()},
            "batch_stats": [],
        }
