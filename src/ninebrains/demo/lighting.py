"""Light on a relief: shadows, dimmer corners, and what polished metal mirrors of the room."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ninebrains.demo.noise import Floats, Random, resized, rise, softened

_SHADOW_SCALE = 2  # shadows are soft: half the pixels are enough
_SHADOW_STEP = 1.5


@dataclass(frozen=True)
class Light:
    """One lamp and the room around it.

    Attributes:
        towards: unit vector to the lamp: right, down the picture, up from the table.
        lamp: its linear RGB.
        room: linear RGB of the light from all sides.
        softness: of shadows; how wide the lamp is, as a slope.
        window: unit vector to a bright window that metal mirrors.
        waves: four numbers that say how the rest of the room looks in metal.
    """

    towards: tuple[float, float, float]
    lamp: Floats
    room: Floats
    softness: float
    window: tuple[float, float, float]
    waves: tuple[float, float, float, float]


def choose_light(random: Random) -> Light:
    """Some lamp in some room: warm or cold, high or low, near or wide."""
    warmth = random.uniform(-1, 1)
    lamp = np.array([1 + 0.2 * warmth, 1.0, 1 - 0.3 * warmth], np.float32)
    other = random.uniform(-0.6, 0.6)
    room = np.array([1 + 0.12 * other, 1.0, 1 - 0.16 * other], np.float32)
    balance = random.uniform(0.4, 0.85)  # share of the lamp
    first, second, third, fourth = random.uniform(0, 6.28, 4).tolist()
    return Light(
        _direction(random.uniform(0, 6.28), random.uniform(0.5, 1.15)),
        lamp * np.float32(2.2 * balance),
        room * np.float32(1.25 - balance),
        random.uniform(0.08, 0.45),
        _direction(random.uniform(0, 6.28), random.uniform(0.5, 1.3)),
        (first, second, third, fourth),
    )


def _direction(azimuth: float, elevation: float) -> tuple[float, float, float]:
    flat = np.cos(elevation)
    return (
        float(flat * np.cos(azimuth)),
        float(flat * np.sin(azimuth)),
        float(np.sin(elevation)),
    )


def colored(strength: Floats, color: Floats) -> Floats:
    """Light of one colour: [3, h, w] of strengths [h, w] and RGB [3]."""
    return np.asarray(strength * color[:, None, None], np.float32)


def along(vectors: tuple[Floats, Floats, Floats], other: tuple[float, float, float]) -> Floats:
    """How far each unit vector points the way of another one: float32[h, w], -1 to 1."""
    x, y, z = (np.float32(value) for value in other)
    return np.asarray(vectors[0] * x + vectors[1] * y + vectors[2] * z, np.float32)


def normals(height: Floats, dx: float, dy: float) -> tuple[Floats, Floats, Floats]:
    """Unit normals of a relief, as three fields [h, w].

    Args:
        height: in the same unit as dx and dy.
        dx: distance of two columns.
        dy: distance of two rows, as measured on the table.
    """
    across, along = np.zeros_like(height), np.zeros_like(height)
    across[:, 1:-1] = (height[:, :-2] - height[:, 2:]) * np.float32(0.5 / dx)
    along[1:-1] = (height[:-2] - height[2:]) * np.float32(0.5 / dy)
    up = 1 / np.sqrt(across * across + along * along + 1)
    return across * up, along * up, up


def shadow(height: Floats, light: Light, dx: float, dy: float) -> Floats:
    """Share of the lamp that each point sees, 0 to 1.

    Every point looks towards the lamp in steps; the step that rises most above the line of sight
    decides, softened by the angle that the lamp fills.
    """
    step = _SHADOW_SCALE
    small = np.ascontiguousarray(height[::step, ::step])
    flat = float(np.hypot(light.towards[0], light.towards[1]))
    slope = light.towards[2] / flat
    reach = float(small.max()) / slope
    unit = dx * step * _SHADOW_STEP
    worst = np.full_like(small, -1.0)
    for number in range(1, int(reach / unit) + 2):
        far = number * unit
        right = round(far * light.towards[0] / flat / (dx * step))
        down = round(far * light.towards[1] / flat / (dy * step))
        here, there = _overlap(small.shape, down, right)
        above = (small[there] - small[here] - np.float32(far * slope)) / np.float32(far)
        np.maximum(worst[here], above, out=worst[here])
    seen = rise(worst, light.softness * 0.5, -light.softness * 0.6)
    return resized(seen, (height.shape[0], height.shape[1]))


def _overlap(
    shape: tuple[int, ...], down: int, right: int
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Where a grid and the same grid moved by so many rows and columns lie over each other."""
    rows, columns = shape
    here = slice(max(0, -down), min(rows, rows - down))
    there = slice(max(0, down), min(rows, rows + down))
    across = slice(max(0, -right), min(columns, columns - right))
    beside = slice(max(0, right), min(columns, columns + right))
    return (here, across), (there, beside)


def openness(height: Floats, size: float) -> Floats:
    """How much of the room each point sees: less beside things that are higher, 0 to 1."""
    near = np.maximum(softened(height, 6) - height, 0)
    wide = np.maximum(softened(height, 18) - height, 0)
    return np.asarray(1 / (1 + (near * 3.5 + wide * 3.0) / np.float32(size)), np.float32)


def mirrored(
    normal: tuple[Floats, Floats, Floats],
    view: tuple[Floats, Floats, Floats],
    light: Light,
    ground: Floats,
    lit: Floats,
    rough: float,
) -> Floats:
    """What polished metal shows of the room: linear RGB [3, h, w].

    Args:
        normal: of the surface.
        view: unit vectors towards the camera.
        light: the lamp and the room.
        ground: mean linear RGB of the table, which low places mirror.
        lit: share of the lamp that each point sees.
        rough: 0 for a mirror to 1 for satin.
    """
    facing = normal[0] * view[0] + normal[1] * view[1] + normal[2] * view[2]
    x, y, z = (2 * facing * n - v for n, v in zip(normal, view, strict=True))
    a, b, c, d = light.waves
    room = 0.7 + 0.35 * np.sin(2.3 * x + a) * np.cos(2.6 * y + b) + 0.3 * np.sin(3 * x - 2 * y + c)
    bands = np.sin(6 * y + 4 * x + d)
    room = room + (0.28 - 0.2 * rough) * bands
    toward = along((x, y, z), light.window)
    window = rise(toward, 0.72 - 0.2 * rough, 0.86 + 0.1 * rough)
    room = np.asarray(np.maximum(room, 0.12) + 1.5 * window, np.float32)
    glint = along((x, y, z), light.towards)
    power = 90 - 75 * rough
    peak = np.exp(np.minimum(glint - 1, 0) * np.float32(power)) * (3.6 - 2.2 * rough) * lit
    sky = colored(room, light.room)
    sky += colored(peak.astype(np.float32), light.lamp)
    floor = (ground * np.float32(0.55))[:, None, None]
    return np.asarray(sky + (floor - sky) * rise(z, 0.25, -0.25), np.float32)
