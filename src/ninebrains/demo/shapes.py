"""What every form is made of: a height over the table for each point, and what covers it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ninebrains.demo.noise import Floats, Random


@dataclass(frozen=True)
class Form:
    """A thing that lies on the table, seen from above on a grid [h, w].

    Attributes:
        height: of its surface, 0 where there is only table; lengths in units of its radius.
        relief: fine marks that catch the light but cast no shadow, like those of a lathe.
        polish: share of the surface that is bare metal, 0 to 1; the rest is dark and dull.
        paint: linear RGB [3, h, w] of a thing that is not of metal, else None.
        threaded: where walls have a screw thread, else None.
    """

    height: Floats
    relief: Floats
    polish: Floats
    paint: Floats | None = None
    threaded: Floats | None = None


def extruded(distance: Floats, thickness: float, bevel: float) -> Floats:
    """The height of a plate with rounded edges.

    Args:
        distance: to the outline in the plane, negative inside.
        thickness: of the plate.
        bevel: radius of its edges.
    """
    depth = np.clip(-distance / np.float32(bevel), 0.0, 1.0)
    rounded = np.sqrt(np.maximum(depth * (2.0 - depth), 0.0))
    height = np.float32(thickness - bevel) + np.float32(bevel) * rounded
    return np.where(distance < 0, height, np.float32(0)).astype(np.float32)


def hexagon(u: Floats, v: Floats, apothem: float) -> Floats:
    """Distance to a regular hexagon whose flats lie left and right of the v axis."""
    slanted = np.abs(u) * np.float32(0.5) + np.abs(v) * np.float32(0.8660254)
    return np.maximum(np.abs(u), slanted) - np.float32(apothem)


def turned(random: Random, rho: Floats, strength: float) -> Floats:
    """The rings that a lathe leaves: relief that depends on the distance from the axis only."""
    marks = random.standard_normal(160).cumsum()
    marks -= np.linspace(marks[0], marks[-1], 160)
    wave = np.interp(rho * 110.0, np.arange(160), marks + random.standard_normal(160) * 2)
    return np.asarray(wave * strength, np.float32)
