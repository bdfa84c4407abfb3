"""The learning curve: what did the last photos bring, and what would more of them?

Ridge regression is fitted on nested subsets of the training photos and judged on others; a
power law err(n) = a + b n^-c through the points (Hestness et al. 2017) is then followed a little
further. Its uncertainty comes from drawing the repeats again. The test split takes no part.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ninebrains.brains.manifest import CurvePoint, LearningCurve
from ninebrains.training.basis import Floats

NUM_REPEATS = 5
MOST_PHOTOS = 3000
MOST_TIMES_AHEAD = 4
_SHARES = (0.1, 0.18, 0.32, 0.56, 0.8)
_MILESTONES = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.97, 0.98, 0.99, 0.995)
_EXPONENTS = np.linspace(0.15, 1.5, 28)

Score = Callable[[Floats, Floats], float | None]


@dataclass(frozen=True)
class CurveData:
    """What the curve is made from.

    Attributes:
        rows: Z[n, r], rotated features of the training photos.
        targets: Y[n, K].
        weights: w[n].
        groups: [n], the label (or quantile) that subsets are stratified by.
        penalty: the best ridge penalty for all n.
    """

    rows: Floats
    targets: Floats
    weights: Floats
    groups: npt.NDArray[np.int64]
    penalty: float


def learning_curve(
    data: CurveData, measure: str, score: Score, full_value: float | None, seed: int
) -> LearningCurve:
    """Quality against the number of photos, and a forecast.

    Args:
        data: the training photos.
        measure: name of what `score` computes, for the manifest.
        score: (predictions [m, K], targets [m, K]) -> quality, higher is better, 1 is perfect.
        full_value: out-of-sample quality of the head that was trained on all photos.
        seed: of the subsets.
    """
    num_photos = len(data.rows)
    sizes, values = _measure_subsets(data, score, seed)
    points = [
        CurvePoint(photos=int(size), value=float(column.mean()), spread=float(column.std()))
        for size, column in zip(sizes, values.T, strict=True)
    ]
    if full_value is not None:
        points.append(CurvePoint(photos=num_photos, value=full_value, spread=0.0))
    if len(sizes) < 3 or full_value is None:
        return LearningCurve(
            measure=measure,
            points=points,
            verdict="Too few photos to tell what more of them would bring.",
        )
    laws = _power_laws(sizes, values, num_photos, full_value, seed)
    ahead = np.unique((num_photos * np.array([1.25, 1.5, 2.0, 3.0, MOST_TIMES_AHEAD])).astype(int))
    predicted = np.array([[law(size) for size in ahead] for law in laws])
    forecast = [
        CurvePoint(photos=int(size), value=float(np.median(column)), spread=float(column.std()))
        for size, column in zip(ahead, predicted.T, strict=True)
    ]
    num_groups = len(np.unique(data.groups)) if measure == "accuracy" else 0
    verdict = _verdict(laws, num_photos, full_value, num_groups, measure)
    return LearningCurve(measure=measure, points=points, forecast=forecast, verdict=verdict)


def _measure_subsets(
    data: CurveData, score: Score, seed: int
) -> tuple[npt.NDArray[np.int64], Floats]:
    """Sizes [s] and the quality of each repeat at each size [NUM_REPEATS, s]."""
    random = np.random.default_rng(seed)
    pool = min(len(data.rows), MOST_PHOTOS)
    last = int(pool * _SHARES[-1])
    least = 2 * len(np.unique(data.groups))
    sizes = np.unique([int(pool * share) for share in _SHARES])
    sizes = sizes[sizes >= max(least, 8)]
    values = np.full((NUM_REPEATS, len(sizes)), np.nan)
    if not len(sizes):
        return sizes, values
    for repeat in range(NUM_REPEATS):
        order = _stratified_order(data.groups, random)[:pool]
        rows = data.rows[order]
        products = rows @ rows.T + 1.0
        for place, size in enumerate(sizes):
            # Every size is judged by the same photos, or else the points could not be compared.
            predicted = _predict(products, data, order, int(size), last)
            found = score(predicted, data.targets[order[last:]])
            values[repeat, place] = np.nan if found is None else found
    usable = ~np.isnan(values).any(axis=0)
    return sizes[usable], values[:, usable]


def _stratified_order(
    groups: npt.NDArray[np.int64], random: np.random.Generator
) -> npt.NDArray[np.int64]:
    """A random order of which every beginning has the groups in about their own proportions."""
    position = np.empty(len(groups))
    for group in np.unique(groups):
        members = random.permutation(np.flatnonzero(groups == group))
        position[members] = (np.arange(len(members)) + random.uniform(0.2, 0.8)) / len(members)
    return np.argsort(position, kind="stable")


def _predict(
    products: Floats, data: CurveData, order: npt.NDArray[np.int64], size: int, last: int
) -> Floats:
    """Ridge learnt from the first `size` of `order`, in its dual form, applied from `last` on."""
    learnt = order[:size]
    weights = data.weights[learnt]
    mean = weights @ data.targets[learnt] / weights.sum()
    # With fewer photos a stronger penalty is best; the root of the ratio follows it closely enough.
    penalty = data.penalty * np.sqrt(len(data.rows) / size)
    damped = products[:size, :size] + np.diag(penalty * size / weights)
    dual = np.linalg.solve(damped, data.targets[learnt] - mean)
    return np.asarray(products[last:, :size] @ dual + mean)


Law = Callable[[float], float]


def _power_laws(
    sizes: npt.NDArray[np.int64], values: Floats, num_photos: int, full_value: float, seed: int
) -> list[Law]:
    """One law for each of 40 draws of the repeats, each made to pass through today's quality."""
    random = np.random.default_rng(seed)
    laws: list[Law] = []
    for _ in range(40):
        drawn = values[random.integers(0, len(values), len(values))]
        laws.append(_fit_law(sizes, 1.0 - drawn.mean(axis=0), num_photos, full_value))
    return laws


def _fit_law(sizes: npt.NDArray[np.int64], errors: Floats, num_photos: int, full: float) -> Law:
    """Least squares for a and b >= 0 at each exponent; the best exponent is kept."""
    best: tuple[float, float, float, float] = (np.inf, 0.0, 0.0, 1.0)
    weights = np.sqrt(sizes / sizes.max())
    for exponent in _EXPONENTS:
        falling = sizes.astype(float) ** -exponent
        design = np.stack([np.ones_like(falling), falling], axis=1) * weights[:, None]
        (floor, slope), *_ = np.linalg.lstsq(design, errors * weights, rcond=None)
        if floor < 0.0:
            floor = 0.0
            slope = float((falling * errors * weights**2).sum() / (falling**2 * weights**2).sum())
        slope = max(slope, 0.0)
        misfit = float((((floor + slope * falling - errors) * weights) ** 2).sum())
        if misfit < best[0]:
            best = (misfit, floor, slope, exponent)
    _, floor, slope, exponent = best
    # The head in use is better than plain ridge: keep the law's shape from here on.
    now = floor + slope * num_photos**-exponent
    ratio = (1.0 - full) / now if now > 0 else 0.0

    def law(size: float) -> float:
        return float(1.0 - ratio * (floor + slope * size**-exponent))

    return law


def _verdict(laws: list[Law], num_photos: int, full: float, num_groups: int, measure: str) -> str:
    doubled = np.array([law(2 * num_photos) for law in laws])
    gain, doubt = float(np.median(doubled)) - full, float(doubled.std())
    if gain < max(0.003, doubt):
        return "No sign that more photos like these would help."
    goal = next((mark for mark in _MILESTONES if mark > full + 0.003), None)
    if measure == "accuracy" and goal is not None:
        needed = np.array([_photos_for(law, goal, num_photos) for law in laws])
        typical = float(np.median(needed))
        if np.isfinite(typical):
            low, high = np.quantile(needed, [0.1, 0.9], method="nearest")
            return _more_photos(goal, full, (typical, low, high), num_photos, num_groups)
    if measure == "accuracy":
        rise = _rise(full, float(np.median(doubled)))
        return f"Twice as many photos would bring {rise}, give or take {100 * doubt:.1f}."
    name = "R²" if measure == "r2" else "mean average precision"
    return (
        f"Twice as many photos would bring the out-of-sample {name} from {full:.1%} to about "
        f"{np.median(doubled):.1%} (give or take {doubt:.1%})."
    )


def _photos_for(law: Law, goal: float, num_photos: int) -> float:
    """The number of photos at which a law reaches a goal; infinity beyond four times today's."""
    grid = np.geomspace(num_photos, MOST_TIMES_AHEAD * num_photos, 60)
    reached = [size for size in grid if law(float(size)) >= goal]
    return float(reached[0]) if reached else np.inf


def _more_photos(
    goal: float,
    full: float,
    needed: tuple[float, float, float],
    num_photos: int,
    num_groups: int,
) -> str:
    typical, low, high = needed

    def more(size: float) -> str:
        if not np.isfinite(size):
            return f"more than {_rounded((MOST_TIMES_AHEAD - 1) * num_photos / num_groups)}"
        return str(_rounded((size - num_photos) / num_groups))

    return (
        f"About {more(typical)} more photos a label (likely between {more(low)} and {more(high)}) "
        f"would bring {_rise(full, goal)}."
    )


def _rise(now: float, then: float) -> str:
    """A gain in words by which nobody takes it for the accuracy on photos that are held out."""
    return (
        f"about {100 * (then - now):.1f} points (from {now:.1%} to {then:.1%} on the photos that "
        "were learnt from, each left out in its turn)"
    )


def _rounded(count: float) -> int:
    step = 1 if count < 20 else 5 if count < 100 else 10 if count < 1000 else 100
    return max(1, round(count / step) * step)
