"""Photos that stay where they are: a folder, a table, or kept feedback of a host."""

from __future__ import annotations

import codecs
import csv
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ninebrains.errors import DataError
from ninebrains.images import Limits, read_photo
from ninebrains.photos import Problem, printable, read_dataset
from ninebrains.photos.dataset import Photo
from ninebrains.studio.bringing.items import Item
from ninebrains.studio.store.photos import Part

NAMING = ("path", "file", "filename", "name", "image", "photo")
"""Columns by which a table may name photos."""
_OWN_COLUMNS = (*NAMING, "label", "split", "sha256", "truth")
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
    """What a table knows of photos beside their labels, by what it calls them.

    Raises:
        DataError: it cannot be read, or says nothing of photos.
    """
    found = next(filter(None, (_columns(path, key) for key in NAMING)), {})
    if not any(found.values()):
        raise DataError(
            f"the table says nothing of photos; expected a CSV file with a column {NAMING[0]} (or "
            f"{', '.join(NAMING[1:])}) and others beside it, with a first line such as path,camera"
        )
    return found


def has_labels(path: Path) -> bool:
    """Whether a table has a column of labels, so that photos can come with it."""
    with _opened(path) as (names, _):
        return "label" in [name.casefold() for name in names]


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
    with _opened(path) as (names, rows):
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
            for cells in rows
            if len(cells) > place and cells[place].strip()
        }


@contextmanager
def _opened(path: Path) -> Iterator[tuple[list[str], Iterator[list[str]]]]:
    """The names of a table's columns, and its rows.

    Raises:
        DataError: it cannot be read.
    """
    try:
        with path.open("rb") as raw:
            mark = raw.read(2)
        encoding = "utf-16" if mark in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"
        with path.open(newline="", encoding=encoding, errors="replace") as file:
            first = file.readline()
            delimiter = next((mark for mark in ",\t;" if mark in first), ",")
            file.seek(0)
            rows = csv.reader(file, delimiter=delimiter)
            yield [printable(name.strip())[:_LONGEST_VALUE] for name in next(rows, [])], rows
    except (OSError, csv.Error, UnicodeError) as error:
        raise DataError(f"{printable(str(path))} cannot be read as a table: {error}") from error


def _tidy(path: str) -> str:
    return path.strip().replace("\\", "/").removeprefix("./")
