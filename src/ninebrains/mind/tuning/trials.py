"""What came out of trying ways to run a segment, and which of them is the best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import isfinite, sqrt

from ninebrains.mind.backends import REFERENCE
from ninebrains.mind.tuning.agreeing import ENOUGH_PHOTOS, Agreement
from ninebrains.mind.tuning.choices import Choice

_WORTH = 0.95  # of the reference's time: less of a gain may be chance
_CLOSE = 1.05  # times the best batch's time: a smaller batch that is as good answers sooner
_MS_A_RUN = 0.2  # what a mind adds to a run of a segment, whatever the batch
_CALM = 0.25  # by how much the times of equal runs may differ


@dataclass(frozen=True)
class Trial:
    """One way of running a segment.

    Attributes:
        choice: the way, and the photos in one run that were timed; no batch if it did not run.
        ms: a photo; the reference's, by the ratio.
        ratio: how many times as fast as the reference with the same batch: the median of pairs
            that were run one right after the other, as the machine may change its speed.
        agreement: with the reference; None for the reference itself.
        objection: why it was not accepted; None if it was.
    """

    choice: Choice
    ms: float | None
    ratio: float | None
    agreement: Agreement | None
    objection: str | None

    def to_dict(self) -> dict[str, object]:
        """Everything, for a program. What is not a number, which JSON cannot say, is None."""
        agreement = self.agreement
        return {
            **asdict(self.choice),
            "ms": self.ms,
            "ratio": self.ratio,
            "cosine": _finite(agreement.cosine if agreement else None),
            "difference": _finite(agreement.difference if agreement else None),
            "same_top": agreement.same_top if agreement else None,
            "accepted": self.objection is None,
            "objection": self.objection,
        }


@dataclass(frozen=True)
class Tuning:
    """What came out for one segment.

    Attributes:
        trials: every way that was tried; the reference first.
        choice: the best one that agrees.
        speedup: of the choice over the reference, for one photo alone and for its best batch, as
            the geometric mean of both.
        num_photos: that the ways were compared on.
        unrest: how much equal runs of the reference differed in time: the distance between the
            10th and the 90th of 100, by the median.
    """

    trials: tuple[Trial, ...]
    choice: Choice
    speedup: float
    num_photos: int
    unrest: float

    @property
    def notes(self) -> tuple[str, ...]:
        """What must be known about the comparison, if anything."""
        found = []
        if self.num_photos < ENOUGH_PHOTOS:
            found.append(
                f"too few photos ({self.num_photos}) to tell whether 99.5 % of answers stay the "
                f"same, so all of them had to; give at least {ENOUGH_PHOTOS}"
            )
        if self.unrest > _CALM:
            found.append(
                f"the machine was busy: times of equal runs differ by {self.unrest:.0%}; tune "
                "again when nothing else runs"
            )
        return tuple(found)

    def to_dict(self) -> dict[str, object]:
        """Everything, for a program."""
        return {
            "choice": asdict(self.choice),
            "speedup": self.speedup,
            "num_photos": self.num_photos,
            "unrest": self.unrest,
            "notes": list(self.notes),
            "trials": [trial.to_dict() for trial in self.trials],
        }


def best(trials: Sequence[Trial]) -> tuple[Choice, float]:
    """The best way that was accepted, with its batch, and how many times as fast it is.

    A segment serves single photos and full batches, so both count. Among ways that are equally
    fast within chance the plainest is taken, and of batches the smallest.
    """
    times: dict[Choice, dict[int, float]] = {}
    for trial in trials:
        one = trial.choice
        if trial.objection is None and one.batch is not None and trial.ms is not None:
            way = Choice(one.backend, one.threads, None, one.precision)
            times.setdefault(way, {})[one.batch] = trial.ms
    scores = {way: sqrt(of[1] * min(of.values())) for way, of in times.items()}
    reference = next(iter(scores))  # its trials come first
    least = min(scores.values())
    way = reference
    if least < _WORTH * scores[reference]:
        close = [way for way, score in scores.items() if score * _WORTH <= least]
        way = min(close, key=_plainness)
    costs = {batch: ms + _MS_A_RUN / batch for batch, ms in times[way].items()}
    enough = _CLOSE * min(costs.values())
    batch = min(batch for batch, cost in costs.items() if cost <= enough)
    choice = Choice(way.backend, way.threads, batch, way.precision)
    return choice, scores[reference] / scores[way]


def _plainness(way: Choice) -> tuple[bool, bool, int]:
    return way.backend != REFERENCE, way.precision != "fp32", way.threads or 0


def _finite(value: float | None) -> float | None:
    return value if value is not None and isfinite(value) else None
