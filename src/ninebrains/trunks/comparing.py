"""How a rewritten network is compared with its original: pixels, their preparation, measures."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ninebrains.images import Pixels
from ninebrains.trunks.inputs import InputForm
from ninebrains.trunks.normalising import Normalisation

LEAST_COSINE = 0.9999
LARGEST_ERROR = 1e-3
LARGEST_BATCH_ERROR = 1e-4
_NUM_CHECKED = 3

Floats = npt.NDArray[np.float32]


def checking_photos(form: InputForm) -> Pixels:
    """Pixels that are like photos in what matters: smooth areas, edges, grain, differing colours.

    uint8[3, H, W, 3], the same every time.
    """
    height, width = form.contract.height, form.contract.width
    down, across = np.mgrid[0:height, 0:width]
    down, across = down / height, across / width
    photos = np.empty((_NUM_CHECKED, height, width, 3))
    for photo in range(_NUM_CHECKED):
        for channel in range(3):
            phase = 1.7 * photo + 0.9 * channel
            waves = np.sin(5 * across + phase) * np.cos((4 + photo) * down - phase)
            disc = np.hypot(across - 0.3 - 0.2 * photo, down - 0.5) < 0.12 + 0.07 * channel
            grain = np.sin(997.0 * across + 1373.0 * down * (photo + 1) + phase)
            photos[photo, :, :, channel] = 105 + 15 * channel + 70 * waves + 60 * disc + 9 * grain
    return np.clip(photos, 0, 255).astype(np.uint8)


def prepared(photos: Pixels, form: InputForm, normalisation: Normalisation) -> npt.NDArray[Any]:
    """The original's input, computed here in numpy: the reference for what the graph does."""
    values: npt.NDArray[Any] = photos
    if not form.is_uint8:
        exact = (photos - np.array(normalisation.offset)) / np.array(normalisation.divisor)
        values = exact.astype(np.float32)
    if normalisation.color == "bgr":
        values = values[..., ::-1]
    return values.transpose(0, 3, 1, 2) if form.layout == "nchw" else values


def least_cosine(expected: Floats, found: Floats) -> float:
    """The smallest cosine between two rows [N, D] that should be the same."""
    one, other = expected.astype(np.float64), found.astype(np.float64)
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return float(np.min((one * other).sum(1) / np.maximum(lengths, 1e-30)))


def largest_error(expected: Floats, found: Floats) -> float:
    """The largest difference, relative to the largest value."""
    one, other = expected.astype(np.float64), found.astype(np.float64)
    return float(np.abs(one - other).max() / max(np.abs(one).max(), 1e-30))
