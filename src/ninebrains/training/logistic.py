"""Logistic regression with an L2 penalty, fast because the basis makes its curvature diagonal.

The Hessian of the log-loss is bounded by half the covariance of the features (Böhning 1992), and in
the basis of `basis.py` that bound is a diagonal. Dividing each axis by its root gives a problem
that L-BFGS solves in a few dozen steps, whatever the features' condition.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ninebrains.training.basis import Basis, Floats, blocks
from ninebrains.training.links import Link
from ninebrains.training.minimising import minimise

PENALTIES = (1e-2, 3e-3, 1e-3, 3e-4, 1e-4)
MAX_STEPS = 100


@dataclass(frozen=True)
class Logistic:
    """A solution: raw scores are `rows @ coefficients + intercept`."""

    coefficients: Floats
    intercept: Floats

    def scores(self, rows: Floats) -> Floats:
        """Raw scores [m, K] of rotated rows [m, r]."""
        return np.asarray(rows @ self.coefficients.astype(rows.dtype) + self.intercept)


def fit_logistic(
    basis: Basis,
    targets: Floats,
    link: Link,
    penalty: float,
    chosen: npt.NDArray[np.int64] | None = None,
    start: Logistic | None = None,
) -> Logistic:
    """Minimise mean weighted log-loss + penalty / 2 * |coefficients|^2.

    Args:
        basis: of n photos.
        targets: [n, K], one-hot or multi-hot.
        link: `Softmax` or `Sigmoid`.
        penalty: relative to the mean squared length of a row.
        chosen: indices of the photos to learn from; all by default.
        start: a solution for a near penalty or other photos, to begin from.
    """
    rows_all, targets_all, index = basis.rows, targets, np.arange(len(targets))
    if chosen is not None:
        rows_all, targets_all, index = basis.rows[chosen], targets[chosen], chosen
    num_axes, num_targets = basis.rows.shape[1], targets.shape[1]
    weights = basis.weights[index] / basis.weights[index].sum()
    # With sigmoids the loss is a mean over labels: the penalty is scaled alike.
    penalty = penalty / (num_targets if link.__class__.__name__ == "Sigmoid" else 1)
    curvature = 0.25 * basis.energies / len(basis.rows) + penalty
    step = (1.0 / np.sqrt(curvature))[:, None]

    def objective(flat: Floats) -> tuple[float, Floats]:
        inner = flat.reshape(num_axes + 1, num_targets)
        coefficients = (inner[:-1] * step).astype(basis.rows.dtype)
        loss = 0.5 * penalty * float((inner[:-1] * step).ravel() @ (inner[:-1] * step).ravel())
        slope = np.zeros_like(inner)
        for part in blocks(len(index)):
            rows, wanted = rows_all[part], targets_all[part]
            scores = rows @ coefficients + inner[-1].astype(rows.dtype)
            loss += float(weights[part] @ link.losses(scores, wanted))
            pull = link.gradient(scores, wanted) * weights[part, None]
            slope[:-1] += rows.T @ pull.astype(rows.dtype)
            slope[-1] += pull.sum(axis=0)
        slope[:-1] = (slope[:-1] + penalty * inner[:-1] * step) * step
        return loss, slope.ravel()

    first = np.zeros((num_axes + 1, num_targets))
    if start is not None:
        first[:-1], first[-1] = start.coefficients / step, start.intercept
    found = minimise(objective, first.ravel(), max_steps=MAX_STEPS, tolerance=1e-5)
    inner = found.reshape(num_axes + 1, num_targets)
    return Logistic(inner[:-1] * step, inner[-1])
