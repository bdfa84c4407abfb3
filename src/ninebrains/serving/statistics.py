"""What Triton's statistics extension tells: how often a version answered, and what took how long.

Photos and nanoseconds by step, of all workers together, since the host's first day.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ninebrains.serving.traffic.tallies import STEPS, Tally

if TYPE_CHECKING:
    from ninebrains.serving.catalog import Version
    from ninebrains.serving.traffic.counts import Counts

_STEPS = {"queue": ("queue",), "compute_input": ("decode",), "compute_infer": ("network", "head")}
"""Triton's names of steps by ours."""


def statistics_of(counts: Counts, versions: Iterable[Version]) -> list[dict[str, object]]:
    """What was counted of some versions, in Triton's form. Reads the ledger.

    Raises:
        OutputError: the ledger cannot be read.
    """
    tallies: dict[tuple[str, int], Tally] = {}
    for key, tally in counts.counts().items():
        tallies.setdefault((key.name, key.number), Tally()).add(tally.measures())
    return [
        _told(one.name, one.number, tallies.get((one.name, one.number), Tally()))
        for one in versions
    ]


def _told(name: str, number: int, tally: Tally) -> dict[str, object]:
    count, seconds = tally.answered, dict(zip(STEPS, tally.steps, strict=True))
    steps = {
        "success": _duration(count, tally.seconds),
        "fail": _duration(sum(tally.errors.values()), tally.error_seconds),
        "compute_output": _duration(0, 0.0),
        **{
            theirs: _duration(count, sum(seconds[one] for one in ours))
            for theirs, ours in _STEPS.items()
        },
    }
    return {
        "name": name,
        "version": str(number),
        "inference_count": count,
        "execution_count": count,
        "inference_stats": steps,
        "batch_stats": [],
    }


def _duration(count: int, seconds: float) -> dict[str, int]:
    return {"count": count, "ns": int(seconds * 1e9)}
