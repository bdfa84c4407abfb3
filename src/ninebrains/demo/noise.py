"""Random fields: smooth clouds, fine grain and streaks, the stuff of which surfaces are made."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

Floats = npt.NDArray[np.float32]
Random = np.random.Generator


def resized(field: Floats, shape: tuple[int, int]) -> Floats:
    """A field drawn smoothly at another size: float32[shape]."""
    image = Image.fromarray(field).resize((shape[1], shape[0]), Image.Resampling.BICUBIC)
    return np.asarray(image)


def cloud(random: Random, shape: tuple[int, int], rows: float, columns: float) -> Floats:
    """Smooth noise with about so many hills a side; mean 0, mostly within -1 to 1."""
    size = max(3, round(rows) + 2), max(3, round(columns) + 2)
    return resized(random.standard_normal(size, np.float32) * np.float32(0.5), shape)


def clouds(random: Random, shape: tuple[int, int], hills: float, octaves: int = 3) -> Floats:
    """Clouds in clouds: each octave twice as fine and half as strong."""
    total = np.zeros(shape, np.float32)
    for octave in range(octaves):
        finer = hills * 2**octave
        aspect = shape[1] / shape[0]
        total += cloud(random, shape, finer, finer * aspect) * np.float32(0.5**octave)
    return total


def grain(random: Random, shape: tuple[int, int]) -> Floats:
    """Independent noise in every pixel, standard deviation 1."""
    return random.standard_normal(shape, np.float32)


def softened(field: Floats, factor: int) -> Floats:
    """The field without detail finer than about `factor` pixels."""
    small = max(2, field.shape[0] // factor), max(2, field.shape[1] // factor)
    image = Image.fromarray(np.ascontiguousarray(field, np.float32))
    reduced = image.resize((small[1], small[0]), Image.Resampling.BOX)
    return resized(np.asarray(reduced), (field.shape[0], field.shape[1]))


def rise(values: Floats, low: float, high: float) -> Floats:
    """0 below `low`, 1 above `high` and smooth between; falls where `low` is the larger."""
    share = np.clip((values - np.float32(low)) / np.float32(high - low), 0.0, 1.0)
    return np.asarray(share * share * (3.0 - 2.0 * share), np.float32)
