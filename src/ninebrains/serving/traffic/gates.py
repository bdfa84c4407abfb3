"""Gates: what a version that is being tried has to reach, and whether it does.

Every goal is about the share of something: of answers that were slower than allowed (a p90 of at
most X ms is the same as at most 10 % slower than X), of errors, of confirmed answers, of answers
that stable gave as well. `sequential` bounds each share so that it may be looked at as often as one
likes; all bounds of a gate hold at once, always, with probability 1 - `alpha`. So the chance that a
gate ever decides wrongly, in whichever direction, is at most `alpha`.

The bounds take requests as independent. Many requests of few users are not quite that; a larger
`least` makes up for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from ninebrains.serving.settings import Group
from ninebrains.serving.traffic.sequential import bounds

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Standing = Literal["passing", "failing", "undecided"]
Verdict = Literal["passed", "failed"]

_SLOW_SHARE = 0.1


class Gate(Group):
    """What a canary has to reach; every goal that is None is none.

    Attributes:
        p90_ms: nine of ten answers take at most so long.
        error_rate: at most that share of requests ends in an error of the version.
        confirmed: at least that share of feedback says that the answer was right.
        confirmed_below_stable: that share is at most so much below the share of stable.
        agreement: at least that share of answers has the same best label as that of stable.
        agreement_percent: of the canary's requests, how many are sent to stable as well for that.
        alpha: the chance that the gate ever decides wrongly is at most that.
        least: observations that a goal needs before anything is said about it.
        act: promote or roll back at once; otherwise it is only told.
    """

    p90_ms: PositiveFloat | None = None
    error_rate: Share | None = None
    confirmed: Share | None = None
    confirmed_below_stable: Share | None = None
    agreement: Share | None = None
    agreement_percent: Annotated[float, Field(gt=0.0, le=100.0)] = 100.0
    alpha: Annotated[float, Field(ge=1e-9, le=0.5)] = 0.05
    least: PositiveInt = 100
    act: bool = False

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.num_goals:
            raise ValueError(
                "a gate needs a goal: p90_ms, error_rate, confirmed, confirmed_below_stable or "
                "agreement"
            )
        return self

    @property
    def num_goals(self) -> int:
        """How many goals are declared."""
        return sum(
            goal is not None
            for goal in (
                self.p90_ms,
                self.error_rate,
                self.confirmed,
                self.confirmed_below_stable,
                self.agreement,
            )
        )


@dataclass(frozen=True, slots=True)
class Seen:
    """How often something was so, of how many times.

    Attributes:
        hits: how often.
        total: of how many.
    """

    hits: int = 0
    total: int = 0


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was seen of one version since its trial began.

    Attributes:
        slow: answers that took longer than the gate allows.
        failed: requests that ended in an error of the version.
        confirmed: feedback that said the answer was right.
        agreed: answers with the same best label as that of stable.
    """

    slow: Seen = Seen()
    failed: Seen = Seen()
    confirmed: Seen = Seen()
    agreed: Seen = Seen()


class GoalStatus(Group):
    """How one goal stands.

    Attributes:
        goal: its name in `Gate`.
        standing: whether it is reached, for sure; or missed, for sure; or neither yet.
        share: as seen so far; of `confirmed_below_stable` the canary's share less that of stable.
            None before the first observation.
        low: that share is at least this.
        high: that share is at most this.
        limit: what it must not go beyond.
        samples: observations of the canary.
        text: all of this in a sentence.
    """

    goal: str
    standing: Standing
    share: float | None
    low: float
    high: float
    limit: float
    samples: int
    text: str


class GateStatus(Group):
    """How a trial stands.

    Attributes:
        number: the version that is being tried.
        standing: failing if one goal is, passing if all are.
        goals: one by one.
    """

    number: int
    standing: Standing
    goals: tuple[GoalStatus, ...]

    @property
    def why(self) -> str:
        """What decided, in words."""
        return "; ".join(goal.text for goal in self.goals if goal.standing == self.standing)


def assess(gate: Gate, number: int, canary: Evidence, stable: Evidence) -> GateStatus:
    """How a canary stands against its goals.

    Args:
        gate: the goals.
        number: of the canary.
        canary: what was seen of it.
        stable: what was seen of the stable version in the same time.
    """
    alpha = gate.alpha / gate.num_goals
    goals = []
    if gate.p90_ms is not None:
        what = f"answers slower than {gate.p90_ms:g} ms"
        goals.append(_at_most("p90_ms", what, canary.slow, _SLOW_SHARE, gate.least, alpha))
    if gate.error_rate is not None:
        limit = gate.error_rate
        goals.append(_at_most("error_rate", "errors", canary.failed, limit, gate.least, alpha))
    for name, what, seen, least in (
        ("confirmed", "confirmed answers", canary.confirmed, gate.confirmed),
        ("agreement", "answers as stable gives them", canary.agreed, gate.agreement),
    ):
        if least is not None:
            goals.append(_at_least(name, what, seen, least, gate.least, alpha))
    if gate.confirmed_below_stable is not None:
        goals.append(_beside_stable(gate, canary.confirmed, stable.confirmed, alpha))
    standings = {goal.standing for goal in goals}
    standing: Standing = "undecided"
    if "failing" in standings:
        standing = "failing"
    elif standings == {"passing"}:
        standing = "passing"
    return GateStatus(number=number, standing=standing, goals=tuple(goals))


def _at_most(
    name: str, what: str, seen: Seen, limit: float, least: int, alpha: float
) -> GoalStatus:
    low, high = bounds(seen.hits, seen.total, alpha)
    standing = _standing(high <= limit, low > limit, seen.total >= least)
    return _goal(name, what, f"at most {limit:.4g} allowed", standing, seen, (low, high), limit)


def _at_least(
    name: str, what: str, seen: Seen, limit: float, least: int, alpha: float
) -> GoalStatus:
    low, high = bounds(seen.hits, seen.total, alpha)
    standing = _standing(low >= limit, high < limit, seen.total >= least)
    return _goal(name, what, f"at least {limit:.4g} wanted", standing, seen, (low, high), limit)


def _beside_stable(gate: Gate, canary: Seen, stable: Seen, alpha: float) -> GoalStatus:
    """Half of alpha bounds each share; then their difference is bounded as well."""
    assert gate.confirmed_below_stable is not None
    limit = -gate.confirmed_below_stable
    low, high = bounds(canary.hits, canary.total, alpha / 2)
    stable_low, stable_high = bounds(stable.hits, stable.total, alpha / 2)
    between = (low - stable_high, high - stable_low)
    is_enough = min(canary.total, stable.total) >= gate.least
    standing = _standing(between[0] >= limit, between[1] < limit, is_enough)
    share = None
    if canary.total and stable.total:
        share = canary.hits / canary.total - stable.hits / stable.total
    text = (
        f"confirmed answers: {canary.hits} of {canary.total}, of stable {stable.hits} of "
        f"{stable.total}; the difference is between {between[0]:+.4f} and {between[1]:+.4f}, at "
        f"least {limit:+.4g} wanted: {standing}"
    )
    return GoalStatus(
        goal="confirmed_below_stable",
        standing=standing,
        share=share,
        low=between[0],
        high=between[1],
        limit=limit,
        samples=canary.total,
        text=text,
    )


def _standing(is_reached: bool, is_missed: bool, is_enough: bool) -> Standing:
    if not is_enough:
        return "undecided"
    return "passing" if is_reached else "failing" if is_missed else "undecided"


def _goal(
    name: str,
    what: str,
    wanted: str,
    standing: Standing,
    seen: Seen,
    between: tuple[float, float],
    limit: float,
) -> GoalStatus:
    low, high = between
    return GoalStatus(
        goal=name,
        standing=standing,
        share=seen.hits / seen.total if seen.total else None,
        low=low,
        high=high,
        limit=limit,
        samples=seen.total,
        text=f"{what}: {seen.hits} of {seen.total}; the share is between {low:.4f} and "
        f"{high:.4f}, {wanted}: {standing}",
    )
