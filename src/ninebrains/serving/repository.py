"""The folders that brains are served from: which versions lie there.

models/<name>/<version>/          a brain's folder, or one that holds one .brain or .onnx file
models/<name>/<version>.brain     a brain in one file
models/<name>.brain               a brain that has no versions here: it is version 1
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Found:
    """A version that lies there.

    Attributes:
        path: what to load.
        mark: changes when any of its files does.
    """

    path: Path
    mark: tuple[tuple[str, int, int], ...]


Shelf = Mapping[str, Mapping[int, Found]]


def scan(sources: Iterable[Path]) -> Shelf:
    """Look at what lies there, without reading it."""
    found: dict[str, dict[int, Found]] = {}
    for source in sources:
        if source.is_dir() and not (source / "brain.json").is_file():
            for entry in sorted(source.iterdir()):
                _scan_name(entry, found)
        else:
            found.setdefault(source.stem, {})[1] = _found(source)
    return found


def _scan_name(entry: Path, found: dict[str, dict[int, Found]]) -> None:
    if entry.name.startswith("."):
        return
    if entry.suffix in (".brain", ".onnx") or (entry / "brain.json").is_file():
        found.setdefault(entry.stem, {})[1] = _found(entry)
        return
    for version in sorted(entry.iterdir()) if entry.is_dir() else ():
        if version.stem.isdecimal() and int(version.stem) > 0:
            found.setdefault(entry.name, {})[int(version.stem)] = _found(_inside(version))


def _inside(version: Path) -> Path:
    if not version.is_dir() or (version / "brain.json").is_file():
        return version
    files = [path for path in version.iterdir() if path.suffix in (".brain", ".onnx")]
    return files[0] if len(files) == 1 else version


def _found(path: Path) -> Found:
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    marks = [
        (os.fspath(file), status.st_size, status.st_mtime_ns)
        for file in files
        if (status := file.stat()) is not None
    ]
    return Found(path, tuple(marks))
