"""A map of photos: features to two dimensions, so that what looks alike lies together.

PCA to 50 dimensions, then t-SNE (van der Maaten and Hinton 2008) with the settings of Belkina et
al. 2019 and Kobak and Berens 2019. What photos push each other away with is summed on a grid by
FFT (Linderman et al. 2019), so that time grows with the number of photos and not with its square.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Progress = Callable[[int, int], None]

LEAST = 5
_DIMENSIONS = 50
_PERPLEXITY = 10.0
_STEPS_TOGETHER = 60
_STEPS = 240
_EXAGGERATION = 12.0
_LEAST_RATE = 4.0
_LONGEST_STEP = 4.0
_BLOCK = 1_000
_SPACING = 0.4
_MOST_CELLS = 192


@dataclass(frozen=True)
class _Links:
    """Who is near whom: photo i and `near[i, k]` by `share[i, k]`; all shares add up to a half."""

    near: npt.NDArray[np.int64]
    share: Singles


def make_map(
    features: npt.NDArray[np.float32], progress: Progress | None = None
) -> npt.NDArray[np.float32]:
    """Places of photos on a map, float32[n, 2] within -1 to 1. The same features, the same map.

    Args:
        features: float32[n, D].
        progress: called with (done, total); may raise to stop.
    """
    num = len(features)
    reduced = _principal(features)
    start = reduced[:, :2] / max(float(reduced[:, 0].std()), 1e-12)
    places = start.astype(np.float32)
    if num > LEAST:
        places = _settle(start * 1e-2, _link(reduced), progress)
    places = places - places.mean(axis=0)
    largest = float(np.abs(places).max()) or 1.0
    return np.asarray(places / largest, np.float32)


def _principal(features: npt.NDArray[np.float32]) -> Floats:
    """Unit features along their strongest directions, [n, at most 50]."""
    unit = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
    centred = (unit - unit.mean(axis=0)).astype(np.float64)
    energies, axes = np.linalg.eigh(centred.T @ centred)
    kept = axes[:, ::-1][:, : max(2, min(_DIMENSIONS, features.shape[1]))]
    # An axis has two directions: the one whose largest part is positive, so that maps agree.
    signs = np.sign(kept[np.abs(kept).argmax(axis=0), np.arange(kept.shape[1])])
    assert energies.size == axes.shape[1]
    return np.asarray(centred @ (kept * np.where(signs == 0, 1.0, signs)))


def _link(points: Floats) -> _Links:
    """Nearest neighbours, with the weights that t-SNE gives them."""
    num = len(points)
    num_near = min(num - 1, int(3 * _PERPLEXITY))
    near = np.empty((num, num_near), np.int64)
    distances = np.empty((num, num_near))
    squares = (points**2).sum(axis=1)
    for start in range(0, num, _BLOCK):
        part = slice(start, min(start + _BLOCK, num))
        gaps = squares[part, None] + squares[None, :] - 2.0 * points[part] @ points.T
        gaps[np.arange(gaps.shape[0]), np.arange(part.start, part.stop)] = np.inf
        chosen = np.argpartition(gaps, num_near - 1, axis=1)[:, :num_near]
        near[part] = chosen
        distances[part] = np.maximum(np.take_along_axis(gaps, chosen, axis=1), 0.0)
    return _Links(near, (_weights(distances) / (2.0 * num)).astype(np.float32))


def _weights(distances: Floats) -> Floats:
    """Weights [n, k] that fall with the distance, so that about ten count; rows add up to 1."""
    wanted = np.log(min(_PERPLEXITY, distances.shape[1] / 2 + 0.5))
    gaps = distances - distances.min(axis=1, keepdims=True)
    gaps /= np.maximum(gaps.mean(axis=1, keepdims=True), 1e-12)
    low, high = np.full(len(gaps), 1e-6), np.full(len(gaps), 1e6)
    for _ in range(40):
        beta = np.sqrt(low * high)
        weights = np.exp(-gaps * beta[:, None])
        total = weights.sum(axis=1)
        entropy = np.log(total) + beta * (weights * gaps).sum(axis=1) / total
        too_even = entropy > wanted
        low, high = np.where(too_even, beta, low), np.where(too_even, high, beta)
    return np.asarray(weights / total[:, None])


def _settle(start: Floats, links: _Links, progress: Progress | None) -> Singles:
    """Let linked photos pull and all others push until they rest."""
    places: Singles = start.astype(np.float32)
    num = len(places)
    rate = np.float32(max(num / _EXAGGERATION, _LEAST_RATE))
    speed, gains = np.zeros_like(places), np.ones_like(places)
    total = _STEPS_TOGETHER + _STEPS
    for step in range(total):
        together = step < _STEPS_TOGETHER
        pull = np.float32(_EXAGGERATION if together else 1.0) * _pull(places, links)
        force = pull - _push(places)
        same = (force > 0) == (speed > 0)
        gains = np.maximum(np.where(same, gains * 0.8, gains + 0.2), 0.01).astype(np.float32)
        speed = np.float32(0.5 if together else 0.8) * speed - rate * gains * force
        speed = np.clip(speed, -_LONGEST_STEP, _LONGEST_STEP)
        places = places + speed
        places -= places.mean(axis=0)
        if progress is not None and step % 5 == 4:
            progress(step + 1, total)
    return places


def _pull(places: Singles, links: _Links) -> Singles:
    """4 x the sum over links of share * (difference) / (1 + distance squared), [n, 2]."""
    across = places[:, 0][:, None] - places[:, 0][links.near]
    along = places[:, 1][:, None] - places[:, 1][links.near]
    strength = 4.0 * links.share / (1.0 + across * across + along * along)
    across *= strength
    along *= strength
    num, back = len(places), links.near.ravel()
    # Each link pulls at both of its ends.
    return np.stack(
        [
            across.sum(axis=1) - np.bincount(back, across.ravel(), num),
            along.sum(axis=1) - np.bincount(back, along.ravel(), num),
        ],
        axis=1,
    ).astype(np.float32)


def _push(places: Singles) -> Singles:
    """4 x the sum over all others of (difference) / (1 + distance squared)^2 / Z, [n, 2]."""
    corner = places.min(axis=0)
    extent = float((places.max(axis=0) - corner).max())
    spacing, size = _grid_for(extent)
    cells, parts = _cells_of((places - corner) / np.float32(spacing), size)
    masses = np.stack([np.ones(len(places), np.float32), places[:, 0], places[:, 1]])
    grid = np.zeros((3, size * size))
    for cell, part in zip(cells, parts, strict=True):
        for row, mass in enumerate(masses):
            grid[row] += np.bincount(cell, part * mass, size * size)
    padded = (2 * size, 2 * size)
    waves = np.fft.rfft2(grid.reshape(3, size, size).astype(np.float32), padded)
    kernels = _kernels(size, spacing)
    sums = np.stack([waves[0] * kernels[0], *(wave * kernels[1] for wave in waves)])
    fields = np.fft.irfft2(sums, padded)[:, :size, :size].reshape(4, -1)
    felt = np.zeros((4, len(places)), np.float32)
    for cell, part in zip(cells, parts, strict=True):
        felt += fields[:, cell] * part
    normaliser = max(float(felt[0].sum(dtype=np.float64)) - len(places), 1e-12)
    return np.asarray(4.0 * (places * felt[1][:, None] - felt[2:].T) / normaliser, np.float32)


def _grid_for(extent: float) -> tuple[float, int]:
    """Spacing and side of a grid over an extent; one of few, so that kernels are made seldom."""
    wanted = max(extent / (_MOST_CELLS - 2), min(_SPACING, extent / 50.0), 1e-9)
    spacing = 1.1 ** np.ceil(np.log(wanted) / np.log(1.1))
    size = int(np.ceil(extent / spacing)) + 2
    return float(spacing), -(-size // 12) * 12  # FFTs of such sides are fast


def _cells_of(scaled: Singles, size: int) -> tuple[list[npt.NDArray[np.int64]], list[Singles]]:
    """The four grid points around each photo, and its share of each."""
    low = np.minimum(scaled.astype(np.int64), size - 2)
    rest = (scaled - low).astype(np.float32)
    cells, parts = [], []
    for right in (0, 1):
        for down in (0, 1):
            cells.append((low[:, 0] + right) * size + low[:, 1] + down)
            across = rest[:, 0] if right else 1.0 - rest[:, 0]
            along = rest[:, 1] if down else 1.0 - rest[:, 1]
            parts.append(across * along)
    return cells, parts


@lru_cache(maxsize=4)
def _kernels(size: int, spacing: float) -> tuple[npt.NDArray[np.complex64], ...]:
    """Transforms of 1 / (1 + d^2) and of its square on the doubled grid."""
    steps = np.minimum(np.arange(2 * size), 2 * size - np.arange(2 * size)) * spacing
    near = 1.0 / (1.0 + steps[:, None] ** 2 + steps[None, :] ** 2)
    return tuple(
        np.asarray(np.fft.rfft2(kernel.astype(np.float32)), np.complex64)
        for kernel in (near, near**2)
    )
