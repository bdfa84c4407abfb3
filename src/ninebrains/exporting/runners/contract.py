"""A photo as the network sees it. Needs numpy and Pillow. README.md says the contract in words."""

import numpy as np
from PIL import Image, ImageOps

LARGEST_PIXELS = 100_000_000
HAS_ALPHA = ("RGBA", "LA", "PA", "RGBa", "La")


def prepare(path, contract):
    """The pixels uint8[H, W, 3] of a photo, upright, in the size of the contract."""
    wide, high = contract["width"], contract["height"]
    image = Image.open(path)
    is_tiff = image.format == "TIFF"  # Pillow turns these by itself
    is_turned = not is_tiff and 5 <= image.getexif().get(0x0112, 1) <= 8
    width, height = image.size[::-1] if is_turned else image.size
    if width * height > LARGEST_PIXELS:
        raise ValueError(f"{width} x {height} pixels; the limit is {LARGEST_PIXELS:,}")
    room = min(width / (2 * wide), height / (2 * high))
    factor = next((number for number in (8, 4, 2) if number <= room), 1)
    if image.format in ("JPEG", "MPO") and factor > 1:  # decoded smaller, never below twice
        image.draft("RGB", (image.width // factor, image.height // factor))
    image = to_rgb(image if is_tiff else ImageOps.exif_transpose(image))
    return np.asarray(fit(image, wide, high, contract["fit"], tuple(contract["pad_color"])))


def to_rgb(image):
    """Any kind of image as 8-bit RGB; transparent parts become white."""
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8))
    elif image.mode in ("I", "F"):
        scale = 255.0 if image.mode == "F" else 255.0 / 65535.0
        image = Image.fromarray((np.asarray(image) * scale + 0.5).astype(np.uint8))
    elif image.mode in HAS_ALPHA or "transparency" in image.info:
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, image.convert("RGBA"))
    return image.convert("RGB")


def fit(image, wide, high, kind, pad_color):
    """Resize with a triangle filter that grows with the reduction; crop, pad or stretch."""
    width, height = image.size
    if kind == "stretch":
        return image.resize((wide, high), Image.Resampling.BILINEAR)
    if kind == "crop":
        scale = min(width / wide, height / high)
        left, top = (width - wide * scale) / 2, (height - high * scale) / 2
        right, bottom = min(left + wide * scale, width), min(top + high * scale, height)
        box = (max(left, 0.0), max(top, 0.0), right, bottom)
        return image.resize((wide, high), Image.Resampling.BILINEAR, box=box)
    scale = min(wide / width, high / height)
    inner = (max(1, round(width * scale)), max(1, round(height * scale)))
    frame = Image.new("RGB", (wide, high), pad_color)
    frame.paste(
        image.resize(inner, Image.Resampling.BILINEAR),
        ((wide - inner[0]) // 2, (high - inner[1]) // 2),
    )
    return frame
