"""Writing a folder whole or not at all."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from ninebrains.brains.late import Buffer
from ninebrains.errors import OutputError
from ninebrains.places import write_bytes


def write_folder(path: Path, contents: Mapping[str, Buffer]) -> None:
    """Write `contents` (by relative name) to the folder `path`, in place of what is there.

    Everything goes to a hidden neighbour first, which is then renamed. Where only `brain.json`
    changes, as in renaming a label, only that is replaced.

    Raises:
        OutputError: it cannot be written; what was there stays.
    """
    temporary: Path | None = None
    try:
        if _replace_manifest_only(path, contents):
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        prefix = f".{path.name[:80]}."
        temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=prefix, suffix=".tmp"))
        for name, data in contents.items():
            write_bytes(temporary / name, bytes(data))
        _make_readable(temporary)
        _swap(temporary, path)
    except OSError as error:
        raise OutputError(
            f"could not write {path}: {error.strerror or error}. Nothing was changed; "
            "free some space or choose another place."
        ) from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def _replace_manifest_only(path: Path, contents: Mapping[str, Buffer]) -> bool:
    """Do it in one rename if all files but `brain.json` are there already, byte for byte."""
    if "signature.json" in contents or not (path / "brain.json").is_file():
        return False
    others = set(contents) - {"brain.json"}
    there = {
        entry.relative_to(path).as_posix()
        for entry in path.rglob("*")
        if entry.is_file() and not entry.name.startswith(".")
    }
    if there - {"brain.json", "signature.json"} != others:
        return False
    for name in others:
        if (path / name).read_bytes() != contents[name]:
            return False
    # The old manifest without its signature is a whole brain; the new one with the old signature
    # would be none.
    (path / "signature.json").unlink(missing_ok=True)
    write_bytes(path / "brain.json", bytes(contents["brain.json"]))
    return True


def _make_readable(folder: Path) -> None:
    """Give the folder the permissions of a new one; a temporary folder is for its owner alone."""
    probe = folder / ".probe"
    probe.mkdir()
    folder.chmod(probe.stat().st_mode & 0o777)
    probe.rmdir()


def _swap(new: Path, path: Path) -> None:
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
