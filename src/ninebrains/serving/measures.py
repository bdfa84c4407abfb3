"""Counting and timing what a host does, cheaply, and adding that up over its workers.

Each worker keeps plain numbers; once a second it leaves them in a file beside the ledger, from
where whichever worker is asked for `/metrics` adds them up. A file of the metrics library's own,
mapped into memory, would be up to date to the last request; but writing to a mapped file on a full
disk kills the process.
"""

from __future__ import annotations

import os
import threading
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from ninebrains.errors import OutputError
from ninebrains.places import write_bytes
from ninebrains.serving.asking import Answered

if TYPE_CHECKING:
    from ninebrains.mind import Mind

BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the classes of durations, in seconds; a last class is above all."""
_MOST_SERIES = 2_000
_OTHER = "other"

Labels = tuple[str, ...]


@dataclass(slots=True)
class Times:
    """Durations: how many of each class of `BOUNDS`, and their sum in seconds."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    seconds: float = 0.0


@dataclass
class Measures:
    """Numbers of one worker, or of all; may be changed from any thread.

    Attributes:
        counts: by family and labels: what only grows.
        times: by family and labels: durations.
        gauges: by family and labels: what goes up and down.
    """

    counts: dict[Labels, float] = field(default_factory=dict)
    times: dict[Labels, Times] = field(default_factory=dict)
    gauges: dict[Labels, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, *key: str, by: float = 1) -> None:
        """Add to a count; `key` is its family and labels. Beyond many labels: to `other`."""
        counts = self.counts
        with self._lock:
            if key not in counts and len(counts) >= _MOST_SERIES:
                key = (key[0], *[_OTHER] * (len(key) - 1))
            counts[key] = counts.get(key, 0) + by

    def time(self, *key: str, seconds: float) -> None:
        """Add a duration; `key` is its family and labels."""
        with self._lock:
            times = self.times.get(key)
            if times is None:
                if len(self.times) >= _MOST_SERIES:
                    key = (key[0], *[_OTHER] * (len(key) - 1))
                times = self.times.setdefault(key, Times())
            times.counts[bisect_left(BOUNDS, seconds)] += 1
            times.seconds += seconds

    def shift(self, *key: str, by: float) -> None:
        """Let a gauge go up or down."""
        with self._lock:
            self.gauges[key] = self.gauges.get(key, 0) + by

    def took(self, timings: Mapping[str, float], seconds: float) -> None:
        """Take note of how long a photo took: milliseconds by step, and seconds in all."""
        for name, value in timings.items():
            self.time("photo_seconds", name.removesuffix("_ms"), seconds=value / 1000)
        self.time("photo_seconds", "total", seconds=seconds)

    def saw(self, answered: Answered) -> None:
        """Take note of an answer or an error."""
        chosen, error = answered.chosen, answered.error
        outcome = "answered" if error is None else code_of(error)
        self.count("answers", chosen.name, str(chosen.number), chosen.variant, outcome)

    def add(self, other: Measures, *, is_alive: bool = True) -> None:
        """Add what another worker counted; of one that is gone, only what can never go down."""
        with self._lock:
            for key, count in other.counts.items():
                self.counts[key] = self.counts.get(key, 0) + count
            for key, times in other.times.items():
                own = self.times.setdefault(key, Times())
                own.counts = [a + b for a, b in zip(own.counts, times.counts, strict=True)]
                own.seconds += times.seconds
            if is_alive:
                for key, value in other.gauges.items():
                    self.gauges[key] = self.gauges.get(key, 0) + value

    def to_bytes(self) -> bytes:
        """For a file."""
        with self._lock:
            return orjson.dumps(
                {
                    "counts": list(self.counts.items()),
                    "times": [(k, t.counts, t.seconds) for k, t in self.times.items()],
                    "gauges": list(self.gauges.items()),
                }
            )

    @classmethod
    def of_bytes(cls, data: bytes) -> Measures:
        """As `to_bytes` wrote them."""
        told = orjson.loads(data)
        return cls(
            {tuple(key): value for key, value in told["counts"]},
            {tuple(key): Times(counts, seconds) for key, counts, seconds in told["times"]},
            {tuple(key): value for key, value in told["gauges"]},
        )


def code_of(error: Exception) -> str:
    """What kind of an error it is, in one word: `photo`, `overload`, `deadline` and so on."""
    return type(error).__name__.removesuffix("Error").lower()


class Exchange:
    """Files in which the workers of one run of a host leave their numbers for each other.

    Args:
        folder: for the files; None where there is one worker only, and nothing to exchange.
        run: names this run; files of others are deleted.
    """

    def __init__(self, folder: Path | None, run: str) -> None:
        self._folder = folder
        self._run = run
        if folder is not None:
            for path in folder.glob("*.json"):
                if not path.name.startswith(f"{run}-"):
                    path.unlink(missing_ok=True)

    def leave(self, measures: Measures) -> None:
        """Leave this worker's numbers.

        Raises:
            OutputError: they cannot be written.
        """
        if self._folder is not None:
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise OutputError(f"{self._folder} cannot be made: {error}") from error
            write_bytes(self._folder / f"{self._run}-{os.getpid()}.json", measures.to_bytes())

    def others(self) -> Iterator[tuple[Measures, bool]]:
        """What other workers left, and whether they live; each at most a second or so old."""
        for path in [] if self._folder is None else sorted(self._folder.glob("*.json")):
            pid = int(path.stem.rpartition("-")[2])
            if pid != os.getpid():
                with suppress(FileNotFoundError):
                    yield Measures.of_bytes(path.read_bytes()), _is_alive(pid)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def own(measures: Measures, mind: Mind) -> Measures:
    """What this worker measured, with what is counted elsewhere."""
    all_own, stats, spent = Measures(), mind.stats(), os.times()
    all_own.add(measures)
    for outcome in ("answered", "failed", "expired", "cancelled", "refused"):
        all_own.count("mind", outcome, by=getattr(stats, outcome))
    all_own.count("cpu_seconds", by=spent.user + spent.system)
    all_own.shift("mind_pending", by=stats.pending)
    all_own.shift("mind_waiting", by=stats.waiting)
    all_own.shift("resident_memory_bytes", by=_resident())
    all_own.shift("workers", by=1)
    return all_own


def whole(measures: Measures, mind: Mind, exchange: Exchange) -> Measures:
    """What all workers measured."""
    of_all = own(measures, mind)
    for other, is_alive in exchange.others():
        of_all.add(other, is_alive=is_alive)
    return of_all


def _resident() -> int:
    """Bytes of memory that this process has; 0 where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
