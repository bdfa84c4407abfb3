"""Where Ninebrains keeps things between runs, and how it writes files without losing any.

Folders are per user (https://platformdirs.readthedocs.io). `NINEBRAINS_HOME` moves all of them,
which is how servers, containers and tests get a place of their own.
"""

from __future__ import annotations

import errno
import glob
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from ninebrains.errors import OutputError

PAGE_MARK = b'<meta name="generator" content="ninebrains'
"""Stands near the beginning of every page that Ninebrains writes."""

_ABANDONED_SECONDS = 24 * 3600
_HEAD = 4096  # bytes of a page in which the mark must stand

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
def holding(path: Path) -> Iterator[None]:
    """Let one process at a time past the lock file `path`. Waits; the lock ends with its process.

    Raises:
        OutputError: the file cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("ab")
    except OSError as error:
        raise OutputError(
            f"could not write {path}: {error.strerror or error}. Check the folder's permissions, "
            "or set NINEBRAINS_HOME to a folder that can be written."
        ) from error
    with file:
        _lock(file)
        yield  # closing the file gives the lock back, however we leave


if sys.platform == "win32":

    def _lock(file: IO[bytes]) -> None:
        import msvcrt

        file.seek(0)
        while True:
            try:
                return msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
            except OSError:
                continue  # Windows gives up after ten seconds; the other may need longer

else:

    def _lock(file: IO[bytes]) -> None:
        import fcntl

        fcntl.flock(file.fileno(), fcntl.LOCK_EX)


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
        raise unwritten(path, error) from error
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def unwritten(path: Path, error: OSError) -> OutputError:
    """What to raise where a file or folder could not be written, and nothing was."""
    is_full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    advice = "free some space or choose another place" if is_full else "choose another place"
    return OutputError(
        f"could not write {path}: {error.strerror or error}. Nothing was changed; {advice}."
    )


@contextmanager
def replacing_folder(path: Path, *, overwrite: bool = True) -> Iterator[Path]:
    """Give an empty hidden neighbour of `path` to be filled, and put it in the place of `path`.

    A reader sees the old folder or the whole new one, never a part; a killed writer leaves the old
    folder, and a failure inside leaves nothing else behind.

    Args:
        path: of the folder.
        overwrite: whether a folder that is there, or appears meanwhile, may be replaced; an empty
            one always may.

    Raises:
        OutputError: it cannot be written (no permission, disk full), or is there already.
    """
    temporary: Path | None = None
    try:
        with suppress(FileNotFoundError):
            path.lstat()  # names that cannot be fail before all the work
        path.parent.mkdir(parents=True, exist_ok=True)
        prefix = f".{path.name[:80]}."
        _remove_abandoned(path.parent, prefix)
        temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=prefix, suffix=".tmp"))
        yield temporary
        _make_readable(temporary)
        if overwrite:
            _swap_folders(temporary, path)
        else:
            _put_new(temporary, path)
    except OSError as error:
        raise unwritten(path, error) from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def _remove_abandoned(parent: Path, prefix: str) -> None:
    """Remove what writers of the same folder left who were killed a day ago or longer."""
    for entry in parent.glob(f"{glob.escape(prefix)}*.tmp"):
        if entry.is_dir() and time.time() - entry.stat().st_mtime > _ABANDONED_SECONDS:
            shutil.rmtree(entry, ignore_errors=True)


def _make_readable(folder: Path) -> None:
    """Give the folder the permissions of a new one; a temporary folder is for its owner alone."""
    probe = folder / ".probe"
    probe.mkdir()
    folder.chmod(probe.stat().st_mode & 0o777)
    probe.rmdir()


def _put_new(new: Path, path: Path) -> None:
    """Put `new` at `path` where nothing is yet, or an empty folder.

    Raises:
        OutputError: somebody was faster.
    """
    with suppress(OSError):
        path.rmdir()  # an empty one, which some systems rename nothing over
    try:
        new.rename(path)
    except OSError as error:
        if not os.path.lexists(path):
            raise
        raise OutputError(
            f"{path} has appeared meanwhile and was left alone; choose another name"
        ) from error


def _swap_folders(new: Path, path: Path) -> None:
    """Put `new` at `path`; what was there takes its place, to be deleted."""
    if not os.path.lexists(path):
        new.rename(path)
    elif not _exchange(new, path):
        # Two steps: whoever is killed between them leaves the old folder under its hidden name.
        aside = new.with_name(new.name.removesuffix(".tmp") + ".old")
        path.rename(aside)
        try:
            new.rename(path)
        except OSError:
            aside.rename(path)
            raise
        shutil.rmtree(aside, ignore_errors=True)


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two folders in one step (renameat2); False where the system cannot."""
    if not sys.platform.startswith("linux"):
        return False
    import ctypes

    at_current_folder, rename_exchange = -100, 2
    rename = getattr(ctypes.CDLL(None), "renameat2", None)
    names = (os.fsencode(one.absolute()), os.fsencode(other.absolute()))
    return rename is not None and not rename(
        at_current_folder, names[0], at_current_folder, names[1], rename_exchange
    )


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path` whole or not at all (see `replacing`)."""
    with replacing(path) as file:
        file.write(data)


def write_page(path: Path, html: str, *, overwrite: bool = False) -> None:
    """Write a web page whole or not at all, over an older page of ours but over nothing else.

    Raises:
        OutputError: something else is there (see `check_page`), or the file cannot be written.
    """
    check_page(path, overwrite=overwrite)
    write_bytes(path, html.encode())


def check_page(path: Path, *, overwrite: bool = False) -> None:
    """Make sure that writing a page to `path` loses nothing: before long work, and before writing.

    Args:
        path: nothing is there, or an empty file, or a page with `PAGE_MARK`.
        overwrite: take any other file too.

    Raises:
        OutputError: another file is there, or a folder or device.
    """
    if not path.exists():
        return
    if not path.is_file():
        raise OutputError(f"{path} is no file that a page could replace; choose another name.")
    if overwrite:
        return
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError as error:
        raise OutputError(
            f"{path} is there and cannot be read ({error.strerror or error}); choose another name."
        ) from error
    if head and PAGE_MARK not in head:
        raise OutputError(
            f"{path} is there and is no page written by Ninebrains. Nothing was changed; choose "
            "another name, or give --overwrite to replace it."
        )
