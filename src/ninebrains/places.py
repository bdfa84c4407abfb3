"""Where Ninebrains keeps things between runs, and how it writes files without losing any.

Folders are per user (https://platformdirs.readthedocs.io). `NINEBRAINS_HOME` moves all of them,
which is how servers, containers and tests get a place of their own.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from ninebrains.errors import OutputError

_UMASK = os.umask(0)  # can only be read by setting it: once, before there are threads
os.umask(_UMASK)


def data_folder() -> Path:
    """The folder of what must last: trunks, stored brains, shared weights, training records."""
    return _folder("data")


def cache_folder() -> Path:
    """The folder of what can be computed again: features."""
    return _folder("cache")


def _folder(kind: str) -> Path:
    home = os.environ.get("NINEBRAINS_HOME")
    if home:
        return Path(home) / kind
    import platformdirs

    find = platformdirs.user_data_path if kind == "data" else platformdirs.user_cache_path
    return find("ninebrains", appauthor=False)


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Open a temporary neighbour of `path` for writing and rename it over `path` at the end.

    A reader sees the old file or the whole new one, never a part; a killed writer leaves the old
    file.

    Raises:
        OutputError: the file cannot be written (no such folder, no permission, disk full).
    """
    temporary: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(
            dir=path.parent, prefix=f".{path.name[:80]}.", suffix=".tmp"
        )
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o666 & ~_UMASK)
        Path(temporary).replace(path)
        temporary = None
    except OSError as error:
        raise OutputError(
            f"could not write {path}: {error.strerror or error}. Nothing was changed; "
            "free some space or choose another place."
        ) from error
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path` whole or not at all (see `replacing`)."""
    with replacing(path) as file:
        file.write(data)
