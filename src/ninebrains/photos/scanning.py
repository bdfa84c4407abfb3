"""Walking folders: which files are photos, which are passed over, what could not be read."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ninebrains.images import is_photo
from ninebrains.photos.dataset import Problem, printable

_EXTENSIONS = frozenset(
    (
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".webp", ".gif", ".bmp", ".dib"),
        *(".tif", ".tiff", ".heic", ".heif", ".avif"),
    )
)
_DATABASES = frozenset((".ds_store", "thumbs.db", "ehthumbs.db", "desktop.ini", ".picasa.ini"))
_SYSTEM_FOLDERS = frozenset(("__macosx", "@eadir", "$recycle.bin", "system volume information"))

_Identity = tuple[int, int]


@dataclass
class Scan:
    """What walking has found so far.

    Attributes:
        root: the folder that the names of problems are relative to.
        ignored: how many files were passed over, by kind.
        extensions: of the non-photos, lower case, with the dot.
        problems: what could not be looked at.
    """

    root: Path
    ignored: Counter[str] = field(default_factory=Counter)
    extensions: Counter[str] = field(default_factory=Counter)
    problems: list[Problem] = field(default_factory=list)

    def name(self, path: Path) -> str:
        """The path relative to the root, with "/", as the file system has it."""
        return Path(os.path.relpath(path, self.root)).as_posix()

    def entries(self, folder: Path) -> tuple[list[Path], list[Path]]:
        """The folders and the photos directly in `folder`, each sorted by name."""
        folders: list[Path] = []
        photos: list[Path] = []
        try:
            with os.scandir(folder) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            self.report(folder, error)
            return folders, photos
        for entry in entries:
            path = Path(entry.path)
            try:
                is_folder = entry.is_dir()
            except OSError as error:  # a symbolic link to itself
                self.report(path, error)
                continue
            if is_folder:
                if self._is_visible(entry.name, "hidden folders"):
                    folders.append(path)
            elif self._is_visible(entry.name, "hidden files") and self.takes(path):
                photos.append(path)
        return folders, photos

    def walk(self, folder: Path, seen: set[_Identity] | None = None) -> Iterator[Path]:
        """Every photo in `folder` and below, links followed, each folder visited once.

        Args:
            folder: where to begin.
            seen: folders not to enter; those above the root are never entered again, so that a link
                upwards ends there.
        """
        seen = above(self.root) if seen is None else seen
        try:
            identity = _identity(folder)
        except OSError as error:
            self.report(folder, error)
            return
        if identity in seen:
            self.ignored["links to folders already read"] += 1
            return
        seen.add(identity)
        folders, photos = self.entries(folder)
        yield from photos
        for inner in folders:
            yield from self.walk(inner, seen)

    def takes(self, path: Path) -> bool:
        """Whether a file is a photo: by extension (a broken one is reported later) or content."""
        extension = path.suffix.lower()
        if extension in _EXTENSIONS:
            return True
        try:
            head = head_of(path)
        except OSError as error:
            self.report(path, error)
            return False
        if is_photo(head):
            return True
        self.ignored["non-photos"] += 1
        self.extensions[extension or "no extension"] += 1
        return False

    def report(self, path: Path, error: OSError) -> None:
        """Note that a file or folder could not be looked at."""
        reason = f"cannot be read: {error.strerror or error}"
        self.problems.append(Problem(printable(self.name(path)), reason))

    def _is_visible(self, name: str, kind: str) -> bool:
        if name.lower() in _DATABASES:
            self.ignored["thumbnail databases"] += 1
            return False
        if name.startswith(".") or name.lower() in _SYSTEM_FOLDERS:
            self.ignored[kind] += 1
            return False
        return True

    def passed_over(self) -> str:
        """What was ignored, in words, most frequent extensions first; empty if nothing was."""
        parts = [f"{count:,} {name}" for name, count in self.extensions.most_common(3)]
        parts += [
            f"{count:,} {kind}" for kind, count in self.ignored.items() if kind != "non-photos"
        ]
        return printable(", ".join(parts))


def above(root: Path) -> set[_Identity]:
    """Identities of the folders above `root`, without itself."""
    return {_identity(folder) for folder in Path(os.path.realpath(root)).parents}


def _identity(folder: Path) -> _Identity:
    status = folder.stat()
    return status.st_dev, status.st_ino


def head_of(path: Path, num_bytes: int = 32) -> bytes:
    """The first bytes of a file; none of a pipe or device, which could block or never end."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return os.read(handle, num_bytes) if stat.S_ISREG(os.fstat(handle).st_mode) else b""
    finally:
        os.close(handle)
