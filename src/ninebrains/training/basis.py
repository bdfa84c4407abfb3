"""Features in the axes of their own covariance: the one decomposition that every head shares.

    features X[n, D] ──► centre, scale ──► rotate ──► Z[n, r],  r <= min(n, D)

In these axes ridge regression is a division, its leave-one-out scores are exact and nearly free,
and the curvature bound of logistic regression is diagonal, so that its solver needs few steps.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]

BLOCK_ROWS = 8192
_TINY = 1e-30  # instead of zero, where all photos are the same
EXACT_VALUES = 30_000_000  # up to here everything is computed in float64 (240 MB)


@dataclass(frozen=True)
class Basis:
    """Weighted, centred, scaled and rotated features.

    Attributes:
        rows: Z[n, r], one row a photo.
        weights: w[n], mean 1.
        energies: sum over photos of w z^2 for each axis, [r], descending.
        mean: [D], the weighted mean of the features.
        scale: features are divided by it; afterwards the mean squared length of a row is 1.
        axes: [D, r], orthonormal columns.
    """

    rows: Floats
    weights: Floats
    energies: Floats
    mean: Floats
    scale: float
    axes: Floats

    def unrotate(self, coefficients: Floats, intercept: Floats) -> tuple[Floats, Floats]:
        """A linear function of rotated rows as one of raw features: (W[K, D], b[K]), float64."""
        weights = (self.axes @ coefficients).T.astype(np.float64) / self.scale
        return weights, intercept - weights @ self.mean

    def rotate(self, features: Floats) -> Floats:
        """Rows [m, r] of other features [m, D]."""
        centred = (features - self.mean) / self.scale
        return np.asarray(centred.astype(self.rows.dtype) @ self.axes)


def blocks(num_rows: int, block_rows: int = BLOCK_ROWS) -> Iterator[slice]:
    """Consecutive slices that cover `num_rows`."""
    for start in range(0, num_rows, block_rows):
        yield slice(start, min(start + block_rows, num_rows))


def make_basis(features: npt.NDArray[np.float32], weights: Floats) -> Basis:
    """Decompose features [n, D] under photo weights [n].

    With fewer photos than features the n x n Gram matrix is decomposed, otherwise the D x D
    covariance, which is summed block by block and may come from a memory-mapped file.
    """
    num_rows, num_features = features.shape
    weights = weights / weights.mean()
    mean = _weighted_mean(features, weights)
    square = sum(
        float((weights[part] * ((features[part] - mean) ** 2).sum(axis=1)).sum())
        for part in blocks(num_rows)
    )
    scale = float(np.sqrt(square / num_rows)) or 1.0
    if num_rows <= num_features:
        rows, energies, axes = _from_gram((features - mean) / scale, weights)
    else:
        rows, energies, axes = _from_covariance(features, weights, mean, scale)
    return Basis(rows, weights, energies, mean, scale, axes)


def _weighted_mean(features: npt.NDArray[np.float32], weights: Floats) -> Floats:
    total = np.zeros(features.shape[1])
    for part in blocks(len(features)):
        total += weights[part] @ features[part].astype(np.float64)
    return np.asarray(total / weights.sum())


def _from_gram(centred: Floats, weights: Floats) -> tuple[Floats, Floats, Floats]:
    root = np.sqrt(weights)[:, None]
    weighted = centred * root
    energies, vectors = np.linalg.eigh(weighted @ weighted.T)
    keep = _significant(energies)
    energies, vectors = energies[keep][::-1], vectors[:, keep][:, ::-1]
    axes = weighted.T @ (vectors / np.sqrt(np.maximum(energies, _TINY)))
    return np.asarray(vectors * np.sqrt(energies) / root), energies, axes


def _from_covariance(
    features: npt.NDArray[np.float32], weights: Floats, mean: Floats, scale: float
) -> tuple[Floats, Floats, Floats]:
    dtype = np.float64 if features.size <= EXACT_VALUES else np.float32
    covariance = np.zeros((features.shape[1],) * 2)
    for part in blocks(len(features)):
        centred = ((features[part] - mean) / scale).astype(dtype)
        covariance += (centred * weights[part, None].astype(dtype)).T @ centred
    energies, axes = np.linalg.eigh(covariance)
    keep = _significant(energies)
    energies, axes = energies[keep][::-1], np.ascontiguousarray(axes[:, keep][:, ::-1])
    axes = axes.astype(dtype)
    rows = np.empty((len(features), len(energies)), dtype)
    for part in blocks(len(features)):
        rows[part] = ((features[part] - mean) / scale).astype(dtype) @ axes
    return rows, energies, axes


def _significant(energies: Floats) -> npt.NDArray[np.bool_]:
    """Axes that are more than rounding error; at least one, also when all photos are the same."""
    keep = np.asarray(energies > 1e-7 * max(float(energies[-1]), 1e-12))
    keep[-1] = True
    return keep
