"""`prepare`: the one way from a photo to a network's input, in training and everywhere else."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path
from typing import IO, TypeAlias, TypeGuard, Union

import numpy as np
import numpy.typing as npt
from PIL import Image

from ninebrains.errors import BrainError, PhotoError
from ninebrains.images.contract import Contract
from ninebrains.images.decoding import Limits, Pixels, decode
from ninebrains.images.faults import guarded
from ninebrains.images.fitting import fit_pixels

_LOADING = [threading.Lock() for _ in range(64)]

PhotoSource: TypeAlias = Union[
    str, "os.PathLike[str]", bytes, IO[bytes], Image.Image, npt.NDArray[np.uint8]
]
"""A photo as people have it: a path, a file's bytes, a file opened for bytes (read from where it
stands), a PIL image, or RGB `uint8[h, w, 3]`."""


def read_photo(path: str | os.PathLike[str], limits: Limits | None = None) -> bytes:
    """Read a photo's bytes, never more than the limit and never from a pipe or device.

    Raises:
        PhotoError: missing, unreadable, a folder, or over the limit.
    """
    limits = limits or Limits()
    try:
        # Non-blocking, so that a named pipe without a writer cannot hang us before we see what it
        # is.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise PhotoError(f"{_shown(path)} is not a file; expected a photo.")
            if status.st_size > limits.max_bytes:
                raise PhotoError(
                    f"the file has {status.st_size:,} bytes, more than the limit of "
                    f"{limits.max_bytes:,}. Shrink the photo or raise max_bytes."
                )
            return file.read(limits.max_bytes + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise PhotoError(f"cannot read {_shown(path)}: {reason}.") from error


def _shown(path: str | os.PathLike[str]) -> str:
    return os.fspath(path).encode(errors="surrogateescape").decode(errors="replace")


def prepare(photo: PhotoSource, contract: Contract, limits: Limits | None = None) -> Pixels:
    """Turn a photo into the network's input, `uint8[H, W, 3]`.

    Args:
        photo: a path, a file's bytes, a file opened for bytes, a PIL image, or RGB (or grey) pixels
            `uint8[h, w(, 3)]`.
        contract: the size and how the photo is fitted to it.
        limits: bytes and pixels allowed.

    Raises:
        PhotoError: the photo cannot be read; the message says why and what to do.
        BrainError: `contract` is none.

    Example:
        >>> prepare(np.zeros((30, 40, 3), np.uint8), Contract(8, 8)).shape
        (8, 8, 3)
    """
    if not isinstance(contract, Contract):
        raise BrainError(
            f"got {type(contract).__name__}; expected a contract, such as brain.contract"
        )
    return fit_pixels(pixels_of(photo, contract, limits)[0], contract)


def pixels_of(
    photo: PhotoSource, contract: Contract | None = None, limits: Limits | None = None
) -> tuple[Pixels, tuple[int, int]]:
    """Upright RGB `uint8[h, w, 3]` of a photo, and its full (width, height).

    With a contract the pixels may be fewer than the photo has, but always enough for it.
    """
    if isinstance(photo, np.ndarray):
        pixels = _checked(photo)
        return pixels, (pixels.shape[1], pixels.shape[0])
    if isinstance(photo, Image.Image):
        pixels = _pil_pixels(photo)
        return pixels, (pixels.shape[1], pixels.shape[0])
    if isinstance(photo, (bytes, bytearray, memoryview)):
        data = bytes(photo)
    elif isinstance(photo, (str, os.PathLike)):
        data = read_photo(Path(photo), limits)
    elif is_opened(photo):
        data = read_opened(photo, limits)
    else:
        raise PhotoError(
            f"got {type(photo).__name__}; expected a path, bytes, a file opened for bytes, a PIL "
            "image or a uint8 array."
        )
    at_least = (contract.width, contract.height) if contract else None
    pixels, info = decode(data, limits, at_least)
    return pixels, (info.width, info.height)


def is_one_photo(value: object) -> bool:
    """Whether this is a photo itself, though one could take it for many and go through it."""
    if isinstance(value, np.ndarray):
        return value.ndim < 4
    kinds = (str, bytes, bytearray, memoryview, os.PathLike, Image.Image)
    return isinstance(value, kinds) or hasattr(value, "read")


def is_opened(value: object) -> TypeGuard[IO[bytes]]:
    """Whether this is an open file, to be read from where it stands."""
    return hasattr(value, "read") and not isinstance(value, Image.Image)


def read_opened(file: IO[bytes], limits: Limits | None = None) -> bytes:
    """The rest of an open file, in as many pieces as it comes in; a byte over the limit at most.

    Raises:
        PhotoError: it cannot be read, gives no bytes, or has nothing left.
    """
    pieces: list[bytes] = []
    left = (limits or Limits()).max_bytes + 1
    try:
        while left > 0 and (piece := file.read(left)):
            if not isinstance(piece, bytes):
                raise PhotoError(
                    f"the file gives {type(piece).__name__}; expected bytes. "
                    "Open it with mode 'rb'."
                )
            pieces.append(piece)
            left -= len(piece)
    except (OSError, ValueError) as error:
        raise PhotoError(f"cannot read from the open file: {error}.") from error
    if not pieces:
        raise PhotoError(
            "nothing is left to read in the open file. Go back to its beginning with seek(0)."
        )
    return b"".join(pieces)


def _checked(array: npt.NDArray[np.uint8]) -> Pixels:
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or 0 in array.shape:
        raise PhotoError(
            f"got an array of {array.dtype}{list(array.shape)}; "
            "expected RGB uint8[height, width, 3]."
        )
    if array.ndim == 2:
        return np.repeat(array[:, :, None], 3, axis=2)
    if array.shape[2] != 3:
        raise PhotoError(
            f"got an array with {array.shape[2]} channels; expected RGB uint8[height, width, 3]."
        )
    return np.ascontiguousarray(array)


def _pil_pixels(image: Image.Image) -> Pixels:
    from PIL import ImageOps

    from ninebrains.images.decoding import to_rgb

    if 0 in image.size:
        raise PhotoError(
            f"the PIL image is {image.width} x {image.height} pixels; expected at least 1 x 1."
        )
    # Pillow reads a file when its pixels are first needed, which two threads must not do at once.
    with _LOADING[id(image) % len(_LOADING)], guarded(b""):
        _load(image)
        return np.asarray(to_rgb(ImageOps.exif_transpose(image)))


def _load(image: Image.Image) -> None:
    try:
        image.load()
    except (ValueError, AttributeError, AssertionError) as error:
        # Pillow has no flag for it, and says so differently for images in memory and in files.
        if "closed" in str(error) or getattr(image, "fp", True) is None:
            raise PhotoError(
                "the PIL image was closed before it was used. Use it inside its `with` block, or "
                "pass the path."
            ) from error
        raise
