"""Folders and tables of photos to a `Dataset`."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import get_args

from ninebrains.errors import DataError
from ninebrains.photos.dataset import Dataset, Part, Photo, Problem, Task, labels_of, printable
from ninebrains.photos.scanning import Scan, above
from ninebrains.photos.tables import part_named, read_table

_TABLES = (".csv", ".tsv")


def read_dataset(source: str | os.PathLike[str], task: Task | None = None) -> Dataset:
    """Read a data set in any of the forms that people have it in.

    A folder for each class; `train`, `val` and `test` folders over those; a CSV file with the
    columns path,label (see `tables.read_table`); or a folder of photos only, which gives a data set
    without labels. Folders below a class belong to it. No photo is opened here.

    Args:
        source: a folder or a CSV file.
        task: what to learn, where it should not be decided from the labels.

    Raises:
        DataError: nothing usable there; the message says what was found instead. Or no such task.
    """
    path = Path(source)
    if task is not None and task not in get_args(Task):
        raise DataError(
            f"there is no task {printable(str(task))!r}; expected {', '.join(get_args(Task))}, "
            "or none to decide from the labels."
        )
    if path.is_dir():
        dataset = _read_folder(path)
    elif path.is_file() and path.suffix.lower() in _TABLES:
        return read_table(path, task)
    elif path.exists():
        raise DataError(
            f"{printable(str(path))} is a file; expected a folder of photos or a .csv file."
        )
    else:
        raise DataError(
            f"there is no {printable(str(path))}; expected a folder of photos or a .csv file. "
            "Check the spelling."
        )
    if task == "regress":
        raise DataError(
            "regress needs a number for each photo, which folders cannot give. "
            "Write a CSV file with the columns path,label and numbers as labels."
        )
    if task and dataset.task is None:
        raise DataError(
            f"{printable(str(path))} holds {len(dataset.photos):,} photos but no folders that say "
            "what they show. Put them into one folder for each class, or write a CSV file."
        )
    return Dataset(
        dataset.root,
        task or dataset.task,
        dataset.photos,
        dataset.labels,
        dataset.ignored,
        dataset.problems,
    )


def _read_folder(root: Path) -> Dataset:
    scan = Scan(root)
    folders, loose = scan.entries(root)
    parts, others = _split_folders(folders)
    photos: list[Photo] = []
    if parts:
        for folder, part in parts:
            photos += _read_part(scan, folder, part)
        _note(scan, others, "is beside the train and test folders and was not read")
    else:
        photos = _read_classes(scan, folders, None)
    if any(photo.labels for photo in photos):
        loose += [photo.path for photo in photos if not photo.labels]
        if loose:
            _note_loose(scan, loose, root)
        photos = [photo for photo in photos if photo.labels]
    else:
        photos += [Photo(path, scan.name(path)) for path in loose]
    if not photos:
        raise DataError(_nothing(scan, root, ", in one folder for each class"))
    labels = labels_of(photos)
    return Dataset(
        root,
        "classify" if labels else None,
        tuple(photos),
        labels,
        dict(scan.ignored),
        tuple(scan.problems),
    )


def _split_folders(folders: list[Path]) -> tuple[list[tuple[Path, Part]], list[Path]]:
    """The folders that are parts of a split, and the others.

    A class may be called "train" too, beside "bus" and "car": one such name among others is one.
    """
    parts = [(folder, part) for folder in folders if (part := part_named(folder.name))]
    others = [folder for folder in folders if part_named(folder.name) is None]
    kinds = {part for _, part in parts}
    if others and not ("train" in kinds and len(kinds) >= 2):
        return [], folders
    return parts, others


def _read_part(scan: Scan, folder: Path, part: Part) -> list[Photo]:
    classes, loose = scan.entries(folder)
    if not classes:
        return [Photo(path, scan.name(path), split=part) for path in loose]
    if loose:
        _note_loose(scan, loose, folder)
    return _read_classes(scan, classes, part)


def _read_classes(scan: Scan, folders: list[Path], part: Part | None) -> list[Photo]:
    photos: list[Photo] = []
    for folder in folders:
        # A fresh set for each class: two may link to one folder, which the audit then tells.
        seen = above(scan.root / "x") | above(folder.parent / "x")  # what holds classes is not one
        label = printable(folder.name)
        found = list(scan.walk(folder, seen))
        photos += [Photo(path, scan.name(path), (label,), split=part) for path in found]
        if not found:
            _note(scan, [folder], "the folder holds no photos; the class is left out")
    return photos


def _note(scan: Scan, paths: Iterable[Path], reason: str) -> None:
    scan.problems += [Problem(printable(scan.name(path)), reason) for path in paths]


def _note_loose(scan: Scan, loose: list[Path], folder: Path) -> None:
    count = "1 photo is" if len(loose) == 1 else f"{len(loose):,} photos are"
    _note(
        scan,
        [folder],
        f"{count} beside the class folders and left out, first {printable(loose[0].name)}; "
        "move into a class what belongs to one",
    )


def _nothing(scan: Scan, root: Path, where: str = "") -> str:
    passed = scan.passed_over()
    blocked = [problem for problem in scan.problems if problem.reason.startswith("cannot")]
    found = f"only {passed}" if passed else "nothing"
    if blocked:
        found += f" ({blocked[0].name} {blocked[0].reason})"
    return (
        f"no photos in {printable(str(root))}: found {found}. "
        f"Expected JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF or HEIC files{where}."
    )


def find_photos(sources: Iterable[str | os.PathLike[str]]) -> Dataset:
    """Find the photos to predict on.

    Args:
        sources: photo files (taken whatever they are called), folders (with all below), and
            patterns like `holiday/*.jpg` that the shell has not expanded. Doubles count once.

    Returns:
        A data set without labels. Its root is the folder that all sources have in common; what
        could not be looked at is named as the sources were.

    Raises:
        DataError: a source that is not there, or no photos at all.
    """
    paths = [path for source in sources for path in expand(source)]
    if not paths:
        raise DataError(
            "no photos were named; expected files, folders or patterns like photos/*.jpg."
        )
    absolute = [Path(os.path.abspath(path)) for path in paths]  # noqa: PTH100 - keeps links
    tops = [path if path.is_dir() else path.parent for path in absolute]
    scan = Scan(Path(os.path.commonpath(tops)))
    found: dict[str, Path] = {}
    problems: list[Problem] = []
    for path, full in zip(paths, absolute, strict=True):
        inner = scan.walk(full, above(full)) if full.is_dir() else (full,)
        known = len(scan.problems)
        for photo in inner:
            found.setdefault(str(photo), path / photo.relative_to(full))
        problems += [
            replace(item, name=_as_named(item.name, path, full, scan.root))
            for item in scan.problems[known:]
        ]
    if not found:
        raise DataError(_nothing(scan, scan.root))
    photos = [Photo(path, scan.name(Path(full))) for full, path in found.items()]
    return Dataset(scan.root, None, tuple(photos), (), dict(scan.ignored), tuple(problems))


def _as_named(name: str, source: Path, full: Path, root: Path) -> str:
    """The name of something in a source, relative to the root, as it follows from the source."""
    inner = os.path.relpath(root / name, full)
    return printable(str(source / inner))


def expand(source: str | os.PathLike[str]) -> list[Path]:
    """The source itself where it exists, else what it matches as a pattern."""
    path = Path(source)
    if os.path.lexists(path):
        return [path]
    text = os.fspath(source)
    matches = sorted(glob.glob(text, recursive=True)) if glob.has_magic(text) else []  # noqa: PTH207
    if not matches:
        kind = "nothing matches" if glob.has_magic(text) else "there is no"
        raise DataError(f"{kind} {printable(text)}; expected a photo, a folder or a pattern.")
    return [Path(match) for match in matches]
