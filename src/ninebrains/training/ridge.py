"""Ridge regression with exact leave-one-out predictions for a whole grid of penalties.

One pass: in the basis of `basis.py` the solution for each penalty is a division, and leaving photo
i out changes its residual by 1 / (1 - h_i) exactly, with the leverage h_i also known in closed form
(Allen 1974, the PRESS statistic; Hastie, Tibshirani and Friedman 2009, section 7.10).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ninebrains.training.basis import Basis, Floats, blocks

Indices = npt.NDArray[np.int64]

_LEAST, _TINY = 1e-6, 1e-9
_BLOCK_VALUES = 10_000_000
PENALTIES = tuple(float(value) for value in np.logspace(-5, 1, 13))


@dataclass(frozen=True)
class Ridge:
    """Ridge regression on targets Y[n, K], ready to be solved for any penalty.

    A penalty is relative to the mean squared length of a row, so that one grid fits every trunk and
    every number of photos. The intercept is not penalised.
    """

    basis: Basis
    targets: Floats
    target_mean: Floats
    correlations: Floats

    def coefficients(self, penalty: float) -> Floats:
        """B[r, K] for rotated rows; the intercept is `target_mean`."""
        return np.asarray(self.correlations / self._damped(penalty)[:, None])

    def _damped(self, penalty: float) -> Floats:
        return np.asarray(self.basis.energies + penalty * len(self.basis.rows))

    def left_out(self, penalty: float, wanted: Indices, groups: Indices) -> Floats:
        """What a fit without a photo, and without its copies, would have predicted for it: [m, K].

        The residuals of a group that is left out are (I - H)^-1 r, with H its block of the hat
        matrix: exact, without fitting again. For a group of one this is r / (1 - h).

        Args:
            penalty: relative to the mean squared length of a row.
            wanted: indices of the m rows to predict.
            groups: [n], rows with the same number are left out together (copies, mirror images).
        """
        result = np.empty((len(wanted), self.targets.shape[1]), self.basis.rows.dtype)
        place_of = np.full(len(groups), -1)
        place_of[wanted] = np.arange(len(wanted))
        for members in groups_by_size(groups, np.unique(groups[wanted])):
            step = max(1, _BLOCK_VALUES // (members.shape[1] * self.basis.rows.shape[1]))
            for part in blocks(len(members), step):
                index = members[part]
                predicted = self.targets[index] - self._left_out_residuals(penalty, index)
                asked = place_of[index] >= 0
                result[place_of[index][asked]] = predicted[asked]
        return result

    def _left_out_residuals(self, penalty: float, index: Indices) -> Floats:
        """Residuals [g, s, K] of g groups of s rows, each from a fit without its group."""
        dtype = self.basis.rows.dtype
        coefficients = self.coefficients(penalty).astype(dtype)
        inverse = (1.0 / self._damped(penalty)).astype(dtype)
        rows, weights = self.basis.rows[index], self.basis.weights[index]
        residuals = self.targets[index] - (rows @ coefficients + self.target_mean)
        shared = 1.0 / self.basis.weights.sum()
        if index.shape[1] == 1:
            leverage = weights[:, 0] * (shared + (rows[:, 0] ** 2) @ inverse)
            # A leverage of 1: the photo decides its own prediction and nothing is known.
            return np.asarray(residuals / np.maximum(1.0 - leverage, _LEAST)[:, None, None])
        hat = (shared + (rows * inverse) @ rows.transpose(0, 2, 1)) * weights[:, None, :]
        left = np.eye(index.shape[1]) * (1.0 + _TINY) - hat
        return np.asarray(np.linalg.solve(left, residuals))


def groups_by_size(groups: Indices, names: Indices) -> Iterator[Indices]:
    """The members of the named groups, stacked by size: [g, s] row indices for each size s."""
    order = np.argsort(groups, kind="stable")
    starts = np.searchsorted(groups[order], names)
    sizes = np.searchsorted(groups[order], names, side="right") - starts
    for size in np.unique(sizes):
        first = starts[sizes == size]
        yield order[first[:, None] + np.arange(size)]


def make_ridge(basis: Basis, targets: Floats) -> Ridge:
    """Prepare ridge regression of targets [n, K] on a basis."""
    weights = basis.weights
    mean = np.asarray((weights[:, None] * targets).sum(axis=0) / weights.sum())
    correlations = np.zeros((basis.rows.shape[1], targets.shape[1]))
    for part in blocks(len(targets)):
        centred = (targets[part] - mean) * weights[part, None]
        correlations += basis.rows[part].T @ centred.astype(basis.rows.dtype)
    return Ridge(basis, targets, mean, correlations)
