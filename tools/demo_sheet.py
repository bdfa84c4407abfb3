"""The picture in docs/demo.md: one row of photos for each thing that the demo draws.

python tools/demo_sheet.py docs/demo.jpg
"""

from __future__ import annotations

import io
import sys

from PIL import Image

from ninebrains.demo import PARTS, STRANGERS, draw_photo

COLUMNS, SIDE, GAP = 8, 84, 4


def square(photo: bytes) -> Image.Image:
    """The middle of a photo."""
    image = Image.open(io.BytesIO(photo))
    left, top = (image.width - min(image.size)) // 2, (image.height - min(image.size)) // 2
    box = (left, top, left + min(image.size), top + min(image.size))
    return image.crop(box).resize((SIDE, SIDE), Image.Resampling.LANCZOS)


def main() -> None:
    names = [*PARTS, *STRANGERS]
    step = SIDE + GAP
    sheet = Image.new("RGB", (COLUMNS * step - GAP, len(names) * step - GAP), "white")
    for row, name in enumerate(names):
        for column in range(COLUMNS):
            sheet.paste(square(draw_photo(name, column + 1)), (column * step, row * step))
    sheet.save(sys.argv[1], "JPEG", quality=76, optimize=True)


if __name__ == "__main__":
    main()
