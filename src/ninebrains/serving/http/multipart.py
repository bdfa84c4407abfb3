"""multipart/form-data, parsed in memory while it comes in: photos in parts, parameters in others.

A body is bounded, and so is what it becomes: nothing is written to disk.
"""

from __future__ import annotations

from collections.abc import AsyncIterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from ninebrains.errors import RequestError

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

MOST_FIELDS = 32
_MOST_FIELD_BYTES = 16 * 2**10
_BLOCK_BYTES = 16 * 2**10
_MOST_HEADERS = 8
_MOST_HEADER_BYTES = 4 * 2**10


@dataclass(slots=True)
class Part:
    """One part of a form.

    Attributes:
        name: of the field.
        filename: as the sender calls the file; None for what is no file.
        content: its bytes.
        is_file: whether it is a file rather than text.
    """

    name: str
    filename: str | None
    is_file: bool
    content: bytes = b""


@dataclass(slots=True)
class _Reading:
    """What was read so far of the part that is coming in."""

    name: bytearray = field(default_factory=bytearray)
    value: bytearray = field(default_factory=bytearray)
    headers: dict[str, bytes] = field(default_factory=dict)
    pieces: list[bytes] = field(default_factory=list)
    size: int = 0
    part: Part | None = None


class Form:
    """Collects the parts of one form.

    Args:
        content_type: of the request, with its boundary.
        most_files: files that it may hold.

    Attributes:
        parts: those that are whole, in the order they came.

    Raises:
        RequestError: there is no usable boundary.
    """

    def __init__(self, content_type: str, most_files: int) -> None:
        self.parts: list[Part] = []
        self._most_files = most_files
        self._num_files = 0
        self._reading = _Reading()
        self._is_over = False
        _, options = parse_options_header(content_type)
        callbacks: MultipartCallbacks = {
            "on_part_begin": self._begin,
            "on_header_field": self._header_name,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_end,
            "on_part_data": self._data,
            "on_part_end": self._end,
            "on_end": self._over,
        }
        boundary = options.get(b"boundary", b"")
        if not boundary:
            raise RequestError("multipart/form-data came without a boundary; expected one")
        try:
            self._parser = MultipartParser(
                boundary,
                callbacks,
                max_header_count=_MOST_HEADERS,
                max_header_size=_MOST_HEADER_BYTES,
            )
        except FormParserError as error:
            raise _malformed(error) from error

    async def read(self, chunks: AsyncIterable[bytes]) -> list[Part]:
        """Parse a whole body.

        Raises:
            RequestError: it is malformed, ends early, or has too many parts or too large fields.
        """
        async for chunk in chunks:
            try:
                self._write(chunk)
            except FormParserError as error:
                raise _malformed(error) from error
        if not self._is_over:
            raise RequestError("multipart/form-data ended before its last boundary")
        return self.parts

    def _write(self, chunk: bytes) -> None:
        """Parse some more, until the end: what comes after it is looked at byte by byte."""
        if len(chunk) <= _BLOCK_BYTES:
            if not self._is_over:
                self._parser.write(chunk)
            return
        for start in range(0, len(chunk), _BLOCK_BYTES):
            if self._is_over:
                return
            self._parser.write(chunk[start : start + _BLOCK_BYTES])

    def _begin(self) -> None:
        self._reading = _Reading()

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._reading.name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._reading.value += data[start:end]

    def _header_end(self) -> None:
        reading = self._reading
        reading.headers[reading.name.decode("latin-1").lower()] = bytes(reading.value)
        reading.name.clear()
        reading.value.clear()

    def _headers_end(self) -> None:
        headers = self._reading.headers
        kind, options = parse_options_header(headers.get("content-disposition"))
        if kind != b"form-data" or b"name" not in options:
            raise RequestError("a part of the form has no Content-Disposition with a name")
        filename = options.get(b"filename")
        is_file = filename is not None or headers.get("content-type", b"").startswith(b"image/")
        self._count(is_file=is_file)
        self._reading.part = Part(
            options[b"name"].decode("utf-8", "replace"),
            None if filename is None else filename.decode("utf-8", "replace"),
            is_file,
        )

    def _count(self, *, is_file: bool) -> None:
        self._num_files += is_file
        if self._num_files > self._most_files:
            raise RequestError(
                f"the form holds more than {self._most_files} photos, which is the limit here; "
                "send several requests",
                413,
            )
        if len(self.parts) + 1 - self._num_files > MOST_FIELDS:
            raise RequestError(f"the form holds more than {MOST_FIELDS} fields")

    def _data(self, data: bytes, start: int, end: int) -> None:
        reading = self._reading
        assert reading.part is not None
        reading.size += end - start
        if not reading.part.is_file and reading.size > _MOST_FIELD_BYTES:
            raise RequestError(
                f"the field {reading.part.name[:100]!r} has more than {_MOST_FIELD_BYTES:,} bytes; "
                "if it is a photo, send it with a file name (curl -F image=@cat.jpg)"
            )
        reading.pieces.append(data[start:end])

    def _end(self) -> None:
        part = self._reading.part
        assert part is not None
        pieces = self._reading.pieces
        part.content = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        self.parts.append(part)
        self._reading = _Reading()

    def _over(self) -> None:
        self._is_over = True


def _malformed(error: FormParserError) -> RequestError:
    return RequestError(f"this is no multipart/form-data: {error}")
