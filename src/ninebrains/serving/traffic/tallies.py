"""What is counted of a version's answers: numbers that add up over time and over workers."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from ninebrains.errors import (
    AccessError,
    BrainError,
    ClosedError,
    DeadlineError,
    MissingError,
    NinebrainsError,
    OverloadError,
    PhotoError,
    RequestError,
)
from ninebrains.serving.asking import Variant
from ninebrains.serving.traffic.gates import Evidence, Seen

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the latency histogram, in seconds, each included; one more takes the rest."""

STEPS = ("queue", "decode", "network", "head")

_KINDS: tuple[tuple[type[NinebrainsError], str], ...] = (
    (PhotoError, "photo"),
    (RequestError, "request"),
    (MissingError, "missing"),
    (AccessError, "access"),
    (OverloadError, "overload"),
    (DeadlineError, "deadline"),
    (ClosedError, "closed"),
    (BrainError, "brain"),
)
_OF_OTHERS = frozenset({"photo", "request", "missing", "access", "overload", "deadline", "closed"})


class Key(NamedTuple):
    """Whose answers are counted together."""

    name: str
    number: int
    variant: Variant


@dataclass(slots=True)
class Tally:
    """Counts of the answers of one version as one variant.

    Attributes:
        answered: answers given.
        seconds: from asking to the answer, of all of them together.
        buckets: of the answers, how many took at most as long as each of `BUCKETS`, but longer than
            the one before; the last one longer than all.
        steps: seconds in the queue, decoding, in the network and in the head, all together.
        errors: by kind, of the version or not.
        error_seconds: from asking to the error, of all of them together.
        in_time: answers within the gate's goal, where there is one.
        slow: answers, and requests that were given up, beyond it.
        pairs: answers that were compared with those of stable.
        agreed: of these, how many had the same best label.
        confirmed: feedback that said that the answer was right.
        disputed: feedback that said that it was wrong.
    """

    answered: int = 0
    seconds: float = 0.0
    buckets: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS) + 1))
    steps: list[float] = field(default_factory=lambda: [0.0] * len(STEPS))
    errors: dict[str, int] = field(default_factory=dict)
    error_seconds: float = 0.0
    in_time: int = 0
    slow: int = 0
    pairs: int = 0
    agreed: int = 0
    confirmed: int = 0
    disputed: int = 0

    @property
    def failed(self) -> int:
        """Errors that are the version's own."""
        return sum(count for kind, count in self.errors.items() if kind not in _OF_OTHERS)

    def take_answer(
        self, seconds: float, timings: Mapping[str, float], slow_seconds: float | None
    ) -> None:
        """One more answer; `timings` in milliseconds, `slow_seconds` the gate's goal."""
        self.answered += 1
        self.seconds += seconds
        self.buckets[bisect_left(BUCKETS, seconds)] += 1
        for place, step in enumerate(_STEPS_MS):
            self.steps[place] += timings.get(step, 0.0) / 1000
        if slow_seconds is not None:
            if seconds > slow_seconds:
                self.slow += 1
            else:
                self.in_time += 1

    def take_error(
        self, error: NinebrainsError, seconds: float, slow_seconds: float | None
    ) -> None:
        """One more error; who gave up after the goal was waiting for a slow answer."""
        kind = kind_of(error)
        self.errors[kind] = self.errors.get(kind, 0) + 1
        self.error_seconds += seconds
        if slow_seconds is not None and kind == "deadline" and seconds > slow_seconds:
            self.slow += 1

    def take_pair(self, agrees: bool) -> None:
        """One more answer was compared with that of stable."""
        self.pairs += 1
        self.agreed += agrees

    def take_feedback(self, is_right: bool) -> None:
        """Somebody said whether an answer was right."""
        if is_right:
            self.confirmed += 1
        else:
            self.disputed += 1

    def add(self, measures: Mapping[str, float]) -> None:
        """Add what `measures` of another one gave."""
        for measure, value in measures.items():
            which, _, place = measure.partition(":")
            if which == "errors":
                self.errors[place] = self.errors.get(place, 0) + int(value)
            elif which == "buckets" and int(place) < len(self.buckets):
                self.buckets[int(place)] += int(value)
            elif which == "steps" and place in STEPS:
                self.steps[STEPS.index(place)] += value
            elif which in _FLOATS:
                setattr(self, which, getattr(self, which) + value)
            elif which in _INTS:
                setattr(self, which, getattr(self, which) + int(value))

    def measures(self) -> dict[str, float]:
        """By name, what is not 0."""
        found: dict[str, float] = {name: getattr(self, name) for name in (*_FLOATS, *_INTS)}
        found |= {f"buckets:{place}": count for place, count in enumerate(self.buckets)}
        found |= {f"steps:{step}": value for step, value in zip(STEPS, self.steps, strict=True)}
        found |= {f"errors:{kind}": count for kind, count in self.errors.items()}
        return {name: value for name, value in found.items() if value}

    def evidence(self) -> Evidence:
        """What a gate goes by."""
        failed = self.failed
        return Evidence(
            slow=Seen(self.slow, self.slow + self.in_time),
            failed=Seen(failed, failed + self.answered),
            confirmed=Seen(self.confirmed, self.confirmed + self.disputed),
            agreed=Seen(self.agreed, self.pairs),
        )


_STEPS_MS = tuple(f"{step}_ms" for step in STEPS)
_FLOATS = ("seconds", "error_seconds")
_INTS = ("answered", "in_time", "slow", "pairs", "agreed", "confirmed", "disputed")


def kind_of(error: NinebrainsError) -> str:
    """An error's kind: `photo`, `overload`, `brain` and so on; `internal` for what is none."""
    return next((kind for form, kind in _KINDS if isinstance(error, form)), "internal")
