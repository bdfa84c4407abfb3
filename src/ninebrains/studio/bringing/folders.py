"""Photos that stay where they are: a folder, a table, or kept feedback of a host."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from ninebrains.errors import DataError
from ninebrains.images import Limits, read_photo
from ninebrains.photos import Problem, printable, read_dataset
from ninebrains.photos.dataset import Photo
from ninebrains.studio.bringing.items import Item
from ninebrains.studio.store.photos import Part

_OWN_COLUMNS = ("path", "label", "split", "file", "name", "sha256", "truth")
_MOST_COLUMNS = 30
_LONGEST_VALUE = 100
_FEEDBACK_PARTS = ("photos", "too_few", "unlabelled")


def open_dataset(
    path: Path, limits: Limits, *, labels: bool, copy: bool
) -> Iterator[Item | Problem]:
    """The photos of a folder or a CSV file.

    Args:
        path: as `train` takes it: a folder a label, a folder of photos, or a table.
        limits: bytes that a photo may have.
        labels: whether to take over labels.
        copy: whether the project gets files of its own.

    Raises:
        DataError: there are none, or they have several labels each or numbers.
    """
    path = path.expanduser().absolute()
    dataset = read_dataset(path)
    if labels and dataset.task in ("multilabel", "regress"):
        what = "several labels each" if dataset.task == "multilabel" else "numbers, not names"
        raise DataError(
            f"the photos in {printable(str(path))} have {what}; the studio gives every photo one "
            "label. Use `ninebrains train` for them, or add the folder without labels."
        )
    cells = _columns(path) if path.is_file() else {}
    columns = {os.path.normpath(path.parent / cell): values for cell, values in cells.items()}
    yield from dataset.problems
    for photo in dataset.photos:
        item = _item(photo, limits, copy=copy, labels=labels)
        known = columns.get(os.path.normpath(photo.path), {})
        yield _with_columns(item, {**_folder(photo), **known})


def open_feedback(path: Path, limits: Limits) -> Iterator[Item | Problem]:
    """The photos of a `ninebrains feedback export`, copied, with what people said of them.

    Raises:
        DataError: the folder is none.
    """
    path = path.expanduser().absolute()
    table = path / "feedback.csv"
    if not table.is_file():
        raise DataError(
            f"{printable(str(path))} has no feedback.csv; expected a folder that "
            "`ninebrains feedback export` wrote."
        )
    columns = _columns(table, "file")
    for part in _FEEDBACK_PARTS:
        if not (path / part).is_dir() or not any((path / part).iterdir()):
            continue
        dataset = read_dataset(path / part)
        yield from dataset.problems
        for photo in dataset.photos:
            item = _item(photo, limits, copy=True, labels=part != "unlabelled")
            known = columns.get(f"{part}/{photo.name}", {})
            yield _with_columns(item, {"folder": "feedback", **known})


def read_columns(path: Path) -> dict[str, dict[str, str]]:
    """What a table knows of photos beside their labels, by `path` (see `open_dataset`).

    Raises:
        DataError: it cannot be read, or names no photos.
    """
    found = _columns(path)
    if not found:
        raise DataError(
            "the table has no column path, or nothing beside it; expected a CSV file with a "
            "first line such as path,camera"
        )
    return found


def _item(photo: Photo, limits: Limits, *, copy: bool, labels: bool) -> Item:
    path = photo.path.absolute()
    part: Part | None = None
    if photo.split is not None:
        part = "train" if photo.split == "train" else "test"
    return Item(
        photo.name,
        lambda: read_photo(path, limits),
        path=None if copy else path,
        label=photo.labels[0] if labels and photo.labels else None,
        part=part,
    )


def _with_columns(item: Item, columns: Mapping[str, str]) -> Item:
    return Item(item.name, item.read, item.path, item.label, item.part, columns)


def _folder(photo: Photo) -> dict[str, str]:
    folder = photo.name.rpartition("/")[0]
    return {"folder": printable(folder)[:_LONGEST_VALUE]} if folder else {}


def _columns(path: Path, key: str = "path") -> dict[str, dict[str, str]]:
    """The other columns of a table, by the cell in the column `key`."""
    try:
        with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
            delimiter = next((mark for mark in ",\t;" if mark in file.readline()), ",")
            file.seek(0)
            reader = csv.reader(file, delimiter=delimiter)
            names = [printable(name.strip())[:_LONGEST_VALUE] for name in next(reader, [])]
            lower = [name.casefold() for name in names]
            if key not in lower:
                return {}
            place = lower.index(key)
            kept = [i for i, name in enumerate(lower) if name and name not in _OWN_COLUMNS]
            return {
                _tidy(cells[place]): {
                    names[i]: printable(cells[i].strip())[:_LONGEST_VALUE]
                    for i in kept[:_MOST_COLUMNS]
                    if i < len(cells) and cells[i].strip()
                }
                for cells in reader
                if len(cells) > place
            }
    except (OSError, csv.Error) as error:
        raise DataError(f"{printable(str(path))} cannot be read as a table: {error}") from error


def _tidy(path: str) -> str:
    return path.strip().replace("\\", "/").removeprefix("./")
