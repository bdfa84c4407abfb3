"""Asking about a stream of photos: in order, a bounded number of them at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from typing import TypeVar

import numpy as np
from PIL import Image

from ninebrains.errors import PhotoError
from ninebrains.images import PhotoSource

_MOST_AHEAD = 64
_MOST_BYTES_AHEAD = 128 * 1024 * 1024

Answers = TypeVar("Answers")
Submit = Callable[[PhotoSource], Future[Answers]]


def stream(
    submit: Submit[Answers], photos: Iterable[PhotoSource], *, raises: bool
) -> Iterator[Answers | PhotoError]:
    """Submit photos ahead of their answers: 64 of them at most, and 128 MB.

    Args:
        submit: asks about one photo; it may wait for room.
        photos: may be endless.
        raises: a photo that cannot be read ends it, rather than being answered by its error.
    """
    waiting: deque[tuple[Future[Answers], int]] = deque()
    held = 0
    try:
        for photo in photos:
            size = _num_bytes(photo)
            waiting.append((_submitted(submit, photo), size))
            held += size
            while waiting and (
                len(waiting) >= _MOST_AHEAD or held > _MOST_BYTES_AHEAD or waiting[0][0].done()
            ):
                future, size = waiting.popleft()
                held -= size
                answer = _answer(future, raises=raises)
                yield answer
        while waiting:
            answer = _answer(waiting.popleft()[0], raises=raises)
            yield answer
    finally:
        for future, _ in waiting:
            future.cancel()


def _submitted(submit: Submit[Answers], photo: PhotoSource) -> Future[Answers]:
    try:
        return submit(photo)
    except PhotoError as error:
        failed: Future[Answers] = Future()
        failed.set_exception(error)
        return failed


def _answer(future: Future[Answers], *, raises: bool) -> Answers | PhotoError:
    try:
        return future.result()
    except PhotoError as error:
        if raises:
            raise
        return error


def _num_bytes(photo: PhotoSource) -> int:
    """What a photo holds while it waits to be decoded."""
    if isinstance(photo, np.ndarray):
        return photo.nbytes
    if isinstance(photo, Image.Image):
        return 3 * photo.width * photo.height
    return len(photo) if isinstance(photo, (bytes, bytearray, memoryview)) else 0
