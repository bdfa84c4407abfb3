"""Scores that mean what they say: a score of 0.8 should be right 8 times in 10."""

from __future__ import annotations

import numpy as np

from ninebrains.brains.manifest import Calibration, CalibrationBin
from ninebrains.training.basis import Floats
from ninebrains.training.links import Link

NUM_BINS = 10


def fit_sharpness(link: Link, scores: Floats, targets: Floats, weights: Floats) -> float:
    """The factor on raw out-of-sample scores that gives the lowest log-loss: 1 / temperature.

    One number, fitted on scores of photos that the fit had not seen (Guo et al. 2017). The targets
    are softened by Laplace's rule, as if one more photo had been right and one wrong (after Platt
    1999): from n photos without a mistake nobody can tell that there will never be one.
    Golden-section search over 0.02 to 500 on a logarithmic scale; the loss is convex in the factor.
    """
    low, high = np.log(0.02), np.log(500.0)
    ratio = (np.sqrt(5.0) - 1.0) / 2.0
    share = weights / weights.sum()
    doubt = 2.0 / (len(targets) + 2.0)
    targets = targets * (1.0 - doubt) + doubt / max(targets.shape[1], 2)

    def loss(log_factor: float) -> float:
        return float(share @ link.losses(scores * np.exp(log_factor), targets))

    left, right = high - ratio * (high - low), low + ratio * (high - low)
    loss_left, loss_right = loss(left), loss(right)
    while high - low > 1e-3:
        if loss_left <= loss_right:
            high, right, loss_right = right, left, loss_left
            left = high - ratio * (high - low)
            loss_left = loss(left)
        else:
            low, left, loss_left = left, right, loss_right
            right = low + ratio * (high - low)
            loss_right = loss(right)
    return float(np.exp((low + high) / 2.0))


def calibration(
    before: Floats | None, after: Floats, given: Floats, temperature: float
) -> Calibration:
    """Expected calibration error of the top answers before and after the temperature.

    Args:
        before: probabilities [n, K] of the uncalibrated head, or None where they are not known.
        after: probabilities [n, K] with it.
        given: targets [n, K], one-hot or multi-hot.
        temperature: what the raw scores were divided by.
    """
    bins = _bins(after, given)
    return Calibration(
        temperature=temperature,
        ece_before=None if before is None else _expected_error(_bins(before, given)),
        ece_after=_expected_error(bins),
        bins=[part for part in bins if part.count],
    )


def _bins(probabilities: Floats, given: Floats) -> list[CalibrationBin]:
    top = probabilities.argmax(axis=1)
    rows = np.arange(len(top))
    confidence = probabilities[rows, top].astype(np.float64)
    right = given[rows, top].astype(np.float64)
    edges = np.linspace(0.0, 1.0, NUM_BINS + 1)
    places = np.clip(np.ceil(confidence * NUM_BINS).astype(int) - 1, 0, NUM_BINS - 1)
    found = []
    for place in range(NUM_BINS):
        inside = places == place
        count = int(inside.sum())
        found.append(
            CalibrationBin(
                low=float(edges[place]),
                high=float(edges[place + 1]),
                count=count,
                confidence=float(confidence[inside].mean()) if count else 0.0,
                accuracy=float(right[inside].mean()) if count else 0.0,
            )
        )
    return found


def _expected_error(bins: list[CalibrationBin]) -> float:
    total = sum(part.count for part in bins) or 1
    return sum(part.count * abs(part.confidence - part.accuracy) for part in bins) / total
