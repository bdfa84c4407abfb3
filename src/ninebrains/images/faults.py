"""What bytes look like from their first few, and errors that say why they are no usable photo."""

from __future__ import annotations

import re
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image, UnidentifiedImageError

from ninebrains.errors import PhotoError

HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")
_BEGINNINGS = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"II*\x00": "TIFF",
    b"MM\x00*": "TIFF",
    b"II+\x00": "TIFF",
    b"MM\x00+": "TIFF",
}
# How Pillow's readers speak of files that may well be whole.
_UNSUPPORTED = re.compile(r"(?i)unsupported|not supported|not available|unknown compression")


def is_photo(head: bytes) -> bool:
    """Whether a file that begins with `head` (32 bytes are enough) looks like a photo."""
    return kind_of(head) is not None


def kind_of(head: bytes) -> str | None:
    """The format that a file beginning with `head` (32 bytes are enough) seems to have, or None."""
    for beginning, kind in _BEGINNINGS.items():
        if head.startswith(beginning):
            return kind
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "WebP"
    if head.startswith(b"BM") and len(head) >= 18 and head[6:10] == b"\x00\x00\x00\x00":
        return "BMP"
    if head[:2] in (b"P1", b"P2", b"P3", b"P4", b"P5", b"P6") and head[2:3].isspace():
        return "PPM"
    if head[4:8] == b"ftyp" and head[8:12] in (*HEIF_BRANDS, b"avif", b"avis"):
        return "HEIC" if head[8:12] in HEIF_BRANDS else "AVIF"
    return None


@contextmanager
def guarded(data: bytes) -> Iterator[None]:
    """Turn what image libraries raise at hostile bytes into one error that says what to do."""
    try:
        # Pillow warns about damaged EXIF and the like and goes on; the pixels are what counts here.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except PhotoError:
        raise
    except Image.DecompressionBombError as error:
        raise PhotoError(
            "the photo claims to have more than 178 million pixels, more than are ever decoded. "
            "Shrink it; if it is small, its header is damaged: copy it again from the source."
        ) from error
    except UnidentifiedImageError as error:
        raise PhotoError(_unidentified(data)) from error
    except MemoryError as error:
        raise PhotoError(
            "decoding the photo needs more memory than there is. Shrink it."
        ) from error
    except (
        OSError,
        ValueError,
        SyntaxError,
        EOFError,
        TypeError,
        KeyError,
        IndexError,
        OverflowError,
        AttributeError,
        ZeroDivisionError,
        RuntimeError,
        struct.error,
    ) as error:
        if _UNSUPPORTED.search(str(error)):
            raise PhotoError(
                f"this kind of {kind_of(data) or 'photo'} is not supported ({error}). "
                "Save it as an ordinary JPEG or PNG."
            ) from error
        raise PhotoError(
            f"the photo is damaged ({type(error).__name__}: {error}). "
            "Copy it again from the source."
        ) from error


def _unidentified(data: bytes) -> str:
    """What to say of bytes that no reader takes."""
    kind = kind_of(data)
    if kind is None:
        return (
            f"not a photo: {_describe(data)}. "
            "Expected JPEG, PNG, WebP, GIF, BMP, TIFF, PPM, AVIF or HEIC."
        )
    return (
        f"the photo begins as a {kind} and cannot be read: an unsupported kind of {kind}, or "
        "damaged. Save it as an ordinary JPEG or PNG, or copy it again from the source."
    )


def _describe(data: bytes) -> str:
    known = {
        b"%PDF": "a PDF",
        b"PK\x03\x04": "a zip file",
        b"<svg": "an SVG",
        b"<?xml": "XML",
        b"<!DO": "a web page",
        b"<htm": "a web page",
        b"8BPS": "a Photoshop file",
    }
    for magic, name in known.items():
        if data.startswith(magic):
            return f"this is {name}"
    return f"the file begins with {data[:8].hex(' ')}"
