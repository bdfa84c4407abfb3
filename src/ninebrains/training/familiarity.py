"""How unlike the training photos a photo is, so that a brain can answer "none of these".

Features are scaled to length 1. The photos of a label are taken as a cloud around their mean; all
clouds share one covariance, kept as a few axes plus the same spread in every other direction. The
distance is that of Mahalanobis to the nearest mean (Lee et al. 2018, with the covariance of
probabilistic principal components, Tipping and Bishop 1999). It is a product of small matrices, so
it is part of the brain's graph and survives every export.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ninebrains.training.basis import Floats
from ninebrains.training.ridge import Indices

NUM_AXES = (
    8  # more axes follow the training photos too closely: 128 rejected hardly any other photo
)
REJECTED_SHARE = 0.01
NUM_FOLDS = 5
_MOST_PHOTOS = 20_000
_STEPS = 4


@dataclass(frozen=True)
class Familiarity:
    """The squared distance of unit features z is P^2 @ gains + min(z @ linear.T + offset).

    Attributes:
        axes: [D, k], where P = z @ axes.
        gains: [k].
        linear: [M, D], one row a mean.
        offset: [M].
        threshold: squared distance that about 1 % of the training photos exceed out-of-sample.
        rejected_train: the share that does.
    """

    axes: Floats
    gains: Floats
    linear: Floats
    offset: Floats
    threshold: float
    rejected_train: float

    def scores(self, features: Floats) -> Floats:
        """`unfamiliar` [n] of raw features [n, D]: distance over threshold, above 1.0 rejected."""
        return np.asarray(np.sqrt(_squared(self, features) / self.threshold))


def fit_familiarity(
    features: npt.NDArray[np.float32], groups: Indices, copies: Indices, seed: int
) -> tuple[Familiarity, Floats]:
    """Learn what is familiar, and set the threshold on photos that a fit had not seen.

    Args:
        features: [n, D] of the training photos.
        groups: [n], the label of each; all zero where photos have no single label.
        copies: [n]; copies of one photo have the same number and are left out together.
        seed: of the folds.

    Returns:
        The model, and the out-of-sample `unfamiliar` score of each training photo, [n]; NaN for
        those beyond the first 20,000 that the threshold was set on.
    """
    order = np.random.default_rng(seed).permutation(len(features))[:_MOST_PHOTOS]
    kept = np.sort(order)
    unit, groups, copies = _unit(features[kept]), groups[kept], copies[kept]
    names = np.random.default_rng(seed).permutation(np.unique(copies))
    distances = np.empty(len(unit))
    num_folds = min(NUM_FOLDS, len(names))
    for start in range(num_folds):
        out = np.isin(copies, names[start::num_folds])
        model = _fit(unit[~out], groups[~out]) if not out.all() else _fit(unit, groups)
        distances[out] = _squared(model, unit[out])
    _, first = np.unique(copies, return_index=True)
    threshold = _upper_quantile(distances[first])
    model = _fit(unit, groups, threshold, float((distances > threshold).mean()))
    scores = np.full(len(features), np.nan)
    scores[kept] = np.sqrt(np.maximum(distances, 0.0) / threshold)
    return model, scores


def _upper_quantile(distances: Floats) -> float:
    """The value that a new photo exceeds with a probability of at most 1 % (conformal rank).

    Below 99 photos no rank is high enough; then the largest distance and a tenth more is taken.
    """
    rank = int(np.ceil((len(distances) + 1) * (1.0 - REJECTED_SHARE)))
    ordered = np.sort(distances)
    top = float(ordered[rank - 1] if rank <= len(ordered) else ordered[-1] * 1.1)
    return max(top, 1e-6)


def _unit(features: npt.NDArray[np.float32]) -> Floats:
    lengths = np.linalg.norm(features.astype(np.float64), axis=1, keepdims=True)
    return np.asarray(features / np.maximum(lengths, 1e-12))


def _fit(
    unit: Floats, groups: npt.NDArray[np.int64], threshold: float = 1.0, rejected: float = 0.0
) -> Familiarity:
    names, places = np.unique(groups, return_inverse=True)
    counts = np.bincount(places)
    means = np.zeros((len(names), unit.shape[1]))
    np.add.at(means, places, unit)
    means /= counts[:, None]
    axes, variances, rest = _spread(unit - means[places], len(unit) - len(names))
    # Inverse covariance: 1 / rest everywhere, corrected along the axes.
    gains = 1.0 / variances - 1.0 / rest
    pulled = means / rest + ((means @ axes) * gains) @ axes.T
    offset = (pulled * means).sum(axis=1) + 1.0 / rest
    return Familiarity(axes, gains, -2.0 * pulled, offset, threshold, rejected)


def _spread(residuals: Floats, freedom: int) -> tuple[Floats, Floats, float]:
    """Strongest axes [D, k] of residuals [n, D], their variances [k], and that of the rest."""
    num_features = residuals.shape[1]
    num_axes = min(NUM_AXES, max(freedom - 1, 1), num_features - 1)
    axes, energies = _top_axes(residuals, num_axes)
    freedom = max(freedom, 1)
    variances = energies / freedom
    total = float((residuals**2).sum()) / freedom
    rest = max((total - float(variances.sum())) / (num_features - num_axes), 1e-7)
    # A tenth of shrinkage towards the common spread, and never below it.
    return axes, np.maximum(0.9 * variances + 0.1 * rest, rest), rest


def _top_axes(residuals: Floats, num_axes: int) -> tuple[Floats, Floats]:
    """Principal axes [D, k] and energies [k] by a few steps of subspace iteration.

    Far cheaper than a full decomposition, and exact enough: whatever the axes are, the energies
    along them and the rest are measured (Halko, Martinsson and Tropp 2011).
    """
    width = min(2 * num_axes, residuals.shape[1])
    frame = np.random.default_rng(0).normal(size=(residuals.shape[1], width))
    for _ in range(_STEPS):
        frame, _ = np.linalg.qr(residuals.T @ (residuals @ frame))
    along = residuals @ frame
    energies, turn = np.linalg.eigh(along.T @ along)
    order = np.argsort(-energies)[:num_axes]
    return frame @ turn[:, order], np.maximum(energies[order], 0.0)


def _squared(model: Familiarity, features: Floats) -> Floats:
    unit = _unit(np.asarray(features))
    nearest = (unit @ model.linear.T + model.offset).min(axis=1)
    return np.asarray(np.maximum(((unit @ model.axes) ** 2) @ model.gains + nearest, 0.0))
