"""Cameras, of which only the newest frame counts."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Generator
from pathlib import Path

from ninebrains.errors import DataError, PhotoError
from ninebrains.photos.videos import Named, Pace, opencv, to_rgb

# Seconds, and the frame as the camera gives it.
Frame = tuple[float, object]

_PATIENCE_SECONDS = 2.0


class NewestFrame:
    """Reads frames in a thread of its own and keeps only the newest.

    Whoever is slower than the camera sees the present, not a queue of the past. Nothing polls: the
    reader waits in the camera's driver, `take` for the reader.

    Args:
        read: gives the next frame, or None when there will be no more. Called in the thread only.
        close: called in the thread at its end.
        wants: whether a frame is to be kept; given its number, from 0, and its seconds.
    """

    def __init__(
        self,
        read: Callable[[], Frame | None],
        close: Callable[[], object] = lambda: None,
        wants: Callable[[int, float], bool] = lambda _number, _seconds: True,
    ) -> None:
        self._read = read
        self._close = close
        self._wants = wants
        self._changed = threading.Condition()
        self._newest: Frame | None = None
        self._failure: Exception | None = None
        self._is_over = False
        # A daemon: a driver that hangs must not keep the process from ending.
        self._thread = threading.Thread(target=self._work, name="ninebrains-camera", daemon=True)
        self._thread.start()

    def take(self) -> Frame | None:
        """The newest frame that was not taken yet, waiting for one; None when all is over.

        Raises:
            Exception: what `read` raised, after the last frame.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._newest is not None or self._is_over)
            frame, self._newest = self._newest, None
            if frame is None and self._failure is not None:
                raise self._failure
            return frame

    def close(self) -> None:
        """Stop reading. Waits a moment for the camera to be let go of."""
        with self._changed:
            self._is_over, self._newest = True, None
            self._changed.notify_all()
        self._thread.join(_PATIENCE_SECONDS)

    def _work(self) -> None:
        try:
            self._follow()
        except Exception as error:  # noqa: BLE001 - raised again by `take`
            self._failure = error
        finally:
            self._close()
            with self._changed:
                self._is_over = True
                self._changed.notify_all()

    def _follow(self) -> None:
        number = 0
        while (frame := self._read()) is not None:
            with self._changed:
                if self._is_over:
                    return
                if self._wants(number, frame[0]):
                    self._newest = frame
                    self._changed.notify_all()
            number += 1


class Camera:
    """An opened camera.

    Args:
        index: the system's number for it, from 0.

    Raises:
        DataError: there is no such camera, or it cannot be opened.
        ExtraError: OpenCV is not installed.
    """

    def __init__(self, index: int) -> None:
        module = opencv()
        self.name = f"camera {index}"
        self._capture = module.VideoCapture(index) if index < 2**31 else module.VideoCapture()
        if not self._capture.isOpened():
            raise DataError(
                f"camera {index} cannot be opened; {_present()}. Check that it is connected, that "
                "no other program uses it, and that this one may. For a file or folder of that "
                f"name write ./{index}"
            )

    def frames(self, pace: Pace) -> Generator[Named, None, None]:
        """Name and RGB `uint8[h, w, 3]` of the newest frame, whenever one is asked for.

        Frames are named `camera <index>@<seconds since the first was asked for>s`. The camera is
        let go of at the end. When the camera is lost, its name and a PhotoError come last.
        """
        start = time.monotonic()

        def read() -> Frame | None:
            is_whole, frame = self._capture.read()
            return (time.monotonic() - start, frame) if is_whole else None

        newest = NewestFrame(read, self._capture.release, pace.takes)
        try:
            while (frame := newest.take()) is not None:
                seconds, pixels = frame
                yield f"{self.name}@{seconds:.3f}s", to_rgb(pixels)
            lost = time.monotonic() - start
            reason = (
                f"the camera gave no more frames after {lost:.1f} s: it was unplugged, or another "
                "program took it. Connect it and start again."
            )
            yield self.name, PhotoError(reason)
        finally:
            newest.close()


def _present() -> str:
    """Which cameras the system has, as far as it says."""
    if not sys.platform.startswith("linux"):
        return "the first one is 0"
    found = sorted(
        int(path.name.removeprefix("video"))
        for path in Path("/dev").glob("video*")
        if path.name.removeprefix("video").isdigit()
    )
    return f"this machine has {', '.join(map(str, found))}" if found else "this machine has none"
