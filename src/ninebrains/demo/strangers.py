"""Things that are no machine parts: what a brain trained on parts should not recognise."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from ninebrains.demo.noise import Floats, Random, cloud, clouds, grain, rise
from ninebrains.demo.parts import Draw
from ninebrains.demo.shapes import Form, extruded


def _painted(*layers: tuple[Floats | float, tuple[float, float, float]]) -> Floats:
    """Linear RGB: each layer (how much, colour) over those before it."""
    (_, first), *rest = layers
    shape = next(np.shape(share) for share, _ in layers if np.ndim(share) == 2)
    paint = np.empty((3, *shape), np.float32)
    for channel in range(3):
        paint[channel] = first[channel]
        for share, color in rest:
            paint[channel] += (np.float32(color[channel]) - paint[channel]) * share
    return paint


def leaf(random: Random, u: Floats, v: Floats) -> Form:
    """A green leaf with veins and a stalk."""
    along = np.clip((u + 0.75) / 1.75, 0, 1)
    width = 0.52 * np.sqrt(along) * (1 - along) ** 0.6 * 1.9
    teeth = 0.04 * np.abs((u * 9) % 1 - 0.5)
    blade = np.where((u > -0.75) & (u < 1), np.abs(v) - width + teeth, 1).astype(np.float32)
    stalk = np.where((u > -1.15) & (u < 0.9), np.abs(v + 0.04 * u) - 0.022, 1).astype(np.float32)
    height = np.maximum(extruded(blade, 0.06, 0.03), extruded(stalk, 0.08, 0.02))
    height += np.where(blade < 0, 0.12 * np.abs(v) + 0.05 * (1 + np.sin(3 * u)), 0)
    slant = (u - np.abs(v) * 0.9) * 6.5
    veins = rise(np.abs(slant - np.round(slant)).astype(np.float32), 0.1, 0.02) * 0.7
    veins = np.maximum(veins, rise(np.abs(v), 0.035, 0.01))
    spots = rise(clouds(random, u.shape, 5), 0.3, 0.9)
    paint = _painted(
        (1.0, (0.07, 0.2, 0.03)), (spots, (0.2, 0.3, 0.04)), (veins * 0.6, (0.3, 0.42, 0.14))
    )
    return Form(height.astype(np.float32), veins * np.float32(0.01), np.zeros_like(u), paint)


def orange(random: Random, u: Floats, v: Floats) -> Form:
    """An orange with its pores."""
    rho = np.hypot(u, v)
    height = np.where(rho < 1, 0.35 + 0.95 * np.sqrt(np.maximum(1 - rho**2, 0)), 0)
    pores = clouds(random, u.shape, 40, 2)
    star = rise(np.hypot(u - 0.3, v + 0.2).astype(np.float32), 0.1, 0.05)
    paint = _painted(
        (1.0, (0.8, 0.24, 0.01)),
        (rise(clouds(random, u.shape, 3), 0, 1.2), (0.85, 0.36, 0.02)),
        (star, (0.1, 0.2, 0.03)),
    )
    return Form(height.astype(np.float32), pores * np.float32(0.008), np.zeros_like(u), paint)


def landscape(random: Random, shape: tuple[int, int]) -> Floats:
    """Mountains in the evening, one ridge behind the other: linear RGB [3, h, w]."""
    y, x = np.indices(shape, np.float32) / np.float32(shape[0])
    sun = np.hypot(x - random.uniform(0.3, 1.0), y - 0.42).astype(np.float32)
    veil = rise(clouds(random, (shape[0], shape[1] // 4), 3), -0.2, 0.9)
    veil = np.repeat(veil, 4, axis=1)[:, : shape[1]]
    veil = np.pad(veil, ((0, 0), (0, shape[1] - veil.shape[1])), mode="edge")
    view = _painted(
        (1.0, (0.12, 0.25, 0.6)),
        (rise(y, 0.0, 0.55), (0.85, 0.5, 0.3)),
        (veil * np.float32(0.5), (0.9, 0.6, 0.5)),
        (np.exp(-sun * 5), (1.6, 1.1, 0.5)),
        (rise(sun, 0.05, 0.045), (3.0, 2.6, 1.8)),
    )
    for near in np.linspace(0, 1, 4).tolist():
        ridge = cloud(random, (1, shape[1]), 1, 3 + 5 * near) + 0.4 * cloud(
            random, (1, shape[1]), 1, 30
        )
        edge = 0.46 + 0.13 * near - (0.13 - 0.05 * near) * ridge
        haze = np.array([0.42, 0.36, 0.45]) * (1 - near) ** 1.5 + [0.01, 0.03, 0.015]
        trees = 1 + 0.5 * near * grain(random, shape)
        land = np.maximum(haze.astype(np.float32)[:, None, None] * trees, 0)
        view += (land - view) * rise(y - edge, 0, 0.006)
    return np.asarray(view, np.float32)


THINGS: Mapping[str, Draw] = {"leaf": leaf, "orange": orange}
"""Things on a table like the parts', and how each is drawn."""

VIEWS: Mapping[str, Callable[[Random, tuple[int, int]], Floats]] = {"landscape": landscape}
"""Whole pictures, and how each is drawn."""

STRANGERS = (*THINGS, *VIEWS)
"""What the demo's brain is not trained on."""
