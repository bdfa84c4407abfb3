"""A budget, what was measured, and which of it to take: rules without side effects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ninebrains.brains.manifest import Estimate, Task
from ninebrains.errors import ExportError
from ninebrains.exporting.target import Precision

SAME_MS = 0.05
"""Times that differ by a smaller share are taken for equal: another run would turn them round."""

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Budget:
    """What an export may cost.

    Attributes:
        max_ms: milliseconds in the network for one photo, on this machine.
        max_mb: millions of bytes of the artefact.
        max_drop: what may be lost against the brain as it is, as a share: 0.01 is one point of
            accuracy, or one hundredth of a regression's error.
    """

    max_ms: float | None = None
    max_mb: float | None = None
    max_drop: float | None = None

    def __post_init__(self) -> None:
        """Refuse limits that nothing can keep to.

        Raises:
            ExportError: one is not above zero, or the drop is no share.
        """
        for name, limit in (("milliseconds", self.max_ms), ("megabytes", self.max_mb)):
            if limit is not None and not 0.0 < limit < float("inf"):
                raise ExportError(f"a budget of {limit:g} {name} makes no sense; expected over 0")
        if self.max_drop is not None and not 0.0 <= self.max_drop < 1.0:
            raise ExportError(f"a drop of {self.max_drop:g} is no share; expected 0 to 1")


@dataclass(frozen=True)
class Candidate:
    """One way of exporting a brain, and what it costs.

    Attributes:
        trunk: the trunk's own name.
        height: of the photos that it sees, in pixels.
        width: likewise.
        precision: of the artefact.
        quality: accuracy, share of right decisions or mean absolute error, of answers on training
            photos by fits that had not seen them; with its 95 % interval.
        score: the same as a number that is better when higher.
        lost: against the brain as it is, as `Budget.max_drop`; below zero is a gain.
        lost_to_floats: likewise against the same network in floats; 0 for floats.
        mb: millions of bytes of the artefact.
        ms: milliseconds for one photo, the lowest median of the rounds; None where it was not worth
            measuring.
        ms_noise: how far the next lowest is from it, in milliseconds.
        is_brain: whether it has the brain's own trunk and size.
        is_asked: whether it may be chosen; else it is here for comparison.
        right: how right each answer is, [n], for comparing two candidates photo by photo.
    """

    trunk: str
    height: int
    width: int
    precision: Precision
    quality: Estimate
    score: float
    lost: float
    lost_to_floats: float
    mb: float
    ms: float | None
    ms_noise: float = 0.0
    is_brain: bool = False
    is_asked: bool = True
    right: Doubles = field(default_factory=lambda: np.empty(0), repr=False, compare=False)

    @property
    def size(self) -> str:
        """Of the photos, for people."""
        return f"{self.height}" if self.height == self.width else f"{self.height}x{self.width}"

    @property
    def name(self) -> str:
        """Such as "octo at 64 px in fp16"."""
        return f"{self.trunk} at {self.size} px in {self.precision}"


@dataclass(frozen=True)
class Breach:
    """A limit that a candidate does not keep to.

    Attributes:
        what: for people, such as "7.2 ms is over 5 ms".
        excess: by which share of the limit.
    """

    what: str
    excess: float


@dataclass(frozen=True)
class Rules:
    """What a candidate is held to.

    Attributes:
        task: of the brain.
        budget: the user's limits.
        gate: the most that 8 bits may lose to floats, for the receipt would refuse it.
    """

    task: Task
    budget: Budget
    gate: float

    def breaches(self, candidate: Candidate) -> tuple[Breach, ...]:
        """The limits that it breaks; nothing for one that fits."""
        return tuple(self._breaches(candidate))

    def fits(self, candidate: Candidate) -> bool:
        """Whether it may be chosen."""
        return candidate.is_asked and candidate.ms is not None and not self.breaches(candidate)

    def _breaches(self, one: Candidate) -> Iterator[Breach]:
        budget = self.budget
        if budget.max_ms is not None and one.ms is not None and one.ms > budget.max_ms:
            what = f"{one.ms:.2f} ms is over {budget.max_ms:g} ms"
            yield Breach(what, one.ms / budget.max_ms - 1.0)
        if budget.max_mb is not None and one.mb > budget.max_mb:
            what = f"{one.mb:.2f} MB is over {budget.max_mb:g} MB"
            yield Breach(what, one.mb / budget.max_mb - 1.0)
        if budget.max_drop is not None and one.lost > budget.max_drop:
            what = f"it loses {self.loss(one.lost)} to the brain; {self.loss(budget.max_drop)} may"
            yield Breach(f"{what} be lost", _excess(one.lost, budget.max_drop))
        if one.lost_to_floats > self.gate:
            what = f"8 bits lose {self.loss(one.lost_to_floats)}; {self.loss(self.gate)} may"
            yield Breach(f"{what} be lost", _excess(one.lost_to_floats, self.gate))

    def loss(self, share: float) -> str:
        """A loss for people."""
        if self.task == "regress":
            return f"{100 * share:.2g} % more error"
        return f"{100 * share:.2g} point{'' if round(100 * share, 2) == 1 else 's'}"


def _excess(value: float, limit: float) -> float:
    return value / limit - 1.0 if limit > 0 else value * 100.0


def front(candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """Those that no other beats: as fast, as small and as good, and better in one of these."""
    measured = [one for one in candidates if one.ms is not None]
    return tuple(one for one in measured if not any(_beats(other, one) for other in measured))


def _beats(other: Candidate, one: Candidate) -> bool:
    assert other.ms is not None
    assert one.ms is not None
    if other.ms > one.ms * (1 + SAME_MS) or other.mb > one.mb or other.score < one.score:
        return False
    faster = other.ms < one.ms * (1 - SAME_MS)
    return faster or other.mb < one.mb or other.score > one.score


def pick(rules: Rules, candidates: Sequence[Candidate]) -> Candidate:
    """The best that fits; of equally good ones the fastest, then the smallest.

    Raises:
        ExportError: nothing fits; the nearest are named, with the limits that they break.
    """
    fitting = [one for one in candidates if rules.fits(one)]
    if not fitting:
        raise ExportError(_nothing_fits(rules, candidates))
    best = max(one.score for one in fitting)
    equal = [one for one in fitting if one.score == best]
    fastest = min(one.ms or 0.0 for one in equal)
    quick = [one for one in equal if (one.ms or 0.0) <= fastest * (1 + SAME_MS)]
    return min(quick, key=lambda one: (one.mb, one.ms, one.name))


def _nothing_fits(rules: Rules, candidates: Sequence[Candidate]) -> str:
    asked = [one for one in candidates if one.is_asked]
    nearest = sorted(
        (max((breach.excess for breach in rules.breaches(one)), default=np.inf), -one.score, place)
        for place, one in enumerate(asked)
    )
    lines = [f"none of {len(asked)} ways of exporting keeps to the budget; nothing was written."]
    for *_, place in nearest[:3]:
        broken = "; ".join(breach.what for breach in rules.breaches(asked[place]))
        lines.append(f"  {asked[place].name}: {broken or 'it was not measured'}")
    lines.append("Allow more, or add a smaller trunk: `ninebrains trunk pull --list` shows some.")
    return "\n".join(lines)


def next_step(rules: Rules, candidates: Sequence[Candidate], chosen: Candidate) -> Candidate | None:
    """The next better one on the front, which the budget rules out; None where nothing is better.

    One that was only left out of measuring its speed counts too: its size rules it out.
    """
    beaten = set(map(id, candidates)) - set(map(id, front(candidates)))
    better = [
        one
        for one in candidates
        if one.is_asked and one.score > chosen.score and (one.ms is None or id(one) not in beaten)
    ]
    return min(better, key=lambda one: (one.score, _worst(rules, one), one.name), default=None)


def _worst(rules: Rules, one: Candidate) -> float:
    return max((breach.excess for breach in rules.breaches(one)), default=0.0)
