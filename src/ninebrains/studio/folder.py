"""A project's folder: where its files are, and that one studio at a time has it open."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ninebrains.errors import DataError, OutputError

_EXTENSIONS = {
    "JPEG": "jpg",
    "MPO": "jpg",
    "PNG": "png",
    "WEBP": "webp",
    "GIF": "gif",
    "BMP": "bmp",
    "DIB": "bmp",
    "TIFF": "tif",
    "AVIF": "avif",
    "HEIF": "heic",
    "PPM": "ppm",
}


@dataclass(frozen=True)
class Folder:
    """The places in a project. Names of files are hashes and numbers, never what people call them.

    Attributes:
        root: absolute.
    """

    root: Path

    @property
    def database(self) -> Path:
        """The index."""
        return self.root / "studio.db"

    @property
    def incoming(self) -> Path:
        """What is being uploaded; emptied at every start."""
        return self.root / "incoming"

    @property
    def brains(self) -> Path:
        """One brain, and what it said of every photo, for each run."""
        return self.root / "brains"

    @property
    def exports(self) -> Path:
        """What was exported, a folder each."""
        return self.root / "exports"

    @property
    def models(self) -> Path:
        """What a host of this studio serves: `<name>/<version>/`."""
        return self.root / "models"

    @property
    def state(self) -> Path:
        """What that host keeps."""
        return self.root / "host"

    def copy_of(self, sha256: str, kind: str) -> Path:
        """Where the copy of a photo of a format is, relative to the project."""
        return Path("photos") / sha256[:2] / f"{sha256}.{_EXTENSIONS.get(kind, 'bin')}"

    def thumbnail_of(self, sha256: str) -> Path:
        """Where the small picture of a photo is."""
        return self.root / "thumbs" / sha256[:2] / f"{sha256}.jpg"


def open_folder(path: Path) -> Folder:
    """The folder of a project, made where there is none.

    Raises:
        DataError: something else is there.
        OutputError: it cannot be made.
    """
    root = path.expanduser().absolute()
    if root.exists() and not root.is_dir():
        raise DataError(f"{path} is a file; expected the folder of a project, or a new name.")
    if root.is_dir() and not (root / "studio.db").exists():
        strange = [one.name for one in root.iterdir() if not one.name.startswith(".")]
        if strange:
            raise DataError(
                f"{path} holds other things ({len(strange)}, such as {sorted(strange)[0]!r}) and "
                "no project. The project needs a new folder of its own; to label what is in this "
                f"one: ninebrains studio NEW-FOLDER --add {path}"
            )
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"could not make {path}: {error.strerror or error}") from error
    return Folder(root)


class Claim:
    """Has a project to itself until it is closed, or its process ends however that happens.

    Args:
        folder: of the project.

    Raises:
        DataError: another studio has it open; says where.
    """

    def __init__(self, folder: Folder) -> None:
        path = folder.root / ".studio.lock"
        try:
            self._file: IO[bytes] = path.open("a+b")
        except OSError as error:
            raise OutputError(f"could not write {path}: {error.strerror or error}") from error
        if not _try_lock(self._file):
            self._file.seek(0)
            where = self._file.read(200).decode("ascii", "replace").strip()
            self._file.close()
            raise DataError(
                f"{folder.root} is open in another studio{f' at {where}' if where else ''}. Use "
                "that page (in several tabs, if you like), or stop it first."
            )

    def note(self, url: str) -> None:
        """Let others know where the studio is."""
        self._file.truncate(0)
        self._file.write(url.encode("ascii", "replace"))
        self._file.flush()

    def close(self) -> None:
        """Give the project back."""
        self._file.truncate(0)
        self._file.close()


if sys.platform == "win32":

    def _try_lock(file: IO[bytes]) -> bool:
        import msvcrt

        try:
            file.seek(2**20)  # beyond what is read: locked bytes cannot be
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:

    def _try_lock(file: IO[bytes]) -> bool:
        import fcntl

        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        os.set_inheritable(file.fileno(), False)  # a host that we start must not hold it
        return True
