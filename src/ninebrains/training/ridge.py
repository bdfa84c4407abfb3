"""Ridge regression with exact leave-one-out predictions for a whole grid of penalties.

One pass: in the basis of `basis.py` the solution for each penalty is a division, and leaving photo
i out changes its residual by 1 / (1 - h_i) exactly, with the leverage h_i also known in closed form
(Allen 1974, the PRESS statistic; Hastie, Tibshirani and Friedman 2009, section 7.10).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ninebrains.training.basis import Basis, Floats, blocks

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

    def leave_one_out(self, penalty: float, chosen: npt.NDArray[np.int64] | None = None) -> Floats:
        """What a fit without photo i would have predicted for photo i, exactly: [m, K].

        Args:
            penalty: relative to the mean squared length of a row.
            chosen: indices of the m photos wanted; all by default.
        """
        wanted = np.arange(len(self.basis.rows)) if chosen is None else chosen
        coefficients = self.coefficients(penalty).astype(self.basis.rows.dtype)
        inverse = (1.0 / self._damped(penalty)).astype(self.basis.rows.dtype)
        total_weight = self.basis.weights.sum()
        result = np.empty((len(wanted), self.targets.shape[1]), self.basis.rows.dtype)
        for part in blocks(len(wanted)):
            index = wanted[part]
            rows, weights = self.basis.rows[index], self.basis.weights[index]
            leverage = weights * (1.0 / total_weight + (rows**2) @ inverse)
            residual = self.targets[index] - (rows @ coefficients + self.target_mean)
            # A leverage of 1 means that the photo decides its own prediction: nothing is known
            # then.
            left = np.maximum(1.0 - leverage, 1e-6)[:, None]
            result[part] = self.targets[index] - residual / left
        return result

    def leave_pair_out(
        self, penalty: float, first: npt.NDArray[np.int64], second: npt.NDArray[np.int64]
    ) -> Floats:
        """What a fit without photos first[i] and second[i] would have predicted for first[i].

        The residuals of a left-out pair are (I - H)^-1 r, with H the pair's 2 x 2 block of the hat
        matrix. For mirror images: leaving a photo out must leave out its reflection too.
        """
        coefficients = self.coefficients(penalty).astype(self.basis.rows.dtype)
        inverse = (1.0 / self._damped(penalty)).astype(self.basis.rows.dtype)
        total_weight = self.basis.weights.sum()
        result = np.empty((len(first), self.targets.shape[1]), self.basis.rows.dtype)
        for part in blocks(len(first)):
            one, two = self.basis.rows[first[part]], self.basis.rows[second[part]]
            weight_one = self.basis.weights[first[part]]
            weight_two = self.basis.weights[second[part]]
            own = weight_one * (1.0 / total_weight + (one**2) @ inverse)
            other = weight_two * (1.0 / total_weight + (two**2) @ inverse)
            shared = 1.0 / total_weight + (one * two) @ inverse
            given_one, given_two = self.targets[first[part]], self.targets[second[part]]
            residual_one = given_one - (one @ coefficients + self.target_mean)
            residual_two = given_two - (two @ coefficients + self.target_mean)
            determinant = (1.0 - own) * (1.0 - other) - weight_one * weight_two * shared**2
            left = (1.0 - other)[:, None] * residual_one + (weight_two * shared)[
                :, None
            ] * residual_two
            result[part] = given_one - left / np.maximum(determinant, 1e-6)[:, None]
        return result


def make_ridge(basis: Basis, targets: Floats) -> Ridge:
    """Prepare ridge regression of targets [n, K] on a basis."""
    weights = basis.weights
    mean = np.asarray((weights[:, None] * targets).sum(axis=0) / weights.sum())
    correlations = np.zeros((basis.rows.shape[1], targets.shape[1]))
    for part in blocks(len(targets)):
        centred = (targets[part] - mean) * weights[part, None]
        correlations += basis.rows[part].T @ centred.astype(basis.rows.dtype)
    return Ridge(basis, targets, mean, correlations)
