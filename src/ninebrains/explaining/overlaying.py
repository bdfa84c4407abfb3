"""A heat map laid over the photo that it explains."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from ninebrains.explaining.colors import heat_colors
from ninebrains.images import Contract, PhotoSource, seen_box
from ninebrains.images.preparing import pixels_of

Floats = npt.NDArray[np.float32]

LARGEST_SIDE = 1024
_FADED = 0.06  # of what the network saw, along each of its edges inside the photo


def overlay(
    photo: PhotoSource,
    heatmap: Floats,
    contract: Contract,
    *,
    opacity: float = 0.6,
    largest_side: int = LARGEST_SIDE,
) -> Image.Image:
    """The upright photo with the places that speak for a label in yellow to red.

    Only evidence for the label is shown, relative to the strongest in this photo; evidence against
    it stays clear. What the network did not see (`images.seen_box`) stays clear too.

    Args:
        photo: a path, a file's bytes, a PIL image, or RGB pixels `uint8[h, w, 3]`.
        heatmap: float32[h, w], from `Inference.heatmap`.
        contract: of the brain that made it.
        opacity: of the strongest evidence, 0 to 1.
        largest_side: in pixels; a larger photo is made smaller.

    Returns:
        An RGB image with the photo's proportions, never larger than the photo.

    Raises:
        PhotoError: the photo cannot be read.
        ValueError: the heat map has no two sides, or the opacity is out of range.

    Example:
        >>> heatmap = np.array([[0.0, 1.0]], np.float32)
        >>> overlay(np.zeros((40, 60, 3), np.uint8), heatmap, Contract(8, 8)).size
        (60, 40)
    """
    image = thumbnail(photo, largest_side)
    layer = heat_layer(heatmap, contract, image.size, opacity=opacity)
    return Image.alpha_composite(image.convert("RGBA"), layer).convert("RGB")


def thumbnail(photo: PhotoSource, largest_side: int) -> Image.Image:
    """The upright photo in RGB, made smaller where a side is longer than `largest_side` pixels.

    Raises:
        PhotoError: the photo cannot be read.
    """
    # A JPEG is decoded at a fraction of its size where that is enough for this frame.
    pixels, size = pixels_of(photo, Contract(largest_side, largest_side))
    scale = min(1.0, largest_side / max(size))
    width, height = (max(1, round(side * scale)) for side in size)
    image = Image.fromarray(pixels)
    if image.size == (width, height):
        return image
    return image.resize((width, height), Image.Resampling.BILINEAR)


def heat_layer(
    heatmap: Floats, contract: Contract, size: tuple[int, int], *, opacity: float = 0.6
) -> Image.Image:
    """The heat alone, on nothing: an RGBA image of `size` to be laid over a photo of that size.

    Args:
        heatmap: float32[h, w], from `Inference.heatmap`.
        contract: of the brain that made it.
        size: (width, height) of the result in pixels; the photo's proportions.
        opacity: of the strongest evidence, 0 to 1.

    Raises:
        ValueError: the heat map has no two sides, or the opacity is out of range.
    """
    if heatmap.ndim != 2 or 0 in heatmap.shape:
        raise ValueError(f"a heat map is [h, w], not {list(heatmap.shape)}")
    if not 0.0 <= opacity <= 1.0:
        raise ValueError(f"opacity is 0 to 1, not {opacity}")
    box = seen_box(contract, *size)
    colors = heat_colors(_spread(_evidence(heatmap), box, size), opacity)
    colors[..., 3] = np.rint(colors[..., 3] * _fading(box, size))
    return Image.fromarray(colors)


def _evidence(heatmap: Floats) -> Floats:
    """Evidence for the label, 1 where it is strongest; all 0 where there is none."""
    positive = np.maximum(np.asarray(heatmap, np.float32), 0.0)
    strongest = float(positive.max())
    return np.asarray(positive / np.float32(strongest or 1.0), np.float32)


def _spread(
    evidence: Floats, box: tuple[float, float, float, float], size: tuple[int, int]
) -> Floats:
    """Evidence drawn smoothly over its box of a photo: float32[height, width], 0 outside it."""
    left, top, right, bottom = (round(side) for side in box)
    shape = (max(1, right - left), max(1, bottom - top))
    drawn = Image.fromarray(evidence).resize(shape, Image.Resampling.BICUBIC)
    frame = Image.new("F", size, 0.0)
    frame.paste(drawn, (left, top))
    return np.asarray(frame)


def _fading(box: tuple[float, float, float, float], size: tuple[int, int]) -> Floats:
    """Factors [height, width] for opacity, falling towards sides of the box inside the photo.

    A hard edge there would look like a finding; it is only where the network's view ends.
    """
    left, top, right, bottom = box
    across = _ramp(left, right, size[0])
    return np.asarray(_ramp(top, bottom, size[1])[:, None] * across[None, :], np.float32)


def _ramp(low: float, high: float, length: int) -> Floats:
    """Factors along one side of a photo: 1, but falling to 0 where the view ends inside of it."""
    middles = np.arange(length, dtype=np.float32) + 0.5
    width = max(_FADED * (high - low), 1.0)
    factors = np.ones(length, np.float32)
    if low > 0.5:
        factors *= np.clip((middles - low) / width, 0.0, 1.0)
    if high < length - 0.5:
        factors *= np.clip((high - middles) / width, 0.0, 1.0)
    return factors


def peak(heatmap: Floats, contract: Contract, photo_size: tuple[int, int]) -> tuple[float, float]:
    """Where the evidence is strongest, as (x, y) in pixels of the upright photo.

    >>> peak(np.array([[0.0, 0.0], [0.0, 1.0]], np.float32), Contract(8, 8), (80, 80))
    (60.0, 60.0)
    """
    row, column = np.unravel_index(int(heatmap.argmax()), heatmap.shape)
    left, top, right, bottom = seen_box(contract, *photo_size)
    x = left + (right - left) * (float(column) + 0.5) / heatmap.shape[1]
    y = top + (bottom - top) * (float(row) + 0.5) / heatmap.shape[0]
    # With bars around the photo the strongest cell may lie on a bar: the nearest edge then.
    return min(max(x, 0.0), float(photo_size[0])), min(max(y, 0.0), float(photo_size[1]))
