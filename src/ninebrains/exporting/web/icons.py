"""The page's icon: nine brains, one in the middle and eight around it."""

from __future__ import annotations

import io
import math

from PIL import Image, ImageDraw

BACKGROUND = (31, 58, 61)
_ARMS = (240, 180, 110)
_HEART = (255, 232, 200)
_SMOOTHING = 4


def draw_icon(side: int, *, is_maskable: bool = False) -> bytes:
    """The icon as PNG, `side` x `side` pixels.

    Args:
        side: in pixels.
        is_maskable: fill the whole square and keep the drawing inside the middle 80 %, for systems
            that cut icons to a shape of their own.
    """
    large = side * _SMOOTHING
    image = Image.new("RGBA", (large, large), (0, 0, 0, 0))
    draw = ImageDraw.Draw(image)
    if is_maskable:
        draw.rectangle((0, 0, large, large), fill=BACKGROUND)
    else:
        draw.rounded_rectangle((0, 0, large - 1, large - 1), radius=large * 0.22, fill=BACKGROUND)
    reach = large * (0.26 if is_maskable else 0.32)
    for arm in range(8):
        angle = math.tau * arm / 8 + math.tau / 16
        x, y = large / 2 + reach * math.cos(angle), large / 2 + reach * math.sin(angle)
        draw.line((large / 2, large / 2, x, y), fill=_ARMS, width=round(reach * 0.13))
        _disc(draw, x, y, reach * 0.22, _ARMS)
    _disc(draw, large / 2, large / 2, reach * 0.46, _HEART)
    file = io.BytesIO()
    image.resize((side, side), Image.Resampling.LANCZOS).save(file, "PNG", optimize=True)
    return file.getvalue()


def _disc(
    draw: ImageDraw.ImageDraw, x: float, y: float, radius: float, color: tuple[int, int, int]
) -> None:
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=color)
