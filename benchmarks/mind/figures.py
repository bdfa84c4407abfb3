"""Small statistics: percentiles, and the slope of a noisy line with its interval."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

# Student's t, two-sided 95 %, by degrees of freedom; beyond them 1.96 + 2.5 / degrees is close.
_T_95 = (math.inf, 12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)


def percentile(values: Sequence[float], percent: float) -> float:
    """The value that `percent` of the values do not exceed: one of them, the nearest rank."""
    ranked = sorted(values)
    return ranked[max(math.ceil(percent / 100 * len(ranked)), 1) - 1]


def slope(
    times: Sequence[float], values: Sequence[float], *, skip: float = 0.2, blocks: int = 20
) -> tuple[float, float]:
    """The slope of a straight line through (times, values), and half its 95 % interval.

    Neighbouring samples of a process's memory are alike, so a fit to all of them would be far too
    sure of itself: they are averaged in blocks, and the line goes through the blocks' means.

    Args:
        times: in rising order.
        values: as many.
        skip: share of the time at the beginning that is left out.
        blocks: at most that many.

    Raises:
        ValueError: fewer than three samples are left.
    """
    x, y = np.asarray(times, float), np.asarray(values, float)
    kept = x >= x[0] + skip * (x[-1] - x[0])
    x, y = x[kept], y[kept]
    if len(x) < 3:
        raise ValueError(f"a slope needs 3 samples or more, not {len(x)}")
    parts = np.array_split(np.arange(len(x)), min(blocks, len(x)))
    x = np.array([x[part].mean() for part in parts])
    y = np.array([y[part].mean() for part in parts])
    from_middle = x - x.mean()
    spread = float(from_middle @ from_middle)
    rise = float(from_middle @ y / spread)
    rest = y - y.mean() - rise * from_middle
    degrees = len(x) - 2
    error = math.sqrt(float(rest @ rest) / degrees / spread)
    return rise, _student(degrees) * error


def _student(degrees: int) -> float:
    return _T_95[degrees] if degrees < len(_T_95) else 1.96 + 2.5 / degrees
