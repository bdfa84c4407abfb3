"""Figures of two sets of answers on the same photos. Pure functions on arrays."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from ninebrains.brains.manifest import Estimate
from ninebrains.training.measuring import wilson

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

THRESHOLD = 0.5
TOLERATED_SHARE = 0.05


def same_answers(task: str, brain: Floats, export: Floats, error: float | None) -> Bools:
    """Which photos get the same answer from both, bool[n]; see `receipt.Agreement`.

    Args:
        task: of the brain.
        brain: its scores [n, C] or values [n, 1].
        export: the same of the export.
        error: the brain's usual error (regress), None where it was not measured.
    """
    if task == "multilabel":
        return np.asarray(((brain >= THRESHOLD) == (export >= THRESHOLD)).all(axis=1))
    if task == "regress":
        usual = error if error else float(np.std(brain)) or 1.0
        return np.asarray(np.abs(brain - export)[:, 0] <= TOLERATED_SHARE * usual)
    return np.asarray(brain.argmax(axis=1) == export.argmax(axis=1))


def rightness(task: str, answers: Floats, targets: Doubles) -> Doubles:
    """How right each answer is, [n]: 0 or 1, a share of decisions, or the absolute error."""
    if task == "regress":
        return np.asarray(np.abs(answers.astype(np.float64) - targets)[:, 0])
    if task == "multilabel":
        return np.asarray(((answers >= THRESHOLD) == (targets > 0)).mean(axis=1))
    rows = np.arange(len(answers))
    return np.asarray(targets[rows, answers.argmax(axis=1)] > 0, np.float64)


def mean_estimate(task: str, values: Doubles) -> Estimate:
    """The mean of `rightness` with its 95 % interval: Wilson for right or wrong, else normal."""
    if task == "classify":
        return wilson(float(values.sum()), len(values))
    mean, half = float(values.mean()), _half_width(values, _z())
    top = math.inf if task == "regress" else 1.0
    return Estimate(value=mean, low=max(0.0, mean - half), high=min(top, mean + half))


def lost_quality(task: str, brain: Doubles, export: Doubles, tries: int = 1) -> Estimate:
    """What the export loses on the same photos, with its 95 % interval; below zero is a gain.

    Right or wrong: the interval of Bonett and Price (2012) for paired shares, which is sound for
    few photos and when no photo changes. Otherwise that of a mean of paired differences.

    Args:
        task: of the brain.
        brain: its `rightness`, [n].
        export: the same of the export.
        tries: how many exports were held against these photos to find this one; the interval is
            so much wider that all of them hold together (Bonferroni).
    """
    z = _z(tries)
    if task == "classify":
        lost, won = float((brain > export).sum()), float((brain < export).sum())
        return _paired_shares(lost, won, len(brain), z)
    differences = export - brain if task == "regress" else brain - export
    mean, half = float(differences.mean()), _half_width(differences, z)
    scale = float(brain.mean()) if task == "regress" else 1.0
    scale = scale if scale > 0 else 1.0
    return Estimate(value=mean / scale, low=(mean - half) / scale, high=(mean + half) / scale)


def _paired_shares(lost: float, won: float, num: int, z: float) -> Estimate:
    value = (lost - won) / num
    share_lost, share_won = (lost + 1) / (num + 2), (won + 1) / (num + 2)
    middle = share_lost - share_won
    half = z * math.sqrt((share_lost + share_won - middle**2) / (num + 2))
    return Estimate(
        value=value,
        low=min(value, max(-1.0, middle - half)),
        high=max(value, min(1.0, middle + half)),
    )


def _z(tries: int = 1) -> float:
    """How many standard deviations a 95 % interval reaches to both sides."""
    return NormalDist().inv_cdf(1.0 - 0.025 / tries)


def _half_width(values: Doubles, z: float) -> float:
    if len(values) < 2:
        return 1.0
    return z * float(values.std(ddof=1)) / math.sqrt(len(values))


def heatmap_correlations(brain: Floats, export: Floats, labels: npt.NDArray[np.int64]) -> Doubles:
    """Correlation of the heat maps [n, C, h, w] of one label a photo, [n]; NaN where one is flat.

    >>> maps = np.arange(8, dtype=np.float32).reshape(1, 2, 2, 2)
    >>> heatmap_correlations(maps, 2 * maps + 1, np.array([1])).round(6)
    array([1.])
    """
    rows = np.arange(len(labels))
    one = brain[rows, labels].reshape(len(rows), -1).astype(np.float64)
    other = export[rows, labels].reshape(len(rows), -1).astype(np.float64)
    one, other = one - one.mean(axis=1, keepdims=True), other - other.mean(axis=1, keepdims=True)
    lengths = np.sqrt((one**2).sum(axis=1) * (other**2).sum(axis=1))
    safe = np.where(lengths > 0, lengths, np.nan)
    return np.asarray((one * other).sum(axis=1) / safe)
