"""The bytes of a photo to upright RGB pixels, with limits checked before anything is decoded.

JPEG goes through libjpeg-turbo (simplejpeg), everything else through Pillow. Both decode a JPEG to
the same pixels; simplejpeg does it about a fifth faster. Only formats named here are tried: Pillow
knows many more, some of which start other programs.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from ninebrains.errors import PhotoError
from ninebrains.images.faults import HEIF_BRANDS, guarded

Pixels = npt.NDArray[np.uint8]

FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "GIF", "BMP", "DIB", "TIFF", "AVIF", "HEIF", "PPM")
_EXIF_ORIENTATION = 0x0112
_JPEG_PLAIN_COLORS = ("RGB", "YCbCr", "Gray")
_STRIP_PIXELS = 1 << 20


@dataclass(frozen=True)
class Limits:
    """What a photo may cost, checked before it is decoded.

    Attributes:
        max_bytes: largest file, default 64 MiB.
        max_pixels: largest width times height from the header, default 100 million; Pillow's own
            guard stands behind it at 178 million.
    """

    max_bytes: int = 64 * 1024 * 1024
    max_pixels: int = 100_000_000


@dataclass(frozen=True)
class PhotoInfo:
    """What a header says: format, upright width and height in pixels, EXIF orientation (1-8)."""

    format: str
    width: int
    height: int
    orientation: int


def inspect(data: bytes, limits: Limits | None = None) -> PhotoInfo:
    """Read the header of a photo without decoding it.

    Raises:
        PhotoError: no photo, or over a limit.
    """
    _check_bytes(data, limits or Limits())
    with guarded(data), _open(data, limits or Limits()) as image:
        orientation = _orientation(image)
        width, height = image.size if orientation < 5 else image.size[::-1]
        return PhotoInfo(image.format or "?", width, height, orientation)


def decode(
    data: bytes, limits: Limits | None = None, at_least: tuple[int, int] | None = None
) -> tuple[Pixels, PhotoInfo]:
    """Decode a photo to upright `uint8[h, w, 3]` RGB.

    Args:
        data: the file's bytes, in any of `FORMATS`; only the content counts, never a file name.
        limits: bytes and pixels allowed.
        at_least: (width, height) that are enough. A JPEG may then come out at 1/2, 1/4 or 1/8 of
            its size, never below twice that: scaling inside the DCT costs less than decoding in
            full.

    Returns:
        The pixels, and what the header said; `info.width` and `info.height` are the full size.

    Raises:
        PhotoError: no photo, damaged, or over a limit.
    """
    limits = limits or Limits()
    _check_bytes(data, limits)
    with guarded(data), _open(data, limits) as image:
        orientation = _orientation(image)
        width, height = image.size if orientation < 5 else image.size[::-1]
        info = PhotoInfo(image.format or "?", width, height, orientation)
        factor = _jpeg_reduction(width, height, at_least)
        pixels = _decode_jpeg(data, factor) if info.format in ("JPEG", "MPO") else None
        if pixels is None:
            if info.format in ("JPEG", "MPO") and factor > 1:
                # Rounded down: Pillow reduces by no more than leaves at least this.
                image.draft("RGB", (image.width // factor, image.height // factor))
            pixels = _rgb_pixels(image)
    return _upright(pixels, orientation), info


def _check_bytes(data: bytes, limits: Limits) -> None:
    if not data:
        raise PhotoError(
            "the file is empty (0 bytes); expected a photo. Copy it again from the source."
        )
    if len(data) > limits.max_bytes:
        raise PhotoError(
            f"the file has {len(data):,} bytes, more than the limit of {limits.max_bytes:,}. "
            "Shrink the photo or raise max_bytes."
        )


def _open(data: bytes, limits: Limits) -> Image.Image:
    """Read the header only, and refuse too many pixels before any is decoded."""
    if data[4:8] == b"ftyp" and data[8:12] in HEIF_BRANDS:
        _register_heif()
    # MPO is opened by the JPEG reader and HEIF exists with its plugin only: Pillow has no such
    # entries, and would raise KeyError for every format that comes after them.
    formats = [name for name in FORMATS if name not in ("MPO", "HEIF") or name in Image.OPEN]
    with warnings.catch_warnings():
        # Pillow warns from 89 million pixels on; our own limit below is the one that counts.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        image = Image.open(io.BytesIO(data), formats=formats)
    width, height = image.size
    if width * height > limits.max_pixels:
        raise PhotoError(
            f"the photo is {width} x {height} = {width * height:,} pixels, more than the limit of "
            f"{limits.max_pixels:,}. Shrink the photo or raise max_pixels."
        )
    return image


def _register_heif() -> None:
    try:
        import pi_heif
    except ImportError:
        raise PhotoError(
            "this is a HEIC photo and no HEIC decoder is installed. "
            "Install one with: pip install 'ninebrains[heif]'"
        ) from None
    pi_heif.register_heif_opener()


def _orientation(image: Image.Image) -> int:
    """How the stored rows are turned, EXIF 1 to 8; Pillow turns TIFF by itself while reading."""
    if image.format == "TIFF":
        return 1
    value = image.getexif().get(_EXIF_ORIENTATION, 1)
    return value if value in range(1, 9) else 1


def _jpeg_reduction(width: int, height: int, at_least: tuple[int, int] | None) -> int:
    """The largest of 8, 4, 2, 1 that leaves at least twice the wanted size in both directions."""
    if at_least is None:
        return 1
    room = min(width / (2 * at_least[0]), height / (2 * at_least[1]))
    return next((factor for factor in (8, 4, 2) if factor <= room), 1)


def _decode_jpeg(data: bytes, factor: int) -> Pixels | None:
    """Decode the plain kinds of JPEG; None for the others (CMYK), which Pillow reads."""
    import simplejpeg

    try:
        height, width, color, _ = simplejpeg.decode_jpeg_header(data)
    except ValueError:
        return None
    if color not in _JPEG_PLAIN_COLORS:
        return None
    smallest: dict[str, Any] = (
        {}
        if factor == 1
        else {"min_height": -(-height // factor), "min_width": -(-width // factor)}
    )
    pixels: Pixels = simplejpeg.decode_jpeg(data, colorspace="RGB", **smallest)
    return pixels


def _rgb_pixels(image: Image.Image) -> Pixels:
    """The pixels of an image, `uint8[h, w, 3]`, made in strips where it is large.

    Each step of the way, Pillow's own included, would else hold the whole photo once more.
    """
    image.load()
    width, height = image.size
    num_rows = max(1, _STRIP_PIXELS // width)
    if height <= num_rows:
        return np.asarray(to_rgb(image))
    pixels = np.empty((height, width, 3), np.uint8)
    for top in range(0, height, num_rows):
        bottom = min(top + num_rows, height)
        pixels[top:bottom] = np.asarray(to_rgb(image.crop((0, top, width, bottom))))
    return pixels


def to_rgb(image: Image.Image) -> Image.Image:
    """Any mode that Pillow gives to 8-bit RGB; transparent parts become white."""
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8)).convert(
            "RGB"
        )
    if image.mode in ("I", "F"):
        return Image.fromarray(_wide_to_bytes(np.asarray(image))).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        flat = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
        return Image.alpha_composite(flat, rgba).convert("RGB")
    return image.convert("RGB")


def _wide_to_bytes(values: npt.NDArray[Any]) -> Pixels:
    """Grey values of 32 bits to 8: floats are taken as 0 to 1, integers as 0 to 65,535."""
    if not np.all(np.isfinite(values)):
        raise PhotoError(
            "the photo holds values that are not numbers. Save it as 8 or 16 bits a channel."
        )
    top = 1.0 if values.dtype.kind == "f" else 65535.0
    if values.min() < 0 or values.max() > top:
        raise PhotoError(
            f"the photo's grey values run from {values.min():g} to {values.max():g}, "
            f"beyond 0 to {top:g}. "
            "Save it as 8 or 16 bits a channel."
        )
    return (values * (255.0 / top) + 0.5).astype(np.uint8)


def _upright(pixels: Pixels, orientation: int) -> Pixels:
    """Undo the camera's orientation (EXIF 2.32, tag 0x0112)."""
    if orientation >= 5:
        pixels = pixels.transpose(1, 0, 2)
    flip_rows = orientation in (3, 4, 7, 8)
    flip_columns = orientation in (2, 3, 6, 7)
    pixels = pixels[:: -1 if flip_rows else 1, :: -1 if flip_columns else 1]
    return np.ascontiguousarray(pixels)
