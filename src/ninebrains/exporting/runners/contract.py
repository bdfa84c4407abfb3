"""A photo as the network sees it. Needs numpy and Pillow. README.md says the contract in words."""

import numpy as np
from PIL import Image, ImageOps

LARGEST_PIXELS = 100_000_000
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "DIB", "TIFF", "AVIF", "PPM")
HAS_ALPHA = ("RGBA", "LA", "PA", "RGBa", "La")


def prepare(path, contract):
    """The pixels uint8[H, W, 3] of a photo, upright, in the size of the contract."""
    wide, high = contract["width"], contract["height"]
    Image.init()
    with Image.open(path, formats=[name for name in FORMATS if name in Image.OPEN]) as image:
        pixels = upright(image, wide, high)
    return np.asarray(fit(pixels, wide, high, contract["fit"], tuple(contract["pad_color"])))


def upright(image, wide, high):
    """A photo as 8-bit RGB; a JPEG may come out smaller, never below twice the size wanted."""
    is_tiff = image.format == "TIFF"  # Pillow turns these by itself
    is_turned = not is_tiff and 5 <= image.getexif().get(0x0112, 1) <= 8
    width, height = image.size[::-1] if is_turned else image.size
    if width * height > LARGEST_PIXELS:
        raise ValueError(f"{width} x {height} pixels; the limit is {LARGEST_PIXELS:,}")
    room = min(width / (2 * wide), height / (2 * high))
    factor = next((number for number in (8, 4, 2) if number <= room), 1)
    if image.format in ("JPEG", "MPO") and factor > 1:
        image.draft("RGB", (image.width // factor, image.height // factor))
    return to_rgb(image if is_tiff else ImageOps.exif_transpose(image))


def to_rgb(image):
    """Any kind of image as 8-bit RGB; transparent parts become white."""
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8))
    elif image.mode in ("I", "F"):
        values, top = np.asarray(image), 1.0 if image.mode == "F" else 65535.0
        if not (values.min() >= 0 and values.max() <= top):  # not a number is neither
            raise ValueError(
                f"grey values run from {values.min():g} to {values.max():g}, beyond 0 to {top:g}; "
                "save it as 8 or 16 bits a channel"
            )
        image = Image.fromarray((values * (255.0 / top) + 0.5).astype(np.uint8))
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
