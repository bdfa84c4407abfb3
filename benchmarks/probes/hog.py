"""Histograms of oriented gradients, the features of the time before networks.

Dalal and Triggs, "Histograms of Oriented Gradients for Human Detection", CVPR 2005, with the values
that did best there: centred differences without smoothing, 9 unsigned orientations, cells of 8 by 8
pixels, overlapping blocks of 2 by 2 cells, L2-Hys. Of the grey values of a square of 128 pixels.
Votes are shared between the two nearest orientations, but not, as in the paper, between the nearest
cells.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ninebrains.images import Contract, PhotoSource, Pixels, prepare

CONTRACT = Contract(128, 128)
CELL, NUM_BINS, BLOCK = 8, 9, 2
_CLIPPED = 0.2
_GREY = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601


def hog(photo: PhotoSource) -> npt.NDArray[np.float32]:
    """Features float32[8100] of a photo."""
    return hog_of_pixels(prepare(photo, CONTRACT))


def hog_of_pixels(pixels: Pixels) -> npt.NDArray[np.float32]:
    """Features of RGB pixels whose sides are multiples of 8."""
    grey = pixels @ _GREY
    down, across = np.zeros_like(grey), np.zeros_like(grey)
    down[1:-1] = grey[2:] - grey[:-2]
    across[:, 1:-1] = grey[:, 2:] - grey[:, :-2]
    cells = _cells(np.hypot(down, across), np.arctan2(down, across))
    rows, columns = (size - BLOCK + 1 for size in cells.shape[:2])
    corners = [
        cells[top : top + rows, left : left + columns]
        for top in range(BLOCK)
        for left in range(BLOCK)
    ]
    blocks = _unit(np.concatenate(corners, axis=2))
    return _unit(np.minimum(blocks, _CLIPPED)).astype(np.float32).ravel()


def _cells(strength: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Histograms [h / 8, w / 8, 9]; bin k is centred on k + 1/2 ninths of 180 degrees."""
    height, width = strength.shape
    place = (angle / np.pi * NUM_BINS - 0.5) % NUM_BINS
    lower = np.floor(place).astype(np.int64) % NUM_BINS
    upper_share = place - np.floor(place)
    rows, columns = np.mgrid[0:height, 0:width] // CELL
    cells = np.zeros((height // CELL, width // CELL, NUM_BINS))
    np.add.at(cells, (rows, columns, lower), strength * (1.0 - upper_share))
    np.add.at(cells, (rows, columns, (lower + 1) % NUM_BINS), strength * upper_share)
    return cells


def _unit(blocks: np.ndarray) -> np.ndarray:
    return blocks / np.sqrt((blocks**2).sum(axis=2, keepdims=True) + 1e-5)
