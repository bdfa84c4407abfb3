"""The demo's photos: which there are, each one's bytes, and how they get into the folder."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ninebrains.demo.camera import MARGIN, take_photo
from ninebrains.demo.folder import DemoFolder
from ninebrains.demo.parts import PARTS
from ninebrains.demo.scene import draw_scene
from ninebrains.demo.strangers import STRANGERS, THINGS, VIEWS
from ninebrains.workers import map_ahead, usable_cores

PHOTOS_PER_LABEL = 60

_SIZE = (288, 216)
_UPRIGHT = 0.2  # share of photos
_TO_LEARN, _TO_ASK = 0, 1  # seeds: no photo of one series is in the other

Progress = Callable[[int, int], None]


def draw_photo(name: str, number: int, seed: int = 0) -> bytes:
    r"""A photo of a machine part or of something else, as JPEG.

    Args:
        name: one of `PARTS` or `STRANGERS`.
        number: which one; each number is another thing in another place and light.
        seed: of a whole series. The same arguments give the same bytes with the same package
            versions.

    Raises:
        KeyError: there is no such name.

    Example:
        >>> draw_photo("gear", 1)[:2]
        b'\xff\xd8'
    """
    random = np.random.default_rng([seed, number, zlib.crc32(name.encode())])
    size = _SIZE if random.random() > _UPRIGHT else (_SIZE[1], _SIZE[0])
    shape = round(size[1] * MARGIN), round(size[0] * MARGIN)
    if name in VIEWS:
        scene = VIEWS[name](random, shape)
    else:
        draw = PARTS[name] if name in PARTS else THINGS[name]
        scene = draw_scene(random, draw, shape, random.uniform(0.6, 0.85))
    return take_photo(random, scene, size)


def write_training_photos(
    folder: DemoFolder, num_per_label: int = PHOTOS_PER_LABEL, progress: Progress | None = None
) -> Path:
    """Draw the photos to learn from, `photos/<label>/<label>-001.jpg` and so on.

    Photos that are there from an earlier run are taken as they are.

    Args:
        folder: of the demo.
        num_per_label: how many of each label.
        progress: called with (done, total).

    Returns:
        The folder with a folder per label.

    Raises:
        OutputError: something else is in the place of a photo, or it cannot be written.
    """
    target = folder.root / "photos"
    names = [(label, number) for number in range(1, num_per_label + 1) for label in PARTS]
    wanted = {
        target / label / f"{label}-{number:03}.jpg": (label, number) for label, number in names
    }
    _write(folder, wanted, _TO_LEARN, progress)
    return target


def write_new_photos(folder: DemoFolder) -> list[Path]:
    """Draw photos to ask about, `new/<what it shows>-1.jpg`: a part of each label, then strangers.

    Raises:
        OutputError: something else is in the place of a photo, or it cannot be written.
    """
    names = [*PARTS, *STRANGERS]
    wanted = {folder.root / "new" / f"{name}-1.jpg": (name, 1) for name in names}
    _write(folder, wanted, _TO_ASK, None)
    return list(wanted)


def shown_in(photo: Path) -> str:
    """What a photo of the demo shows, from its name."""
    return photo.stem.rpartition("-")[0]


def _write(
    folder: DemoFolder,
    wanted: dict[Path, tuple[str, int]],
    seed: int,
    progress: Progress | None,
) -> None:
    missing = {path: names for path, names in wanted.items() if not folder.is_made(path)}
    done = len(wanted) - len(missing)
    drawn = map_ahead(
        lambda names: draw_photo(*names, seed), missing.values(), ahead=4 * usable_cores()
    )
    for path, data in zip(missing, drawn, strict=True):
        folder.write(path, data)
        done += 1
        if progress is not None:
            progress(done, len(wanted))
