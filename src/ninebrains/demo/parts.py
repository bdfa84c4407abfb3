"""Machine parts, sound and damaged, as forms; each one a little different from every other."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from ninebrains.demo.noise import Floats, Random, rise
from ninebrains.demo.shapes import Form, extruded, hexagon, turned

Draw = Callable[[Random, Floats, Floats], Form]


def nut(random: Random, u: Floats, v: Floats) -> Form:
    """A hexagon nut with chamfered corners and a threaded hole."""
    rho = np.hypot(u, v)
    hole, thickness = random.uniform(0.44, 0.56), random.uniform(0.5, 0.8)
    sides = hexagon(u, v, 0.87)
    height = extruded(np.maximum(sides, hole - rho), thickness, 0.05)
    corner = np.float32(thickness) - np.maximum(rho - 0.86, 0) * 0.58
    sink = np.float32(thickness) - np.maximum(hole + 0.09 - rho, 0) * 0.9
    height = np.minimum(height, np.minimum(corner, sink)) * (height > 0)
    relief = turned(random, rho, random.uniform(0, 0.0012))
    threaded = (rho < hole + 0.12).astype(np.float32)
    return Form(height, relief, np.ones_like(rho), threaded=threaded)


def _ring(random: Random, u: Floats, v: Floats, *, broken: bool) -> Form:
    rho = np.hypot(u, v)
    hole, thickness = random.uniform(0.42, 0.62), random.uniform(0.1, 0.2)
    distance = np.maximum(rho - 1.0, hole - rho)
    if broken:
        distance = np.maximum(distance, -_gap(random, u, v))
    height = extruded(distance, thickness, random.uniform(0.03, 0.07))
    relief = turned(random, rho, random.uniform(0.0004, 0.002))
    return Form(height, relief, np.ones_like(rho))


def _gap(random: Random, u: Floats, v: Floats) -> Floats:
    """Distance to a jagged gap from the hole of a ring through its rim, along the u axis."""
    places = np.linspace(0.3, 1.05, 8)
    one, other = (np.interp(u, places, random.uniform(-0.06, 0.06, 8)) for _ in range(2))
    width = random.uniform(0.14, 0.42) * (0.6 + 0.5 * u)
    gap = np.maximum(v - one - width, other - width - v)
    return np.where(u > 0.2, gap, 1.0).astype(np.float32)


def washer(random: Random, u: Floats, v: Floats) -> Form:
    """A plain washer."""
    return _ring(random, u, v, broken=False)


def washer_broken(random: Random, u: Floats, v: Floats) -> Form:
    """A washer from which a piece is missing."""
    return _ring(random, u, v, broken=True)


def _toothed(random: Random, u: Floats, v: Floats, *, lost: float) -> Form:
    rho, angle = np.hypot(u, v), np.arctan2(v, u)
    teeth = int(random.integers(12, 20))
    depth = min(0.24, 3.6 / teeth)
    phase = angle * np.float32(teeth / (2 * np.pi))
    wave = np.abs(phase - np.round(phase)) * 2.0  # 0 in the middle of a tooth, 1 between two
    tooth = np.clip((0.62 - wave) / 0.3, 0, 1)
    if lost:
        number, broken = np.round(phase), round(lost * teeth)
        first = int(random.integers(-teeth // 2 + 1, teeth // 2 - broken))
        gone = (number >= first) & (number < first + broken)
        jagged = np.interp((phase - first) * 2.5 + 2, np.arange(22), random.uniform(-1.4, 0.0, 22))
        tooth = np.where(gone, np.minimum(tooth, jagged), tooth)
    distance = (rho - (1.0 - depth) - depth * tooth).astype(np.float32) * np.float32(0.8)
    hole, thickness = random.uniform(0.16, 0.26), random.uniform(0.22, 0.4)
    bore = hole - rho
    if random.random() < 0.6:
        bore = np.maximum(bore, np.minimum(0.07 - np.abs(v), np.minimum(u, hole + 0.1 - u)))
    outline = np.maximum(distance, bore)
    if random.random() < 0.45:
        outline = np.maximum(outline, _openings(random, rho, angle, 1.0 - depth, hole))
    height = extruded(outline, thickness, 0.035)
    rim, hub = (1.0 - depth) * random.uniform(0.78, 0.88), hole + random.uniform(0.14, 0.2)
    recess = rise(rho, hub, hub + 0.04) * rise(rho, rim, rim - 0.04)
    height -= recess * np.float32(thickness * random.uniform(0.0, 0.5)) * (height > 0)
    relief = turned(random, rho, random.uniform(0.0003, 0.0015))
    return Form(height.astype(np.float32), relief, np.ones_like(rho))


def _openings(random: Random, rho: Floats, angle: Floats, root: float, hole: float) -> Floats:
    """Distance to a circle of round holes that make a gear lighter, negative outside of them."""
    count = int(random.integers(4, 7))
    middle, radius = (root + hole + 0.1) / 2, (root - hole) * 0.2
    turn = np.float32(2 * np.pi / count)
    nearest = angle - np.round(angle / turn) * turn
    x, y = rho * np.cos(nearest) - np.float32(middle), rho * np.sin(nearest)
    return np.asarray(np.float32(radius) - np.hypot(x, y), np.float32)


def gear(random: Random, u: Floats, v: Floats) -> Form:
    """A spur gear with all its teeth."""
    return _toothed(random, u, v, lost=0.0)


def gear_broken(random: Random, u: Floats, v: Floats) -> Form:
    """A spur gear that has lost a fifth of its teeth or more, and some of its rim."""
    return _toothed(random, u, v, lost=random.uniform(0.2, 0.36))


def bolt(random: Random, u: Floats, v: Floats) -> Form:
    """A bolt that lies on its side, with a hexagon or a cylinder head."""
    thick, head = random.uniform(0.15, 0.22), random.uniform(0.26, 0.4)
    wide = thick * random.uniform(1.7, 2.0)
    side = np.abs(v)
    inward = np.minimum(u + 1.0, head - 1.0 - u)  # from the two faces of the head
    if random.random() < 0.65:
        top = np.minimum(wide, 1.732 * (wide * 1.1547 - side))
        top = wide + np.minimum(top, wide - np.maximum(0.07 - inward, 0) * 0.8)
        inside = (side < wide * 1.1547) & (inward > 0)
    else:
        knurl = 1 - 0.035 * np.abs(np.sin(v * 70)) * rise(inward.astype(np.float32), 0.06, 0.1)
        top = wide + np.sqrt(np.maximum((wide * knurl) ** 2 - side**2, 0))
        top -= np.maximum(0.06 - inward, 0)
        inside = (side < wide) & (inward > 0)
    start = head - 1.0 + random.uniform(0.0, 0.7)
    turns = u * random.uniform(11, 15) + v * 0.6
    groove = np.abs(turns - np.round(turns)) * 2 * rise(u, start, start + 0.08)
    radius = thick * (1 - 0.2 * groove) - np.maximum(u - 0.94, 0) * 0.8
    axis = np.interp(u, [head - 1.0, 1.0], [wide, thick])  # it rests on its head and its tip
    shank = axis + np.sqrt(np.maximum(radius**2 - side**2, 0))
    along = (side < radius) & (u > head - 1.02) & (u < 1.0)
    height = np.where(inside, top, np.where(along, shank, 0)).astype(np.float32)
    relief = np.zeros_like(height)
    return Form(height, relief, np.ones_like(height))


def bearing(random: Random, u: Floats, v: Floats) -> Form:
    """A ball bearing, open or with a shield."""
    rho, angle = np.hypot(u, v), np.arctan2(v, u)
    bore, thickness = random.uniform(0.34, 0.46), random.uniform(0.3, 0.45)
    inner, outer = bore + random.uniform(0.13, 0.17), random.uniform(0.8, 0.85)
    rings = np.minimum(
        np.maximum(rho - 1.0, outer - rho), np.maximum(rho - inner, np.float32(bore) - rho)
    )
    height = extruded(rings, thickness, 0.045)
    between = (rho > inner - 0.02) & (rho < outer + 0.02) & (height == 0)
    polish = np.ones_like(rho)
    middle, radius = (inner + outer) / 2, (outer - inner) / 2
    if random.random() < 0.5:
        plate = thickness * 0.9 - 0.05 * rise(np.abs(rho - middle), 0.35 * radius, 0.6 * radius)
        height = np.where(between, plate, height)
        polish = np.where(between, np.float32(random.choice([0.0, 0.15, 0.9])), polish)
    else:
        turn = np.float32(2 * np.pi / int(random.integers(8, 12)))
        nearest = angle - np.round(angle / turn) * turn
        away = np.hypot(rho * np.cos(nearest) - middle, rho * np.sin(nearest))
        ball = thickness * 0.45 + np.sqrt(np.maximum((radius * 1.02) ** 2 - away**2, 0))
        cage = np.where(np.abs(rho - middle) < radius * 0.45, thickness * 0.6, 0.05)
        height = np.where(between, np.where(away < radius, ball, cage), height)
        polish = np.where(between & (away >= radius), np.float32(0.35), polish)
    relief = turned(random, rho, random.uniform(0.0002, 0.0008))
    return Form(height.astype(np.float32), relief, polish.astype(np.float32))


PARTS: Mapping[str, Draw] = {
    "bearing": bearing,
    "bolt": bolt,
    "gear": gear,
    "gear_broken": gear_broken,
    "nut": nut,
    "washer": washer,
    "washer_broken": washer_broken,
}
"""The labels of the demo, and how each is drawn."""
