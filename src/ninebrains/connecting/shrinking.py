"""What is sent of a photo: its file as it is, or one that is as large as the brains can use.

A camera's photo has a hundred times the pixels that a network looks at. Sending them costs far more
than computing the answer. A photo much larger than needed is therefore resized once, to
`TIMES_LARGER` times the network's input: what remains is the host's usual antialiased resize, from
enough pixels that the answer stays the same.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from ninebrains.errors import PhotoError
from ninebrains.images import Contract, PhotoSource, Pixels, decode, inspect, read_photo
from ninebrains.images.preparing import is_opened, pixels_of, read_opened

TIMES_LARGER = 3
"""How many times the network's input the sides of a photo may be."""

LEAST_SIDE = 448
"""To so many pixels a photo may be sent whatever the network: what JPEG takes away shows in small
photos, and they cost little."""

SMALL_BYTES = 150_000
"""Files up to this size are sent as they are."""

_WORTH_IT = 0.8  # by how much sides must shrink at least
_SMALL_PIXELS = 256 * 256
_QUALITY, _QUALITY_OF_PIXELS = 90, 95
_MOST_SIDE = 65_000  # a JPEG's limit is 65,535

Size = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Packed:
    """What is sent.

    Attributes:
        content: the file.
        full_size: (width, height) of the upright photo, where it was shrunk.
        sent_size: (width, height) that is sent, where it was shrunk.
    """

    content: bytes = field(repr=False)
    full_size: Size | None = None
    sent_size: Size | None = None

    def is_enough(self, contracts: Iterable[Contract]) -> bool:
        """Whether it has all the pixels that brains of these contracts could use."""
        if self.sent_size is None or self.full_size is None:
            return True
        scale = _scale(self.full_size, needed(contracts))
        return scale * self.full_size[0] <= self.sent_size[0] + 1


def needed(contracts: Iterable[Contract]) -> Size:
    """(width, height) that brains of these contracts can use; (0, 0) where there are none."""
    width = height = 0
    for contract in contracts:
        width = max(width, TIMES_LARGER * contract.width, LEAST_SIDE)
        height = max(height, TIMES_LARGER * contract.height, LEAST_SIDE)
    return width, height


def opened(photo: PhotoSource) -> bytes | Pixels:
    """A photo as the bytes of its file, or as upright RGB `uint8[h, w, 3]` where it has none.

    Raises:
        PhotoError: it is none, or cannot be read.
    """
    if isinstance(photo, (bytes, bytearray, memoryview)):
        return bytes(photo)
    if isinstance(photo, (np.ndarray, Image.Image)):
        return pixels_of(photo)[0]
    if isinstance(photo, (str, os.PathLike)):
        return read_photo(photo)
    return read_opened(photo) if is_opened(photo) else pixels_of(photo)[0]  # or says what is wrong


def is_large(photo: bytes | Pixels) -> bool:
    """Whether shrinking a photo may be worth its while."""
    if isinstance(photo, bytes):
        return len(photo) > SMALL_BYTES
    height, width = photo.shape[:2]
    return bool(height * width > _SMALL_PIXELS)


def pack(photo: bytes | Pixels, largest: Size | None) -> Packed:
    """What to send of a photo.

    Args:
        photo: as `opened` gives it.
        largest: (width, height) that are needed; None: lose nothing.

    Raises:
        PhotoError: pixels that no file can hold.
    """
    if isinstance(photo, bytes):
        if not photo:
            raise PhotoError("the photo is empty (0 bytes); expected a photo's file")
        shrunk = None if largest is None or not is_large(photo) else _shrunk_file(photo, largest)
        return shrunk or Packed(photo)
    if largest is None or not is_large(photo):
        return Packed(_as_png(photo))
    full = (photo.shape[1], photo.shape[0])
    scale = _scale(full, largest)
    if scale <= _WORTH_IT:
        pixels = _resized(photo, full, scale)
        return Packed(_as_jpeg(pixels, _QUALITY_OF_PIXELS), full, (pixels.shape[1], len(pixels)))
    return Packed(_as_png(photo) if max(full) > _MOST_SIDE else _as_jpeg(photo, _QUALITY_OF_PIXELS))


def _shrunk_file(photo: bytes, largest: Size) -> Packed | None:
    """The photo at the size that is needed; None where it is better sent as it is."""
    try:
        info = inspect(photo)
        full = (info.width, info.height)
        scale = _scale(full, largest)
        if scale > _WORTH_IT:
            return None
        # Decoding gives twice what it is asked for, at least: never fewer pixels than we want.
        least = (max(1, round(full[0] * scale / 2)), max(1, round(full[1] * scale / 2)))
        pixels = _resized(decode(photo, at_least=least)[0], full, scale)
    except PhotoError:
        return None  # the host may read what we cannot, and else says what is wrong with it
    content = _as_jpeg(pixels, _QUALITY)
    if len(content) >= len(photo):
        return None
    return Packed(content, full, (pixels.shape[1], pixels.shape[0]))


def _scale(full: Size, largest: Size) -> float:
    """By how much the sides of a photo may shrink, so that both are still long enough."""
    if 0 in largest:
        return 1.0
    return min(1.0, max(need / side for need, side in zip(largest, full, strict=True)))


def _resized(pixels: Pixels, full: Size, scale: float) -> Pixels:
    size = (max(1, round(full[0] * scale)), max(1, round(full[1] * scale)))
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR))


def _as_jpeg(pixels: Pixels, quality: int) -> bytes:
    import simplejpeg

    content: bytes = simplejpeg.encode_jpeg(
        np.ascontiguousarray(pixels), quality=quality, colorspace="RGB", colorsubsampling="420"
    )
    return content


def _as_png(pixels: Pixels) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)
    return file.getvalue()
