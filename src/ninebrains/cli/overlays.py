"""Heat maps over photos, as `--heatmap FOLDER` writes them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ninebrains.brains import Inference
    from ninebrains.images import PhotoSource

_STRANGE = re.compile(r"[^A-Za-z0-9_.@-]+")


class OverlayFolder:
    """Writes `<photo>.<label>.jpg`; photos of one name from several folders get numbers.

    Args:
        folder: where to; made when the first picture is written.

    Raises:
        OutputError: there is a file in its place, or in that of a folder above it.
    """

    def __init__(self, folder: Path) -> None:
        from ninebrains.errors import OutputError

        there = next(place for place in (folder, *folder.parents) if place.exists())
        if not there.is_dir():
            raise OutputError(
                f"{there} is a file; --heatmap takes a folder for the pictures, which may be new. "
                "Choose another name."
            )
        self._folder = folder
        self._taken: set[str] = set()

    def write(self, photo: PhotoSource, stem: str, inference: Inference) -> str | None:
        """Lay the heat map of the top label over the photo.

        Args:
            photo: what was answered.
            stem: what the file's name begins with.
            inference: an answer with heat maps.

        Returns:
            Why the photo could not be read again, if it could not.

        Raises:
            BrainError: the answer has no heat maps.
            OutputError: the picture would replace the photo, or cannot be written.
        """
        from ninebrains.errors import OutputError, PhotoError
        from ninebrains.explaining import overlay
        from ninebrains.places import replacing

        heatmap = inference.heatmap()
        target = self._folder / self._name(stem, inference.top.label)
        if isinstance(photo, Path) and target.resolve() == photo.resolve():
            raise OutputError(f"{target} is the photo itself; choose another folder")
        try:
            picture = overlay(photo, heatmap, inference.contract)
        except PhotoError as error:
            return str(error)
        with replacing(target) as file:
            picture.save(file, "JPEG", quality=90)
        return None

    def _name(self, stem: str, label: str) -> str:
        first = f"{stem}.{re.sub(r'[^A-Za-z0-9_-]+', '-', label)[:40]}"
        name, number = f"{first}.jpg", 2
        while name in self._taken:
            name, number = f"{first}.{number}.jpg", number + 1
        self._taken.add(name)
        return name


def stem_of(photo: PhotoSource, name: str) -> str:
    """What the file names of a photo's pictures begin with; of a frame it keeps the time."""
    if isinstance(photo, Path):
        return photo.stem[:80]
    return _STRANGE.sub("-", Path(name).name)[-80:]
