"""Pixels of any size to the size of a contract: one antialiased resize, and where it looked."""

from __future__ import annotations

import numpy as np
from PIL import Image

from ninebrains.images.contract import Contract
from ninebrains.images.decoding import Pixels

Box = tuple[float, float, float, float]


def seen_box(contract: Contract, width: float, height: float) -> Box:
    """The part of a photo that the network sees, as (left, top, right, bottom) in photo pixels.

    For `pad` the box is larger than the photo, by the bars: the network's input always shows
    exactly this box. Use it to lay a heat map over a photo.

    >>> seen_box(Contract(100, 100), width=300, height=200)
    (50.0, 0.0, 250.0, 200.0)
    """
    if contract.fit == "stretch":
        return (0.0, 0.0, float(width), float(height))
    across, down = width / contract.width, height / contract.height
    scale = min(across, down) if contract.fit == "crop" else max(across, down)
    seen_width, seen_height = contract.width * scale, contract.height * scale
    left, top = (width - seen_width) / 2, (height - seen_height) / 2
    return (left, top, left + seen_width, top + seen_height)


def fit_pixels(pixels: Pixels, contract: Contract) -> Pixels:
    """Resize `uint8[h, w, 3]` to the contract's `uint8[H, W, 3]`.

    The resize is Pillow's triangle filter with support scaled by the reduction, in 8-bit fixed
    point.
    """
    height, width = pixels.shape[:2]
    image = Image.fromarray(pixels)
    size = (contract.width, contract.height)
    if contract.fit != "pad":
        left, top, right, bottom = seen_box(contract, width, height)
        # Rounding may put an edge a hair outside, which Pillow refuses.
        box = (max(left, 0.0), max(top, 0.0), min(right, width), min(bottom, height))
        return np.asarray(image.resize(size, Image.Resampling.BILINEAR, box=box))
    scale = min(contract.width / width, contract.height / height)
    inner = (max(1, round(width * scale)), max(1, round(height * scale)))
    frame = Image.new("RGB", size, contract.pad_color)
    corner = ((size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2)
    frame.paste(image.resize(inner, Image.Resampling.BILINEAR), corner)
    return np.asarray(frame)
