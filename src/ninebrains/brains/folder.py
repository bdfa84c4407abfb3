"""Writing a brain's folder whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ninebrains.brains.late import Buffer
from ninebrains.places import replacing_folder, unwritten, write_bytes


def write_folder(path: Path, contents: Mapping[str, Buffer]) -> None:
    """Write `contents` (by relative name) to the folder `path`, in place of what is there.

    Everything goes to a hidden neighbour first, which is then renamed. Where only `brain.json`
    changes, as in renaming a label, only that is replaced.

    Raises:
        OutputError: it cannot be written; what was there stays.
    """
    try:
        if _replace_manifest_only(path, contents):
            return
    except OSError as error:
        raise unwritten(path, error) from error
    with replacing_folder(path) as temporary:
        for name, data in contents.items():
            write_bytes(temporary / name, bytes(data))


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
