"""L-BFGS: the lowest point of a smooth convex function, from its values and slopes.

Nocedal and Wright, Numerical Optimization (2006), algorithms 7.4 and 7.5, with backtracking (3.1):
for a convex function every accepted step has positive curvature, so nothing more is needed. SciPy's
would do as well; it is not worth 140 MB and a third of a second in every training of a few seconds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np

from ninebrains.training.basis import Floats

_MEMORY = 12
_SUFFICIENT = 1e-4
_SHORTEST = 1e-10

Objective = Callable[[Floats], tuple[float, Floats]]


def minimise(objective: Objective, start: Floats, *, max_steps: int, tolerance: float) -> Floats:
    """Walk downhill from `start` until a step gains too little.

    Args:
        objective: value and slope [p] at a point [p].
        start: where to begin, [p].
        max_steps: at most so many steps.
        tolerance: ends when a step lowers the value by less than this share of it, or when no
            slope is larger than this.
    """
    point, (value, slope) = start, objective(start)
    pairs: deque[tuple[Floats, Floats, float]] = deque(maxlen=_MEMORY)
    for _ in range(max_steps):
        if np.abs(slope).max() <= tolerance:
            break
        direction = -_curved(slope, pairs)
        descent, rate = float(slope @ direction), 1.0
        while rate > _SHORTEST:
            new_value, new_slope = objective(point + rate * direction)
            if new_value <= value + _SUFFICIENT * rate * descent:
                break
            rate /= 2
        else:
            break  # rounding error is all that is left
        step, change = rate * direction, new_slope - slope
        if (product := float(step @ change)) > 0:
            pairs.append((step, change, 1.0 / product))
        gain = value - new_value
        point, value, slope = point + step, new_value, new_slope
        if gain <= tolerance * max(abs(value), tolerance):
            break
    return point


def _curved(slope: Floats, pairs: deque[tuple[Floats, Floats, float]]) -> Floats:
    """The slope times the inverse curvature that the last steps have shown (two-loop recursion)."""
    result = slope.copy()
    shares = []
    for step, change, weight in reversed(pairs):
        share = weight * float(step @ result)
        result -= share * change
        shares.append(share)
    if pairs:
        _, change, weight = pairs[-1]
        result /= weight * float(change @ change)
    for (step, change, weight), share in zip(pairs, reversed(shares), strict=True):
        result += (share - weight * float(change @ result)) * step
    return result
