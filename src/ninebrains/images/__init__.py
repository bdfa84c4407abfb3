"""From the bytes of a photo to the pixels that a network sees, the same way everywhere."""

from ninebrains.images.contract import Contract, Fit
from ninebrains.images.decoding import Limits, PhotoInfo, Pixels, decode, inspect
from ninebrains.images.faults import is_photo
from ninebrains.images.fitting import fit_pixels, seen_box
from ninebrains.images.preparing import PhotoSource, prepare, read_photo

__all__ = [
    "Contract",
    "Fit",
    "Limits",
    "PhotoInfo",
    "PhotoSource",
    "Pixels",
    "decode",
    "fit_pixels",
    "inspect",
    "is_photo",
    "prepare",
    "read_photo",
    "seen_box",
]
