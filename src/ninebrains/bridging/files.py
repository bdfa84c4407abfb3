"""Files of networks, read whole within a limit."""

from __future__ import annotations

from pathlib import Path

from ninebrains.errors import TrunkError

LARGEST_FILE_BYTES = 1024**3


def read_file(path: Path, expected: str) -> bytes:
    """The whole file.

    Args:
        path: of the file.
        expected: what it should be, for people.

    Raises:
        TrunkError: it is no file, cannot be read, or is too large.
    """
    try:
        if not path.is_file():
            kind = "is a folder" if path.is_dir() else "does not exist"
            raise TrunkError(f"{path} {kind}; expected {expected}.")
        if path.stat().st_size > LARGEST_FILE_BYTES:
            raise TrunkError(
                f"{path} has {path.stat().st_size:,} bytes; the limit is {LARGEST_FILE_BYTES:,}."
            )
        return path.read_bytes()
    except OSError as error:
        raise TrunkError(f"cannot read {path}: {error.strerror or error}.") from error
