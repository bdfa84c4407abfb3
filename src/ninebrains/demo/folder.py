"""The demo's folder: what the demo made there it may make again; all else is somebody's.

A ledger in the folder names each file that the demo wrote, with the hash of its content. A line is
written before its file, and a file appears whole or not at all, so a demo that was stopped anywhere
leaves nothing that the next one would not recognise.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from ninebrains.errors import OutputError
from ninebrains.places import write_bytes

LEDGER = ".ninebrains-demo"
_TITLE = "Files that `ninebrains demo` made here, each after the SHA-256 of its content."


class DemoFolder:
    """A folder that the demo may fill.

    Args:
        root: there is nothing yet, or an empty folder, or one that a demo filled before.

    Raises:
        OutputError: it holds other things, is no folder, or cannot be written to.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._made: dict[str, set[str]] = {}
        self._ledger = root / LEDGER
        try:
            root.mkdir(parents=True, exist_ok=True)
            found = {entry.name for entry in root.iterdir()}
        except OSError as error:
            raise OutputError(
                f"the demo cannot use {root} as its folder ({error.strerror or error}). Choose "
                "another with --folder."
            ) from error
        others = sorted(name for name in found if not _is_unfinished(name, LEDGER))
        if LEDGER in found:
            self._read()
        elif others:
            raise OutputError(
                f"{root} is not empty and was not made by the demo: it holds {others[0]!r}. "
                "Nothing was changed; choose an empty or a new folder with --folder."
            )
        else:
            write_bytes(self._ledger, f"{_TITLE}\n".encode())
        self._tidy()

    def is_made(self, path: Path) -> bool:
        """Whether the file is there, just as the demo wrote it."""
        return path.is_file() and _hash_of(path) in self._made.get(self._name(path), ())

    def write(self, path: Path, data: bytes) -> None:
        """Write a file of the demo.

        Raises:
            OutputError: another file is there, or the file cannot be written.
        """
        content = hashlib.sha256(data).hexdigest()
        self.check(path, content)
        self._note(path, content)
        write_bytes(path, data)

    def make(self, path: Path, save: Callable[[Path], object]) -> None:
        """Write a file of the demo by a function that writes files itself.

        It writes a draft elsewhere, so that the content is on record before it takes its place.

        Raises:
            OutputError: as `write` does.
        """
        with tempfile.TemporaryDirectory(prefix="ninebrains-demo-") as folder:
            draft = Path(folder) / path.name
            save(draft)
            self.write(path, draft.read_bytes())

    def check(self, path: Path, content: str | None = None) -> None:
        """Make sure that writing to `path` loses nothing.

        Args:
            path: where.
            content: SHA-256 (hex) of what will be written, if it is known by now.

        Raises:
            OutputError: something is there that the demo did not write.
        """
        is_free = not os.path.lexists(path) or self.is_made(path)
        if not is_free and not (path.is_file() and _hash_of(path) == content):
            raise OutputError(
                f"{path} is there and is not what the demo wrote. Nothing was changed; move it "
                "away, or choose another folder with --folder."
            )

    def _note(self, path: Path, content: str) -> None:
        name = self._name(path)
        self._remember(name, content)
        try:
            with self._ledger.open("a", encoding="utf-8") as file:
                file.write(f"{content}  {name}\n")
        except OSError as error:
            raise OutputError(
                f"could not write {self._ledger} ({error.strerror or error})."
            ) from error

    def _read(self) -> None:
        try:
            text = self._ledger.read_text(encoding="utf-8", errors="replace")
            if not text.endswith("\n"):  # the disk was full
                write_bytes(self._ledger, f"{text}\n".encode())
        except OSError as error:
            raise OutputError(
                f"could not read {self._ledger} ({error.strerror or error}); choose another folder "
                "with --folder."
            ) from error
        for line in text.splitlines():
            content, _, name = line.partition("  ")
            self._remember(name, content)

    def _tidy(self) -> None:
        """Remove what a demo that was killed had begun to write."""
        for entry in self.root.rglob(".*.tmp"):
            path = entry.with_name(entry.name[1:].rsplit(".", 2)[0])
            if path == self._ledger or self._name(path) in self._made:
                entry.unlink(missing_ok=True)

    def _remember(self, name: str, content: str) -> None:
        self._made.setdefault(name, set()).add(content)

    def _name(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()


def _is_unfinished(name: str, of: str) -> bool:
    """Whether a name is one that `places.replacing` gives to a file until it is whole."""
    return name.startswith(f".{of}.") and name.endswith(".tmp")


def _hash_of(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise OutputError(f"could not read {path} ({error.strerror or error}).") from error
