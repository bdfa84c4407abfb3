"""What the things lie on: wood, steel, cloth, concrete, a conveyor belt, a cutting mat."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ninebrains.demo.noise import Floats, Random, cloud, clouds, grain, rise


@dataclass(frozen=True)
class Ground:
    """A surface on a grid [h, w].

    Attributes:
        paint: linear RGB [3, h, w].
        relief: height of its structure, in units of half the picture's height.
        gloss: how much of the light it mirrors, 0 to 1.
    """

    paint: Floats
    relief: Floats
    gloss: float


def _mixed(share: Floats, low: tuple[float, ...], high: tuple[float, ...]) -> Floats:
    share = np.clip(share, 0, 1)
    channels = [first + (second - first) * share for first, second in zip(low, high, strict=True)]
    return np.asarray(channels, np.float32)


def _tinted(shade: Floats, tint: Sequence[float]) -> Floats:
    shade = np.maximum(shade, 0.02)
    return np.asarray([shade * channel for channel in tint], np.float32)


def wood(random: Random, x: Floats, y: Floats) -> Ground:
    """Planks with growth rings."""
    plank = np.floor(y * random.uniform(1.2, 2.2) + random.uniform(0, 1))
    seam = rise(np.abs(y * 1.7 + 0.3 - np.round(y * 1.7 + 0.3)), 0.02, 0.008)
    bend = cloud(random, x.shape, 3, 1.2) * 0.16 + plank * 1.7
    rings = np.sin((y + bend) * random.uniform(18, 34) + cloud(random, x.shape, 30, 3))
    fibre = cloud(random, x.shape, 110, 7)
    share = 0.5 + 0.2 * rings + 0.3 * fibre + 0.15 * np.sin(plank * 5.1) - 0.5 * seam
    low, high = [
        ((0.16, 0.07, 0.03), (0.45, 0.25, 0.12)),
        ((0.35, 0.2, 0.09), (0.72, 0.5, 0.28)),
        ((0.05, 0.025, 0.015), (0.17, 0.09, 0.05)),
    ][int(random.integers(3))]
    return Ground(_mixed(share, low, high), fibre * 0.003 - seam * 0.01, 0.06)


def steel(random: Random, x: Floats, y: Floats) -> Ground:
    """Brushed sheet metal."""
    del y
    brushed = cloud(random, x.shape, 260, 3) + np.float32(0.5) * cloud(random, x.shape, 120, 12)
    level = random.uniform(0.16, 0.38)
    shade = np.float32(level) * (
        1 + np.float32(0.14) * brushed + np.float32(0.12) * clouds(random, x.shape, 2, 2)
    )
    return Ground(
        _tinted(shade, (1.0, 1.0, random.uniform(1.0, 1.08))), brushed * np.float32(0.0012), 0.5
    )


def cloth(random: Random, x: Floats, y: Floats) -> Ground:
    """Woven cloth with soft folds."""
    threads = random.uniform(55, 90)
    over = np.sin(x * threads) * np.sin(y * threads)
    folds = clouds(random, x.shape, 2, 2)
    tone = [(0.1, 0.16, 0.34), (0.38, 0.35, 0.3), (0.3, 0.07, 0.06), (0.13, 0.13, 0.14)][
        int(random.integers(4))
    ]
    shade = 1 + 0.22 * over + 0.12 * grain(random, x.shape)
    return Ground(_tinted(shade, tone), folds * 0.06 + over * 0.0012, 0.0)


def concrete(random: Random, x: Floats, y: Floats) -> Ground:
    """A floor of concrete with pores and stains."""
    del y
    spread = clouds(random, x.shape, 4, 4)
    pores = rise(cloud(random, x.shape, 70, 95), 0.85, 1.1)
    fine = grain(random, x.shape)
    stain = rise(clouds(random, x.shape, 1.5, 2), 0.3, 0.8)
    level = random.uniform(0.2, 0.42)
    shade = level * (1 + 0.2 * spread + 0.07 * fine - 0.5 * pores - 0.3 * stain)
    tint = (1.0, random.uniform(0.95, 1.0), random.uniform(0.86, 0.98))
    return Ground(_tinted(shade, tint), spread * 0.006 + fine * 0.0012 - pores * 0.008, 0.02)


def conveyor(random: Random, x: Floats, y: Floats) -> Ground:
    """A rubber belt with ribs, and dust on it."""
    pitch = random.uniform(9, 16)
    if random.random() < 0.5:
        ribs = rise(np.sin(x * pitch), 0.2, 0.8)
    else:
        across, along = np.sin((x + y) * pitch), np.sin((x - y) * pitch)
        ribs = rise(np.maximum(across, along), 0.75, 0.95)
    dust = clouds(random, x.shape, 5, 4)
    tone = [(0.035, 0.037, 0.04), (0.03, 0.09, 0.07), (0.06, 0.08, 0.13)][int(random.integers(3))]
    shade = 1 + 0.35 * ribs + 0.35 * dust + 0.12 * grain(random, x.shape)
    return Ground(_tinted(shade, tone), ribs * 0.012, 0.12)


def mat(random: Random, x: Floats, y: Floats) -> Ground:
    """A cutting mat with its grid, worn and scratched."""
    pitch = random.uniform(2.2, 4.0)
    lines = np.zeros_like(x)
    for scale, width, strength in ((pitch, 0.014, 0.9), (pitch * 5, 0.05, 0.3)):
        for axis in (x, y):
            near = np.abs(axis * scale - np.round(axis * scale))
            lines = np.maximum(lines, rise(near, width * 1.6, width * 0.6) * np.float32(strength))
    worn = rise(clouds(random, x.shape, 4, 4), -0.8, 0.6)
    low, high = [
        ((0.02, 0.13, 0.09), (0.45, 0.6, 0.4)),
        ((0.02, 0.05, 0.15), (0.45, 0.55, 0.7)),
        ((0.03, 0.03, 0.035), (0.5, 0.5, 0.45)),
    ][int(random.integers(3))]
    share = lines * worn * 0.7 + 0.05 * grain(random, x.shape) + 0.06 * worn
    return Ground(_mixed(share, low, high), grain(random, x.shape) * 0.0008, 0.05)


GROUNDS: tuple[Callable[[Random, Floats, Floats], Ground], ...] = (
    wood,
    steel,
    cloth,
    concrete,
    conveyor,
    mat,
)
