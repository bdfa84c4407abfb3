"""The beginning of a file on the disk, and what is known about the whole of it.

`NAME.part` holds the bytes, `NAME.part.json` what they belong to. The note is written before the
first byte, so that a process killed at any moment leaves a part that can be gone on from.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from ninebrains.errors import OutputError, TrunkError
from ninebrains.trunks.answers import is_strong


@dataclass(frozen=True)
class Whole:
    """What is known about the file that a part belongs to.

    Attributes:
        url: where it comes from.
        etag: of the server that it came from; for going on only if it is still the same.
        sha256: of the whole file (hex), or None.
        size_bytes: of the whole file, or None.
    """

    url: str
    etag: str | None = None
    sha256: str | None = None
    size_bytes: int | None = None


class Part:
    """The part that lies beside `target` until it is whole."""

    def __init__(self, target: Path, wanted: Whole) -> None:
        self.target = target
        self.wanted = wanted
        self.path = target.with_name(target.name + ".part")
        self._notes = target.with_name(target.name + ".part.json")

    def begin(self) -> tuple[int, Whole]:
        """How many bytes are here that can be gone on from, and the whole that they belong to."""
        found = self._usable()
        if found is None:
            self.drop()
        return found or (0, self.wanted)

    def advice(self) -> str:
        """What another run would begin with."""
        if self._usable() is None:
            return "Nothing that could be gone on from is kept; another run begins anew."
        return "What has arrived is kept: run the same command again and it goes on from there."

    def _usable(self) -> tuple[int, Whole] | None:
        try:
            size = self.path.stat().st_size
            whole = Whole(**json.loads(self._notes.read_bytes()))
            return (size, whole) if size and self._fits(size, whole) else None
        except (OSError, ValueError, TypeError, AttributeError):
            return None  # no part, or its note is damaged

    def _fits(self, size: int, whole: Whole) -> bool:
        is_same = whole.url == self.wanted.url and self.wanted.sha256 in (None, whole.sha256)
        # Without a digest or an ETag nobody would notice that the file has changed in between.
        can_check = whole.sha256 is not None or (whole.etag is not None and is_strong(whole.etag))
        return is_same and can_check and (whole.size_bytes is None or size <= whole.size_bytes)

    def note(self, whole: Whole) -> None:
        """Remember what the bytes that follow belong to.

        Raises:
            OutputError: the disk takes no more.
        """
        try:
            self._notes.write_bytes(json.dumps(asdict(whole)).encode())
        except OSError as error:
            raise self.cannot_write(error) from error

    def drop(self) -> None:
        """Forget what is here."""
        for path in (self.path, self._notes):
            path.unlink(missing_ok=True)

    def finish(self, whole: Whole) -> None:
        """Check the file and give it its name.

        Raises:
            TrunkError: it is not the file; nothing of it is kept.
        """
        found = sha256_of(self.path) if whole.sha256 is not None else None
        if found != whole.sha256:
            self.drop()
            raise TrunkError(
                f"what arrived from {whole.url} is damaged: its SHA-256 is {found}, expected "
                f"{whole.sha256}. It was deleted; run the same command again. If that does not "
                "help, something between here and the hub changes files."
            )
        self.path.replace(self.target)
        self._notes.unlink(missing_ok=True)

    def cannot_write(self, error: OSError) -> OutputError:
        """The error for a disk that takes no more."""
        return OutputError(
            f"could not write {self.path}: {error.strerror or error}. Free some space, or set "
            f"NINEBRAINS_HOME to another disk; then run the same command again. {self.advice()}"
        )


def sha256_of(path: Path) -> str:
    """SHA-256 (hex) of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
