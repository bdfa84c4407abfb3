"""One picture: a thing on a table, lit and seen from a little aside.

Table and thing are a relief over the grid of the picture's pixels. It is lit as seen from straight
above, and then every pixel looks along its line of sight for the first place that the relief
reaches: what is high moves up the picture and hides what lies behind it, and walls come into view.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ninebrains.demo.grounds import GROUNDS, Ground
from ninebrains.demo.lighting import (
    Light,
    along,
    choose_light,
    colored,
    mirrored,
    normals,
    openness,
    shadow,
)
from ninebrains.demo.noise import Floats, Random, clouds, grain, rise
from ninebrains.demo.parts import Draw
from ninebrains.demo.shapes import Form

_METALS = (
    (0.80, 0.81, 0.83),  # steel
    (0.66, 0.70, 0.76),  # zinc
    (0.90, 0.74, 0.42),  # brass
    (0.82, 0.52, 0.34),  # copper
    (0.17, 0.17, 0.19),  # black oxide
)
_METAL_SHARES = (0.44, 0.2, 0.15, 0.07, 0.14)
_RUST, _SOOT = (0.24, 0.09, 0.035), (0.05, 0.05, 0.05)
_STEEPEST = 0.55  # radians between the camera and the vertical


@dataclass(frozen=True)
class _Grid:
    """Places on the table: x right and y down, 1 is half the shorter side of the picture."""

    x: Floats
    y: Floats
    dx: float
    dy: float
    tilt: float


@dataclass(frozen=True)
class _Placed:
    """A form with lengths as on the table, the part of the grid it covers, and its light."""

    form: Form
    box: tuple[slice, slice]
    grid: _Grid
    lit: Floats
    open_: Floats


def draw_scene(random: Random, draw: Draw, shape: tuple[int, int], scale: float) -> Floats:
    """Linear RGB [3, h, w] of a thing as `draw` makes it, on a table of any kind.

    Args:
        random: decides everything else.
        draw: makes the form.
        shape: rows and columns.
        scale: radius of the thing, 1 is half the shorter side.
    """
    grid = _make_grid(shape, _STEEPEST * random.random())
    ground = GROUNDS[int(random.integers(len(GROUNDS)))](random, *_turned(random, grid))
    light = choose_light(random)
    box, form = _place(random, draw, grid, scale)
    height = np.zeros(shape, np.float32)
    height[box] = form.height
    lit = shadow(height, light, grid.dx, grid.dy)
    open_ = openness(height, scale)
    picture = _light_table(grid, ground, light, lit, open_)
    around = np.asarray(ground.paint[:, ::8, ::8].mean(axis=(1, 2)) * light.room, np.float32)
    part = _Grid(grid.x[box], grid.y[box], grid.dx, grid.dy, grid.tilt)
    placed = _Placed(form, box, part, lit[box], open_[box])
    if form.paint is None:
        top, wall = _light_metal(random, placed, light, around)
    else:
        top, wall = _light_paint(placed, form.paint, light)
    inside = form.height > 0
    np.copyto(picture[:, *box], top, where=inside)
    return _look(picture, wall, placed)


def _make_grid(shape: tuple[int, int], tilt: float) -> _Grid:
    rows, columns = shape
    half = min(shape) / 2
    dy = 1 / half / float(np.cos(tilt))
    x = (np.arange(columns, dtype=np.float32) - np.float32(columns / 2)) / np.float32(half)
    y = (np.arange(rows, dtype=np.float32) - np.float32(rows / 2)) * np.float32(dy)
    across, down = np.meshgrid(x, y)
    return _Grid(across, down, 1 / half, dy, tilt)


def _turned(random: Random, grid: _Grid) -> tuple[Floats, Floats]:
    """The table's own directions."""
    turn = random.uniform(-0.5, 0.5) + (np.pi / 2 if random.random() < 0.3 else 0)
    cos, sin = np.float32(np.cos(turn)), np.float32(np.sin(turn))
    left, up = random.uniform(-3, 3, 2).astype(np.float32)
    return grid.x * cos + grid.y * sin + left, grid.y * cos - grid.x * sin + up


def _place(
    random: Random, draw: Draw, grid: _Grid, scale: float
) -> tuple[tuple[slice, slice], Form]:
    """Draw the form where it lies; only around that place, which saves most of the time."""
    turn = random.uniform(0, 2 * np.pi)
    cos, sin = np.float32(np.cos(turn) / scale), np.float32(np.sin(turn) / scale)
    spread = 0.1 if random.random() < 0.85 else 0.25
    x = grid.x - np.float32(random.normal(0, spread))
    y = grid.y - np.float32(random.normal(0, spread * 0.7) + 0.3 * scale * np.sin(grid.tilt))
    reach = np.float32(1.2 * scale)
    rows = np.flatnonzero(np.abs(y[:, 0]) < reach)
    columns = np.flatnonzero(np.abs(x[0]) < reach)
    box = slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
    form = draw(random, x[box] * cos + y[box] * sin, y[box] * cos - x[box] * sin)
    size = np.float32(scale)
    return box, replace(form, height=form.height * size, relief=form.relief * size)


def _light_table(grid: _Grid, ground: Ground, light: Light, lit: Floats, open_: Floats) -> Floats:
    n_x, n_y, n_z = normals(ground.relief, grid.dx, grid.dy)
    facing = along((n_x, n_y, n_z), light.towards)
    key = np.maximum(facing, 0) * lit
    shine = np.float32(ground.gloss) * rise(
        n_y * np.float32(np.cos(grid.tilt)) + facing + grid.x * 0.2, 0.5, 1.3
    )
    shine *= (0.3 * open_ + 0.5 * lit) * np.float32(0.35)
    brightness = colored(key, light.lamp) + colored(open_, light.room)
    return np.asarray(ground.paint * brightness + colored(shine, light.lamp), np.float32)


def _light_metal(
    random: Random, placed: _Placed, light: Light, around: Floats
) -> tuple[Floats, Floats]:
    """Linear RGB of the upper side, and of the walls under each of its points."""
    grid, form = placed.grid, placed.form
    metal = np.array(_METALS[int(random.choice(len(_METALS), p=_METAL_SHARES))], np.float32)
    rough = random.uniform(0.05, 0.9)
    shape = form.height.shape
    brushed = form.relief + grain(random, shape) * np.float32(0.0008 * rough)
    normal = normals(form.height + brushed, grid.dx, grid.dy)
    shown = mirrored(normal, _view(grid), light, around, placed.lit, rough)
    dull = np.maximum(along(normal, light.towards), 0) * placed.lit
    soft = colored(dull, light.lamp) + colored(placed.open_, light.room)
    metal = metal[:, None, None]
    top = metal * (shown * np.float32(0.8) + soft * np.float32(0.25))
    top = top * (0.35 + 0.65 * placed.open_)
    dark = soft * np.float32(0.05) + shown * np.float32(0.06)
    top = dark + (top - dark) * form.polish
    if random.random() < 0.4:
        worn = rise(clouds(random, shape, 6, 4), 0.25, random.uniform(0.5, 1.2))
        rust = np.array(_RUST if random.random() < 0.6 else _SOOT, np.float32)
        stained = soft * rust[:, None, None] + top * np.float32(0.25)
        top = top + (stained - top) * (worn * np.float32(0.85))
    sideways = _flat_normal(form.height)
    wall = mirrored(sideways, _view(grid), light, around, placed.lit, min(1.0, rough + 0.3))
    return top, wall * metal * np.float32(0.6)


def _light_paint(placed: _Placed, paint: Floats, light: Light) -> tuple[Floats, Floats]:
    """The same for things that are not of metal."""
    grid, form = placed.grid, placed.form
    normal = normals(form.height + form.relief, grid.dx, grid.dy)
    key = np.maximum(along(normal, light.towards), 0) * placed.lit
    camera = np.array([0, np.sin(grid.tilt), np.cos(grid.tilt)])
    halfway = np.array(light.towards) + camera
    x, y, z = (halfway / np.linalg.norm(halfway)).tolist()
    gloss = np.maximum(along(normal, (x, y, z)), 0) ** 40 * np.float32(0.25) * placed.lit
    room = placed.open_ * (0.6 + 0.4 * normal[2])
    top = paint * (colored(key, light.lamp) + colored(room, light.room))
    side = np.maximum(along(_flat_normal(form.height), light.towards), 0.1) * np.float32(0.6)
    return top + colored(gloss.astype(np.float32), light.lamp), paint * colored(side, light.lamp)


def _view(grid: _Grid) -> tuple[Floats, Floats, Floats]:
    """Unit vectors to a camera a little over two half sides away."""
    x = grid.x * np.float32(-0.45)
    y = np.float32(np.sin(grid.tilt)) - grid.y * np.float32(0.45 * np.cos(grid.tilt))
    z = np.full_like(x, np.cos(grid.tilt))
    length = 1 / np.sqrt(x * x + y * y + z * z)
    return x * length, y * length, z * length


def _flat_normal(height: Floats) -> tuple[Floats, Floats, Floats]:
    """Which way the wall beside each point faces."""
    smooth = height
    for _ in range(2):
        padded = np.pad(smooth, 1, mode="edge")
        smooth = padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:]
        smooth *= np.float32(0.25)
    x, y, _ = normals(smooth.astype(np.float32), 1e-3, 1e-3)
    length = np.float32(1) / np.maximum(np.hypot(x, y), np.float32(1e-6))
    flat = np.full_like(height, 0.05)
    return np.asarray(x * length, np.float32), np.asarray(y * length, np.float32), flat


def _look(picture: Floats, wall: Floats, placed: _Placed) -> Floats:
    """The picture as the tilted camera sees it; `picture` and `wall` are as seen from above."""
    rows, columns = placed.box
    in_rows = float(np.sin(placed.grid.tilt)) / placed.grid.dx  # a unit of height
    above = min(int(float(placed.form.height.max(initial=0)) * in_rows), rows.start)

    def taller(part: Floats) -> Floats:
        return np.pad(part, ((0, 0),) * (part.ndim - 2) + ((above, 0), (0, 0)))

    height = taller(placed.form.height) * np.float32(in_rows)
    place, moved = _line_of_sight(height)
    seen = place + moved * height.shape[1]
    upper = height.ravel()[seen]
    hidden = moved.astype(np.float32)
    beneath = upper - hidden  # how far below the upper edge of a wall the line of sight ends
    depth = 0.25 + 0.75 * hidden / np.maximum(upper, 1)
    if placed.form.threaded is not None:
        stripes = 0.45 * np.sin(beneath * np.float32(1.9 + 40 * placed.grid.dx)) - 0.25
        depth *= 1 + stripes * taller(placed.form.threaded).ravel()[seen]
    part = np.ascontiguousarray(picture[:, rows.start - above : rows.stop, columns]).reshape(3, -1)
    front = part[:, seen]
    sides = taller(wall).reshape(3, -1)[:, seen] * depth
    part[:, place] = front + (sides - front) * rise(beneath, 0.6, 1.8)
    picture[:, rows.start - above : rows.stop, columns] = part.reshape(3, *height.shape)
    return picture


def _line_of_sight(height: Floats) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Which points (flat indices) show another one, and how many rows farther down that is.

    Args:
        height: in rows by which the camera's tilt moves each point up the picture.
    """
    found = np.zeros(height.shape, np.int64)
    for moved in range(1, int(height.max(initial=0)) + 1):
        reached = height[moved:] >= moved
        found[: len(height) - moved][reached] = moved  # later ones are higher and hide the others
    place = np.flatnonzero(found)
    return place, found.ravel()[place]
