"""What people name as a source of photos, to photos: folders, files, patterns, videos, a camera."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from ninebrains.errors import DataError, PhotoError
from ninebrains.images import Limits, is_photo
from ninebrains.photos.cameras import Camera
from ninebrains.photos.reading import expand, find_photos
from ninebrains.photos.scanning import head_of
from ninebrains.photos.videos import (
    HEAD_BYTES,
    Named,
    Pace,
    is_named_as_video,
    is_video,
    opencv,
    read_video,
)


@dataclass(frozen=True)
class Source:
    """Photos to come.

    Attributes:
        photos: name and photo, or name and PhotoError for what cannot be read, one after another as
            they are asked for; may be endless. A photo is a path or RGB `uint8[h, w, 3]`. Close it
            to let go of a file or camera before its end.
        is_live: whether it is a camera: then it shows the present whenever it is asked, so ask for
            a photo when the answer to the one before is there.
    """

    photos: Generator[Named, None, None]
    is_live: bool = False


def open_source(
    sources: Iterable[str | os.PathLike[str]],
    *,
    every: int = 1,
    fps: float | None = None,
    limits: Limits | None = None,
) -> Source:
    """Open what people name as a source of photos.

    Args:
        sources: photos, folders of photos (with all below), videos, and patterns of these like
            `clips/*.mp4`, in the order given; or the number of one camera, from 0. A file's content
            counts, not its name. A number is always a camera; write `./0` for a file.
        every: take one of so many frames of a video or camera.
        fps: take at most so many frames a second.
        limits: pixels that a frame of a video may have.

    Returns:
        A source. Folders are listed and a camera is opened before this returns; videos are opened
        when their turn comes, one at a time, and nothing is read before it is asked for.

    Raises:
        DataError: a source that is not there, no photos at all, a camera that cannot be opened, or
            one among other sources; or a pace that is none.
        ExtraError: a video or camera, and OpenCV is not installed.

    Example:
        >>> source = open_source(["holiday/", "clip.mp4"], fps=2)  # doctest: +SKIP
        >>> for name, photo in source.photos:  # doctest: +SKIP
        ...     print(name)
    """
    if every < 1 or (fps is not None and not 0 < fps < float("inf")):
        raise DataError(f"every is 1 or more and fps above 0, not {every} and {fps}")
    named = [os.fspath(source) for source in sources]
    cameras = [int(name) for name in named if name.isascii() and name.isdigit()]
    if cameras and len(named) > 1:
        raise DataError(
            f"got {len(named)} sources, camera {cameras[0]} among them; a camera never ends, so it "
            "must be the only one. Start one run for each camera."
        )
    if cameras:
        return Source(Camera(cameras[0]).frames(Pace(every, fps)), is_live=True)
    return Source(_in_turn(_plan(named), Pace(every, fps), limits))


def _plan(named: Sequence[str]) -> list[list[Named] | Path]:
    """Listed photos, and videos to open in their turn."""
    paths = [path for name in named for path in expand(name)]
    if not paths:
        raise DataError(
            "no source was named; expected photos, folders, videos or a camera's number"
        )
    plan: list[list[Named] | Path] = []
    for is_film, group in groupby(paths, key=_is_video):
        if is_film:
            opencv()  # now rather than after a thousand photos
            plan += group
        else:
            plan.append(_listed(list(group)))
    return plan


def _is_video(path: Path) -> bool:
    if not path.is_file():
        return False
    try:
        head = head_of(path, HEAD_BYTES)
    except OSError:
        return is_named_as_video(path)  # whoever reads it will say why it cannot be
    return is_video(head) or (is_named_as_video(path) and not is_photo(head))


def _listed(paths: Sequence[Path]) -> list[Named]:
    found = find_photos(paths)
    return [
        *((os.fspath(photo.path), photo.path) for photo in found.photos),
        *((problem.name, PhotoError(problem.reason)) for problem in found.problems),
    ]


def _in_turn(
    plan: Sequence[list[Named] | Path], pace: Pace, limits: Limits | None
) -> Generator[Named, None, None]:
    for step in plan:
        if isinstance(step, Path):
            yield from read_video(step, Pace(pace.every, pace.fps), limits)
        else:
            yield from step
