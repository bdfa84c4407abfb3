"""The photos that are shown: real ones where the shared folder is, drawn ones elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.running import SHARED
from ninebrains.demo import PARTS, draw_photo
from ninebrains.images import Contract, Pixels, prepare

FOLDERS = ("clothing343", "dogcat")
_SEED = 4


def real_photos(count: int) -> list[bytes]:
    """Files of web photos, 400 to 500 pixels wide: as many of clothes as of cats and dogs."""
    random = np.random.default_rng(_SEED)
    chosen: list[Path] = []
    for number, folder in enumerate(FOLDERS):
        found = sorted((SHARED / "data/classification" / folder).rglob("*.jp*g"))
        wanted = count // 2 + (count % 2 if number == 0 else 0)
        chosen += [found[place] for place in random.permutation(len(found))[:wanted]]
    return [path.read_bytes() for path in chosen]


def drawn_photos(count: int) -> list[bytes]:
    """Photos of machine parts, drawn here."""
    return [draw_photo(PARTS[number % len(PARTS)], number) for number in range(count)]


def write_pixels(photos: Sequence[bytes], contract: Contract, path: Path) -> Path:
    """The photos as a network of this contract sees them, `uint8[N, H, W, 3]` in an .npy file."""
    np.save(path, ready(photos, contract))
    return path


def ready(photos: Sequence[bytes], contract: Contract) -> Pixels:
    """The photos as a network of this contract sees them, `uint8[N, H, W, 3]`."""
    return np.stack([prepare(photo, contract) for photo in photos])
