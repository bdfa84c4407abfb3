"""How far two lots of answers lie apart, and how far chance alone would take them.

Each measure has a distance with a meaning of its own, the limit that it stays under in 999 of 1,000
such samples if nothing has changed, and a size from which it matters. Only what is above both is
called drift: among very many photos every trifle is beyond chance.

Photos are taken to be independent. A camera's frames are not, and many of one user neither: then
chance goes further than its limit says, which is the other reason for the sizes.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np
import numpy.typing as npt

from ninebrains.serving.drift.tally import Moments

Verdict = Literal["too few", "steady", "slight", "drift"]

FEW = 100
"""Answers below which nothing is said."""

FEW_TRAINED = 30
_CHANCE = 0.001
_NUM_DRAWN = 2000
_MOST_LABELS = 200

MATTERS = {"answers": 0.1, "unfamiliar": 0.1, "features": 0.25, "values": 0.25}
"""From which distance on a difference matters: one in ten answers, or a quarter of a standard
deviation (between Cohen's small, 0.2, and medium effect, 0.5; Cohen 1988)."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One distance.

    Attributes:
        name: `answers`, `unfamiliar`, `features` or `values`.
        distance: between now and then.
        limit: what chance alone stays under.
        num: how many answers of now it rests on.
        verdict: `too few` to tell, `steady`, `slight` (more than chance, too little to matter), or
            `drift`.
    """

    name: str
    distance: float
    limit: float
    num: int
    verdict: Verdict


def answers(now: Counter[int], then: Counter[int]) -> Measure:
    """Total variation distance: the share of answers that would have to be others.

    The limit is that of a permutation test: both lots are thrown together and dealt anew, so it
    holds for rare labels and few photos too, where a chi-squared test would not.

    The reference is what was answered on training photos by fits that had not seen them, not the
    labels that they had: a brain that takes one label for another does so before and after.
    """
    counts = _table(now, then)
    num_now, num_then = (int(num) for num in counts.sum(axis=1))
    if not num_now or not num_then:
        return _measure("answers", 0.0, 1.0, num_now, num_then)
    pooled, random = counts.sum(axis=0), np.random.default_rng(0)
    drawn = random.multivariate_hypergeometric(pooled, num_now, _NUM_DRAWN, method="marginals")
    chance = np.abs(drawn / num_now - (pooled - drawn) / num_then).sum(axis=1) / 2
    shares = counts / counts.sum(axis=1, keepdims=True)
    distance = float(np.abs(shares[0] - shares[1]).sum()) / 2
    return _measure("answers", distance, float(np.quantile(chance, 1 - _CHANCE)), num_now, num_then)


def _table(now: Counter[int], then: Counter[int]) -> npt.NDArray[np.int64]:
    """Counts [2, k] of the most frequent labels, and of all others together.

    Chosen by nothing but both lots together, as a permutation test asks for.
    """
    both = now + then
    ordered = sorted(both, key=lambda index: (-both[index], index))
    shown, rest = ordered[:_MOST_LABELS], ordered[_MOST_LABELS:]
    return np.array(
        [
            [*(lot[index] for index in shown), sum(lot[index] for index in rest)]
            for lot in (now, then)
        ],
        np.int64,
    )


def population_stability(now: Counter[int], then: Counter[int]) -> float:
    """Population stability index of the answers, as banks use it: below 0.1 little, from 0.25 much.

    Half an answer is added to each label (Siddiqi 2006 for the index). It grows with the number of
    labels and shrinks with that of photos even if nothing changes, which is why nothing here is
    decided by it.
    """
    counts = _table(now, then) + 0.5
    shares = counts / counts.sum(axis=1, keepdims=True)
    return float(((shares[0] - shares[1]) * np.log(shares[0] / shares[1])).sum())


def unfamiliar(now: npt.NDArray[np.int64], then: npt.NDArray[np.int64]) -> Measure:
    """Kolmogorov and Smirnov's distance of the `unfamiliar` scores, from counts by step.

    The largest difference of the shares below any score. The limit is Smirnov's for large samples
    (1939); steps make it a little too wide, so it errs towards steady.
    """
    num_now, num_then = int(now.sum()), int(then.sum())
    if not num_now or not num_then:
        return _measure("unfamiliar", 0.0, 1.0, num_now, num_then)
    apart = np.abs(np.cumsum(now) / num_now - np.cumsum(then) / num_then)
    limit = math.sqrt(-math.log(_CHANCE / 2) / 2 * (1 / num_now + 1 / num_then))
    return _measure("unfamiliar", float(apart.max()), limit, num_now, num_then)


def shifts(now: Moments, then: Moments) -> npt.NDArray[np.float64]:
    """How far means have moved, in standard deviations of then, [k]."""
    scale = np.maximum(then.deviations, 1e-9)
    return np.asarray((now.means - then.means) / scale)


def moved(name: str, now: Moments, then: Moments) -> Measure:
    """The largest shift of a mean (see `shifts`).

    The limit is that of Welch's test at a level divided by the number of figures (Bonferroni).
    """
    if not now.num or not then.num:
        return _measure(name, 0.0, 1.0, now.num, then.num)
    scale = np.maximum(then.deviations, 1e-9)
    error = np.sqrt((now.deviations / scale) ** 2 / now.num + 1.0 / then.num)
    level = NormalDist().inv_cdf(1 - _CHANCE / 2 / len(scale))
    apart = np.abs(shifts(now, then))
    worst = int((apart / error).argmax())
    return _measure(name, float(apart[worst]), float(level * error[worst]), now.num, then.num)


def _measure(name: str, distance: float, limit: float, num_now: int, num_then: int) -> Measure:
    verdict: Verdict = "steady"
    if num_now < FEW or num_then < FEW_TRAINED:
        verdict = "too few"
    elif distance > limit:
        verdict = "drift" if distance >= MATTERS[name] else "slight"
    return Measure(name, distance, limit, num_now, verdict)
