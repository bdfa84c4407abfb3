"""From a scene to a photo: lens, exposure, sensor and JPEG, with the faults that they have."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageFilter

from ninebrains.demo.noise import Floats, Random, grain

MARGIN = 1.16  # a scene is drawn so much larger than the photo, for turning and finer edges


def take_photo(random: Random, scene: Floats, size: tuple[int, int]) -> bytes:
    """A JPEG of a scene.

    Args:
        random: decides what the camera does well and what not.
        scene: linear RGB [3, h, w], `MARGIN` larger than the photo or more.
        size: width and height of the photo.
    """
    image = Image.fromarray(np.ascontiguousarray(_developed(random, scene)))
    image = image.transform(
        size,
        Image.Transform.PERSPECTIVE,
        _perspective(random, image.size, size),
        Image.Resampling.BILINEAR,
    )
    focus = random.random()
    if focus < 0.45:
        image = image.filter(ImageFilter.GaussianBlur(random.uniform(0.3, 1.5) * (focus + 0.3)))
    pixels = np.asarray(image, np.float32)
    if random.random() < 0.15:
        pixels = _shaken(random, pixels)
    file = io.BytesIO()
    Image.fromarray(_sensed(random, pixels)).save(
        file, "JPEG", quality=int(random.integers(62, 95))
    )
    return file.getvalue()


def _developed(random: Random, scene: Floats) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Exposed by the middle of the picture, more or less well, and toned as cameras do."""
    green = scene[1, ::6, ::6]
    middle = 0.7 * float(np.median(green)) + 0.3 * float(green.mean())
    aim = random.uniform(0.24, 0.42) * (0.5 + middle) ** 0.5
    brightest = float(np.partition(green.ravel(), -green.size // 40)[-green.size // 40])
    light = scene * np.float32(min(aim / max(middle, 0.03), 1.6 / max(brightest, 0.03)))
    balance = 1 + random.normal(0, 0.035, 3).astype(np.float32)
    light = np.maximum(light * balance[:, None, None], 0)
    toned = light * (1 + light * np.float32(0.1)) / (1 + light * np.float32(0.62))
    flat = np.minimum(np.sqrt(toned), 1)
    contrast = np.float32(random.uniform(0.25, 0.75))
    steep = flat + (flat * flat * (3 - 2 * flat) - flat) * contrast
    return np.moveaxis((steep * 255 + 0.5).astype(np.uint8), 0, -1)


def _perspective(
    random: Random, source: tuple[int, int], size: tuple[int, int]
) -> tuple[float, ...]:
    """Eight numbers for Pillow: where in the scene each corner of the photo comes from."""
    width, height = size
    room_x, room_y = (source[0] - width) / 2, (source[1] - height) / 2
    corners = [(0, 0), (width, 0), (width, height), (0, height)]
    loose = random.uniform(-0.8, 0.8, (4, 2)) * (room_x, room_y)
    rows, values = [], []
    for (x, y), (right, down) in zip(corners, loose.tolist(), strict=True):
        u, v = x + room_x + right, y + room_y + down
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    return tuple(float(value) for value in np.linalg.solve(np.array(rows), np.array(values)))


def _shaken(random: Random, pixels: Floats) -> Floats:
    """Blurred by a moving hand."""
    length, angle = random.uniform(2, 6), random.uniform(0, np.pi)
    steps = np.linspace(-0.5, 0.5, 6) * length
    padded = np.pad(pixels, ((4, 4), (4, 4), (0, 0)), mode="edge")
    total = np.zeros_like(pixels)
    for step in steps.tolist():
        right, down = round(step * np.cos(angle)) + 4, round(step * np.sin(angle)) + 4
        total += padded[down : down + len(pixels), right : right + pixels.shape[1]]
    return total / np.float32(len(steps))


def _sensed(random: Random, pixels: Floats) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """With darker corners, and noise that is stronger in the dark."""
    height, width = pixels.shape[:2]
    x, y = np.linspace(-1, 1, width, dtype=np.float32), np.linspace(-1, 1, height, dtype=np.float32)
    distance = x[None, :] ** 2 + y[:, None] ** 2
    pixels = pixels * (1 - np.float32(random.uniform(0, 0.22)) * distance)[..., None]
    strength = random.uniform(0.6, 6.5) * random.random()
    grey, color = grain(random, (height, width)), grain(random, (height // 2, width // 2))
    noise = grey * np.float32(strength)
    noise = noise * (1.25 - pixels[..., 1] * np.float32(0.6 / 255))
    pixels = pixels + noise[..., None]
    speckle = np.repeat(np.repeat(color, 2, 0), 2, 1) * np.float32(0.4 * strength)
    pixels[: len(speckle), : speckle.shape[1], 0] += speckle
    pixels[: len(speckle), : speckle.shape[1], 2] -= speckle
    return np.asarray(np.clip(pixels + 0.5, 0, 255), np.uint8)
