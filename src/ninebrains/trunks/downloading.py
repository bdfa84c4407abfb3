"""One file from the hub to the disk: continued where it was cut, checked before it counts.

What arrives is kept as a part, so that a killed download goes on from there. It gets its name only
when its SHA-256 is right: the listed one, else the one that the hub states; where neither is known,
its size. Nothing is believed that can be checked: lengths, the place where a continued file goes
on, the kind of the content.

Call it under a lock of your own: two downloads to one file would write over each other.
"""

from __future__ import annotations

import shutil
import string
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ninebrains.bridging.files import LARGEST_FILE_BYTES
from ninebrains.errors import OutputError, TrunkError
from ninebrains.trunks.answers import Meaning, PassingError, understand
from ninebrains.trunks.catalog import HubFile
from ninebrains.trunks.hub import Hub
from ninebrains.trunks.parts import Part, Whole

if TYPE_CHECKING:
    from http.client import HTTPResponse

    from ninebrains.trunks.hub import Answer

Progress = Callable[[int, int], None]
"""Called with (bytes that are here, bytes of the whole or 0 where unknown)."""

_CHUNK_BYTES = 256 * 1024
_LEAST_BYTES_A_SECOND = 1024
_TELLING_BYTES = 64
_BYTE_ORDER_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_NOT_A_MODEL = {  # none of them can begin a protobuf message with a network's fields
    b"{": "a message in JSON",
    b"[": "a message in JSON",
    b"\x1f\x8b": "a file packed with gzip",
    b"<": "a web page (a sign-in page, or a proxy's notice?)",
    b"version https://git-lfs": "a Git LFS pointer instead of the file that it points to",
}


@dataclass(frozen=True)
class Patience:
    """How long a download waits, how often it tries, and how much it takes.

    Attributes:
        stall_s: seconds to connect, for the head of an answer, of silence, and over which the
            least speed (1 KiB/s) counts.
        tries: how often, the first included.
        backoff_s: seconds before the second try; doubled for each one after.
        longest_wait_s: where the hub asks for a longer pause, say so instead of waiting.
        largest_bytes: of one file.
    """

    stall_s: float = 30.0
    tries: int = 5
    backoff_s: float = 1.0
    longest_wait_s: float = 60.0
    largest_bytes: int = LARGEST_FILE_BYTES


@dataclass(frozen=True)
class _Order:
    """What is to be fetched, and how."""

    hub: Hub
    file: HubFile
    part: Part
    patience: Patience
    progress: Progress | None

    @property
    def url(self) -> str:
        return self.part.wanted.url


def download(
    hub: Hub,
    url: str,
    file: HubFile,
    target: Path,
    *,
    patience: Patience | None = None,
    progress: Progress | None = None,
) -> None:
    """Fetch a file to `target`, going on with what an earlier run left there.

    Raises:
        TrunkError: it cannot be had, or what arrived is not it.
        OutputError: the disk is full, or cannot be written.
    """
    part = Part(target, Whole(url, None, file.sha256, file.size_bytes))
    order = _Order(hub, file, part, patience or Patience(), progress)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise part.cannot_write(error) from error
    for attempt in range(order.patience.tries):
        try:
            whole = _fetch(order, is_first=attempt == 0)
        except PassingError as fault:
            _wait(fault, order, attempt)
        else:
            part.finish(whole)
            return


def _fetch(order: _Order, *, is_first: bool) -> Whole:
    """One try: ask for what is missing and write it behind what is here."""
    part = order.part
    offset, before = part.begin()
    if offset and offset == before.size_bytes:
        return before  # all of it is here: the process was killed before it could check
    answer = _ask(order, offset, before, is_first=is_first)
    with answer.response as response:
        try:
            meaning = understand(answer, order.file, order.url, offset, before.sha256)
        except PassingError as fault:
            if fault.is_stale:
                part.drop()
            raise
        whole = Whole(order.url, meaning.etag, meaning.sha256, meaning.size_bytes)
        _check_room(order, meaning)
        part.note(whole)
        _receive(order, response, meaning)
    return whole


def _ask(order: _Order, offset: int, before: Whole, *, is_first: bool) -> Answer:
    from ninebrains.trunks.connecting import UnreachableError

    headers = {"User-Agent": "ninebrains", "Accept-Encoding": "identity", "Accept": "*/*"}
    if offset:
        headers["Range"] = f"bytes={offset}-"
        if before.etag is not None:
            headers["If-Range"] = before.etag
    try:
        return order.hub.get(order.url, headers, order.patience.stall_s)
    except UnreachableError as fault:
        if is_first:  # whoever has no network wants to hear so at once
            raise TrunkError(str(fault)) from fault
        raise


def _check_room(order: _Order, meaning: Meaning) -> None:
    """Refuse before the transfer what could not be kept after it."""
    size, largest = meaning.size_bytes or 0, order.patience.largest_bytes
    if size > largest:
        raise TrunkError(
            f"{order.url} has {size:,} bytes; the limit is {largest:,}. Use a smaller network."
        )
    folder = order.part.path.parent
    free = shutil.disk_usage(folder).free
    if size - meaning.offset > free:
        raise OutputError(
            f"{folder} has {free:,} bytes free; {size - meaning.offset:,} more are needed. Free "
            "some space, or set NINEBRAINS_HOME to another disk."
        )


def _receive(order: _Order, response: HTTPResponse, meaning: Meaning) -> None:
    """Write the body to the part; complain unless exactly the announced bytes come."""
    part, here, size = order.part, meaning.offset, meaning.size_bytes
    limit = order.patience.largest_bytes if size is None else size
    pace, beginning = _Pace(order.patience.stall_s), b""
    try:
        with part.path.open("r+b" if here else "wb", buffering=0) as out:
            out.truncate(here)
            out.seek(here)
            while chunk := _next_chunk(response, here, order.patience.stall_s):
                if not meaning.offset and len(beginning) < _TELLING_BYTES:
                    beginning += chunk[:_TELLING_BYTES]
                    _check_kind(order, beginning)
                here += len(chunk)
                if here > limit:
                    part.drop()
                    raise TrunkError(
                        f"{order.url} sends more than the {limit:,} bytes that were expected. What "
                        "arrived was deleted."
                    )
                rest = memoryview(chunk)
                while rest:
                    rest = rest[out.write(rest) :]
                pace.add(len(chunk))
                if order.progress is not None:
                    order.progress(here, size or 0)
    except OSError as error:  # of the disk; the network's are turned into others in _next_chunk
        raise part.cannot_write(error) from error
    if size is not None and here < size:
        raise PassingError(f"the connection ended after {here:,} of {size:,} bytes.")


class _Pace:
    """Notices a server that keeps the line open but sends next to nothing."""

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._since = time.monotonic()
        self._bytes = 0

    def add(self, count: int) -> None:
        self._bytes += count
        passed = time.monotonic() - self._since
        if passed < self._window_s:
            return
        if self._bytes < _LEAST_BYTES_A_SECOND * passed:
            raise PassingError(f"only {self._bytes:,} bytes came in {passed:.1f} seconds.")
        self._since, self._bytes = time.monotonic(), 0


def _next_chunk(response: HTTPResponse, here: int, stall_s: float) -> bytes:
    from http.client import HTTPException

    from ninebrains.trunks.connecting import said

    try:
        return response.read1(_CHUNK_BYTES)
    except TimeoutError as error:
        raise PassingError(
            f"nothing of the file came for {stall_s:g} seconds after {here:,} bytes."
        ) from error
    except (OSError, HTTPException, ValueError) as error:
        raise PassingError(f"the connection broke after {here:,} bytes: {said(error)}.") from error


def _check_kind(order: _Order, beginning: bytes) -> None:
    """Refuse what cannot be a model; beside a model anything may lie."""
    if not order.file.path.endswith(".onnx"):
        return
    text = beginning
    for mark in _BYTE_ORDER_MARKS:
        text = text.removeprefix(mark)
    text = text.lstrip(b"\0" + string.whitespace.encode())
    for mark, kind in _NOT_A_MODEL.items():
        if text.startswith(mark):
            order.part.drop()
            raise TrunkError(
                f"{order.url} answered with {kind}, which begins with {beginning!r}; expected an "
                "ONNX file. It was not kept."
            )


def _wait(fault: PassingError, order: _Order, attempt: int) -> None:
    """Pause before the next try.

    Raises:
        TrunkError: there is none, or the pause would be too long.
    """
    patience, advice = order.patience, order.part.advice()
    if attempt + 1 >= patience.tries:
        raise TrunkError(f"{fault} Tried {patience.tries} times. {advice}") from fault
    wait_s = patience.backoff_s * 2**attempt if fault.wait_s is None else fault.wait_s
    if wait_s > patience.longest_wait_s:
        raise TrunkError(
            f"{fault} It asks to come back in {wait_s:,.0f} seconds. {advice}"
        ) from fault
    time.sleep(wait_s)
