"""Putting brains into the folders of a host, and taking them out: each in one rename."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Collection, Iterable
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ninebrains.brains import Brain
from ninebrains.brains.file import blaming, load, save
from ninebrains.brains.manifest import NAME_PATTERN
from ninebrains.errors import BrainError, OutputError, RequestError
from ninebrains.mind.guests import files_beside
from ninebrains.places import holding
from ninebrains.serving.repository import LARGEST_NUMBER, holds_names, version_number

if TYPE_CHECKING:
    from ninebrains.serving.settings import Settings

_REMOVED = ".removed"
_ZIP = b"PK\x03\x04"


def one_at_a_time(folder: Path) -> AbstractContextManager[None]:
    """Let one worker at a time choose numbers, put files in and take files out."""
    return holding(folder / "storing.lock")


def read_upload(name: str, number: int | None, file: Path, settings: Settings) -> Brain:
    """A brain that somebody sends, every byte of it checked and its signature as asked for.

    Raises:
        RequestError: the name or number cannot be, or the file is too large.
        BrainError: it is no brain, is damaged, or nobody who is trusted has signed it.
    """
    if not re.fullmatch(NAME_PATTERN, name):
        raise RequestError(
            f"{name!r} cannot be a name; expected 1 to 100 letters, digits, '.', '_' or '-', "
            "beginning with a letter or digit"
        )
    if number is not None and not 1 <= number <= LARGEST_NUMBER:
        raise RequestError(f"version {number} cannot be; expected 1 to {LARGEST_NUMBER}")
    if not file.is_file():
        raise BrainError(f"{file.name} is no file; expected one that `ninebrains train` wrote")
    num_bytes, limit = file.stat().st_size, settings.limits.upload_bytes
    if num_bytes > limit:
        raise RequestError(f"the brain has {num_bytes:,} bytes; the limit is {limit:,}", 413)
    try:
        _check_begin(file)
        return load(file, trusted=settings.trusted)
    except BrainError as error:  # the file's place is nobody's business
        raise BrainError(str(error).removeprefix(f"{file}: ")) from error


def _check_begin(file: Path) -> None:
    """Say so at once where something else was sent, as people do."""
    with blaming(file), file.open("rb") as opened:
        begin = opened.read(len(_ZIP))
    if begin != _ZIP:
        raise BrainError(
            "what was sent is no brain; expected the bytes of a .brain file as they are, such as: "
            "curl -T pets.brain URL. Not a form; and networks from elsewhere (.onnx) are put into "
            "the host's folders, not sent"
        )


def put(
    brain: Brain, sources: Iterable[Path], name: str, number: int | None, taken: Collection[int]
) -> Path:
    """Write a brain as `<name>/<number>.brain` into the first folder of brains.

    Args:
        brain: checked.
        sources: of the host.
        name: of the brain here.
        number: of the version; None for the one after all that are there.
        taken: numbers that are known.

    Raises:
        RequestError: there is no folder for it, or the number is taken.
        OutputError: it cannot be written; nothing is left behind.
    """
    root = next((source.absolute() for source in sources if holds_names(source)), None)
    if root is None:
        raise RequestError("this host serves single files; there is no folder to upload into", 409)
    folder = root / name
    if os.path.lexists(folder) and not _is_inside(folder, root):
        raise RequestError(f"{folder} is no folder of versions; choose another name", 409)
    taken = {*taken, *_numbers_in(folder)}
    if number is None and LARGEST_NUMBER in taken:
        raise RequestError(
            f"there is no higher number than {name}@{LARGEST_NUMBER}, which is there; choose a "
            "free number yourself",
            409,
        )
    number = max(taken, default=0) + 1 if number is None else number
    if number in taken:
        raise RequestError(f"there is a {name}@{number} already; choose another number", 409)
    path = folder / f"{number}.brain"
    try:
        return save(brain, path)
    except OutputError:
        _drop_if_empty(folder)
        raise


def take_back(place: Path) -> None:
    """Delete a version's file or folder; it is gone from one moment to the next.

    What lies beside an ONNX file and is about it goes as well: the next of that number is another.

    Raises:
        OutputError: it cannot be deleted; it is still there.
    """
    beside = files_beside(place) if place.suffix == ".onnx" and place.is_file() else ()
    hidden = place.with_name(f".{place.name}.{os.urandom(4).hex()}{_REMOVED}")
    try:
        place.rename(hidden)
    except OSError as error:
        raise OutputError(f"could not delete {place}: {error.strerror or error}") from error
    for file in beside:
        with suppress(OSError):
            file.unlink()
    # What could not be deleted now, or was left by a killed process, goes at the next deletion.
    for left in place.parent.glob(f".*{_REMOVED}"):
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left, ignore_errors=True)
        else:
            with suppress(OSError):
                left.unlink()
    _drop_if_empty(place.parent)


def _is_inside(folder: Path, root: Path) -> bool:
    """Whether it is a folder of versions, and no link that leads elsewhere."""
    is_inside = Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(root))
    return folder.is_dir() and is_inside and not os.path.lexists(folder / "brain.json")


def _numbers_in(folder: Path) -> set[int]:
    """Every number that something lies under, whether or not it is a version."""
    names = [entry.name for entry in folder.iterdir()] if folder.is_dir() else []
    found = [version_number(name.partition(".")[0]) for name in names]
    return {number for number in found if number is not None}


def _drop_if_empty(folder: Path) -> None:
    with suppress(OSError):  # it is not empty, or is not there
        folder.rmdir()
