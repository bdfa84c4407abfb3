"""Video files as photos with a time, through OpenCV, which comes with the extra `video`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ninebrains.errors import ExtraError, PhotoError
from ninebrains.images import Limits, PhotoSource, Pixels, is_photo
from ninebrains.photos.dataset import printable

if TYPE_CHECKING:
    import types

    import cv2

# What a source gives: the name of a photo, and the photo or why there is none.
Named = tuple[str, PhotoSource | PhotoError]

HEAD_BYTES = 256  # enough to know a transport stream by its second packet
_EXTENSIONS = frozenset(
    (
        *(".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".m2v", ".ts", ".mts"),
        *(".m2ts", ".wmv", ".asf", ".flv", ".ogv", ".3gp", ".3g2"),
    )
)
_BEGINNINGS = (
    b"\x1aE\xdf\xa3",  # Matroska and WebM
    b"\x00\x00\x01\xba",  # MPEG programme stream
    b"\x00\x00\x01\xb3",  # MPEG video
    b"0&\xb2u\x8ef\xcf\x11",  # ASF, of which WMV is one
    b"FLV\x01",
    b"OggS",
)
_FIRST_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")  # MP4 and QuickTime
_USUAL_RATE = 25.0
_TRIES = 64  # reads that may fail in a row inside a damaged stretch


@dataclass
class Pace:
    """Which frames to take of a video or a camera.

    Attributes:
        every: one of so many frames.
        fps: at most so many frames for each second of the video, or of the clock for a camera.
    """

    every: int = 1
    fps: float | None = None
    _last: int = -1

    def takes(self, number: int, seconds: float) -> bool:
        """Whether to take frame `number` (from 0), which is shown at `seconds`. Ask in order."""
        if number % self.every:
            return False
        if self.fps is None:
            return True
        slot = int(seconds * self.fps + 1e-6)
        is_due, self._last = slot > self._last, max(slot, self._last)
        return is_due


def is_video(head: bytes) -> bool:
    """Whether a file that begins with `head` (`HEAD_BYTES` of it) is a video of a known kind."""
    if is_photo(head):  # HEIC and AVIF are MP4 files too
        return False
    if head.startswith(_BEGINNINGS) or head[4:8] in _FIRST_BOXES:
        return True
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return True
    # Packets of 188 bytes begin with this letter; on discs a time of 4 bytes stands before each.
    return head[0:1] == head[188:189] == b"G" or head[4:5] == head[196:197] == b"G"


def is_named_as_video(path: Path) -> bool:
    """Whether people would take the file for a video."""
    return path.suffix.lower() in _EXTENSIONS


def opencv() -> types.ModuleType:
    """OpenCV, told to keep its remarks about damaged files to itself.

    Raises:
        ExtraError: it is not installed, or cannot be loaded.
    """
    # Both are read once, when OpenCV and FFmpeg are first used; whoever has set them is obeyed.
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    try:
        import cv2
    except ImportError as error:
        is_missing = isinstance(error, ModuleNotFoundError) and error.name == "cv2"
        reason = "is not installed" if is_missing else f"cannot be loaded ({error})"
        raise ExtraError(
            f"videos and cameras are read with OpenCV, which {reason}. "
            "Install it with: pip install 'ninebrains[video]'"
        ) from None
    if os.environ["OPENCV_LOG_LEVEL"] == "SILENT":
        # The variable says it too late where another library, such as Keras, imported it first.
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    return cv2


def to_rgb(frame: object) -> Pixels:
    """A frame as OpenCV gives it, to RGB `uint8[h, w, 3]` in memory of its own."""
    pixels = np.asarray(frame, np.uint8)
    if pixels.ndim == 2 or pixels.shape[2] == 1:
        return np.repeat(pixels.reshape(*pixels.shape[:2], 1), 3, axis=2)
    return np.ascontiguousarray(pixels[:, :, 2::-1])


def read_video(path: Path, pace: Pace, limits: Limits | None = None) -> Iterator[Named]:
    """The frames of a video file, upright, read as they are asked for.

    Args:
        path: of the file; frames are named `<path>@<seconds>s`.
        pace: which frames to take.
        limits: pixels that a frame may have.

    Yields:
        Name and RGB `uint8[h, w, 3]`. Where the file is damaged or cut, all that can be read, and
        at the end its path and a PhotoError that says so.

    Raises:
        ExtraError: OpenCV is not installed.
    """
    module = opencv()
    with _openable(path) as name:
        capture = module.VideoCapture(name, module.CAP_FFMPEG)
        try:
            yield from _Video(module, capture, path).frames(pace, limits or Limits())
        finally:
            capture.release()


@contextmanager
def _openable(path: Path) -> Iterator[str]:
    """A name of the file that OpenCV takes; it crashes at one that is no UTF-8."""
    name = os.path.abspath(path)  # noqa: PTH100 - keeps links
    if not any("\ud800" <= letter <= "\udfff" for letter in name):
        yield name
        return
    try:
        file = path.open("rb")
    except OSError:
        yield ""  # whoever fails to open it will say why
        return
    with file:
        yield f"/dev/fd/{file.fileno()}"


class _Video:
    """One opened file, and what became of it."""

    def __init__(self, module: types.ModuleType, capture: cv2.VideoCapture, path: Path) -> None:
        self._module = module
        self._capture = capture
        self._path = path
        self._name = os.fspath(path)
        rate = capture.get(module.CAP_PROP_FPS)
        self._interval = 1.0 / rate if rate > 0 else 1.0 / _USUAL_RATE
        self._seconds = -self._interval  # where the frame that was read last is shown
        self._gaps = 0

    def frames(self, pace: Pace, limits: Limits) -> Iterator[Named]:
        refusal = self._refusal(limits)
        number = 0
        while refusal is None and self._grab():
            if pace.takes(number, self._seconds):
                is_whole, frame = self._capture.retrieve()
                if is_whole:
                    yield f"{self._name}@{self._seconds:.3f}s", to_rgb(frame)
                self._gaps += not is_whole
            number += 1
        refusal = refusal or self._loss(number)
        if refusal is not None:
            yield self._name, PhotoError(refusal)

    def _refusal(self, limits: Limits) -> str | None:
        """Why no frame shall be read, if so."""
        if not self._capture.isOpened():
            return _explain(self._path)
        sizes = (self._module.CAP_PROP_FRAME_WIDTH, self._module.CAP_PROP_FRAME_HEIGHT)
        width, height = (int(self._capture.get(size)) for size in sizes)
        if width * height > limits.max_pixels:
            return (
                f"the video is {width} x {height} = {width * height:,} pixels, more than the limit "
                f"of {limits.max_pixels:,}. Make it smaller."
            )
        return None

    def _grab(self) -> bool:
        """Go to the next frame; over a damaged stretch, where the file should go on behind it."""
        for tries in range(_TRIES):
            if self._capture.grab():
                self._gaps += tries > 0
                told = self._capture.get(self._module.CAP_PROP_POS_MSEC) / 1000
                # Some files give no times, or ones that run backwards.
                self._seconds = told if told > self._seconds else self._seconds + self._interval
                return True
            if not self._is_short():
                return False
        return False

    def _length(self) -> float:
        """Seconds that the file says it lasts; 0 or less if it does not say."""
        count: float = self._capture.get(self._module.CAP_PROP_FRAME_COUNT)
        return count * self._interval

    def _is_short(self) -> bool:
        """Whether a good part is missing; the length is often a guess by a few frames."""
        read = self._seconds + self._interval
        return read < 0.95 * self._length() - 2 * self._interval

    def _loss(self, number: int) -> str | None:
        """What could not be read, once all else has been."""
        if number == 0:
            return _explain(self._path)
        if self._is_short():
            read = self._seconds + self._interval
            return (
                f"the video is cut or damaged: it breaks off at {read:.1f} s of "
                f"{self._length():.1f} s. Copy it again from the source."
            )
        if self._gaps:
            places = "1 place" if self._gaps == 1 else f"{self._gaps:,} places"
            return (
                f"the video is damaged: frames in {places} could not be read. "
                "Copy it again from the source."
            )
        return None


def _explain(path: Path) -> str:
    """Why a video gives nothing at all."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    if size == 0:
        return "the file is empty (0 bytes); expected a video. Copy it again from the source."
    if not is_video(head):
        begins = printable(head[:12].decode("latin-1"))
        return (
            f'the file is named like a video and begins with "{begins}"; expected MP4, MOV, AVI, '
            "MKV, WebM, MPEG, WMV, FLV or Ogg. Convert it, or copy it again from the source."
        )
    return (
        "no frame of the video can be read: it is cut or damaged, holds no pictures, or its codec "
        "is unknown. Copy it again from the source, or convert it to MP4 with H.264."
    )
