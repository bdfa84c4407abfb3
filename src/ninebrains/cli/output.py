"""Standard output and error, whose failures are the user's to mend: a full disk, above all."""

from __future__ import annotations

import io
import os
from typing import TextIO

from ninebrains.errors import OutputError


class Output(io.TextIOWrapper):
    """A stream that raises OutputError where it cannot be written, and is silent from then on.

    File names may hold bytes that are no text; they are shown escaped instead of failing. A reader
    that left, as `head` does, stays a BrokenPipeError.
    """

    @classmethod
    def of(cls, stream: TextIO) -> TextIO:
        """Put it in a stream's place; what is no stream on bytes, or None, is left as it is."""
        if not isinstance(stream, io.TextIOWrapper) or isinstance(stream, cls):
            return stream
        encoding, is_by_line = stream.encoding, stream.line_buffering or stream.write_through
        held = stream.detach()
        if isinstance(held, io.RawIOBase):  # as under PYTHONUNBUFFERED; each line is flushed anyway
            held = io.BufferedWriter(held)
        return cls(held, encoding=encoding, errors="backslashreplace", line_buffering=is_by_line)

    def write(self, text: str) -> int:
        """Write as any stream does."""
        try:
            return super().write(text)
        except OSError as error:
            raise self._failure(error) from error

    def flush(self) -> None:
        """Flush as any stream does."""
        try:
            super().flush()
        except OSError as error:
            raise self._failure(error) from error

    def _failure(self, error: OSError) -> Exception:
        if isinstance(error, BrokenPipeError):
            return error
        silence(self)
        return OutputError(
            f"could not write the output: {error.strerror or error}. Free some space, or send the "
            "output elsewhere."
        )


def silence(stream: TextIO) -> None:
    """Let what waits to be written go nowhere: Python would complain of it at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
