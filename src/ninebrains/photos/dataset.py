"""A data set as values: which photos there are, what people called them, what could not be used."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ninebrains.errors import DataError

if TYPE_CHECKING:
    from ninebrains.photos.facts import PhotoFacts

Task = Literal["classify", "multilabel", "regress"]
Part = Literal["train", "val", "test"]

# Characters that could move a terminal's cursor or turn the direction of text around.
_UNSAFE = {*range(32), *range(0x7F, 0xA0), 0x2028, 0x2029, *range(0x202A, 0x202F)}
_UNSAFE |= {*range(0x2066, 0x206A), *range(0xD800, 0xE000)}
_ESCAPES = {code: f"\\u{code:04x}" if code > 255 else f"\\x{code:02x}" for code in _UNSAFE}
# Python holds a byte 0x80 to 0xff that is not UTF-8 as the lone surrogate 0xdc80 to 0xdcff.
_ESCAPES |= {0xDC00 + byte: f"\\x{byte:02x}" for byte in range(0x80, 0x100)}


def printable(text: str) -> str:
    r"""A file name that can be printed, stored as UTF-8 and told from others.

    Bytes that are not UTF-8 and control characters come out as escapes.

    >>> printable("caf\udce9.jpg")
    'caf\\xe9.jpg'
    """
    return text if text.isprintable() else text.translate(_ESCAPES)


def shortened(text: str, most: int = 32) -> str:
    """A name with its middle left out where it is longer than `most` characters.

    >>> shortened("a rather long name", most=9)
    'a ra…name'
    """
    kept = most - 1
    return text if len(text) <= most else f"{text[: kept - kept // 2]}…{text[-(kept // 2) :]}"


@dataclass(frozen=True)
class Photo:
    """One photo of a data set.

    Attributes:
        path: where the file is.
        name: the path relative to the data set's root, with "/"; may hold surrogates where the file
            name is not UTF-8, so show it through `printable`.
        labels: what people called it; one for classify, any number for multilabel.
        target: the number people gave it (regress).
        split: the part it was put in by the people who made the data set, if they did.
    """

    path: Path
    name: str
    labels: tuple[str, ...] = ()
    target: float | None = None
    split: Part | None = None


@dataclass(frozen=True)
class Problem:
    """One file, folder or row that could not be used (printable name), and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Dataset:
    """Photos with what is known about them.

    Attributes:
        root: the folder that names are relative to.
        task: what can be learnt from it; None if nothing says what the photos show.
        photos: in the order of their names for folders, of the rows for tables.
        labels: every label that a photo has, alphabetical.
        ignored: how many files or rows were passed over, by kind.
        problems: what could not be used.
    """

    root: Path
    task: Task | None
    photos: tuple[Photo, ...]
    labels: tuple[str, ...] = ()
    ignored: Mapping[str, int] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    def keep(self, indices: Iterable[int]) -> Dataset:
        """The same data set with only these photos, and only the labels that they have."""
        photos = tuple(self.photos[index] for index in indices)
        return replace(self, photos=photos, labels=labels_of(photos))


def labels_of(photos: Iterable[Photo]) -> tuple[str, ...]:
    """Every label of these photos, alphabetical."""
    return tuple(sorted({label for photo in photos for label in photo.labels}))


def fitting_photos(photos: Sequence[Photo]) -> list[int]:
    """Indices of the photos to fit on: all but the test part (`val` where there is no `test`)."""
    held_out = held_out_part(photos)
    return [index for index, photo in enumerate(photos) if photo.split != (held_out or "none")]


def held_out_part(photos: Iterable[Photo]) -> Part | None:
    """Which given part is the test: `test`, else `val`, else None (no split was given)."""
    parts = {photo.split for photo in photos}
    return "test" if "test" in parts else "val" if "val" in parts else None


def require_trainable(dataset: Dataset, task: Task | None = None) -> None:
    """Refuse a data set that nothing can be learnt from.

    Args:
        dataset: as read, or what is left of it (`Dataset.keep`) once broken photos are known.
        task: what is to be learnt; the data set's own task by default.

    Raises:
        DataError: no labels, too few of them, or too few photos for one of them.
    """
    task = task or dataset.task
    if task is None or dataset.task is None:
        raise DataError(
            f"{printable(str(dataset.root))} holds {len(dataset.photos):,} photos but nothing says "
            "what they show. Put them into one folder for each class, or write a CSV file with the "
            "columns path,label."
        )
    fitting = [dataset.photos[index] for index in fitting_photos(dataset.photos)]
    if task == "regress":
        _require_targets(fitting)
    else:
        _require_labels(dataset, fitting, task)


def _require_targets(fitting: Sequence[Photo]) -> None:
    targets = [photo.target for photo in fitting]
    if None in targets:
        raise DataError(
            "regress needs a number for every photo, and these have names of classes. "
            "Write a CSV file with the columns path,label and numbers as labels."
        )
    if len(targets) < 4 or len(set(targets)) < 2:
        raise DataError(
            f"got {len(targets)} photos with {len(set(targets))} different numbers to learn from; "
            "expected at least 4 photos and 2 different numbers. Add photos."
        )


def _require_labels(dataset: Dataset, fitting: Sequence[Photo], task: Task) -> None:
    if not dataset.labels:
        raise DataError(
            f"{task} needs labels, and these photos have numbers. Use the task regress."
        )
    if len(dataset.labels) < 2 and task == "classify":
        raise DataError(
            f"all {len(dataset.photos):,} photos have the same label, {dataset.labels[0]!r}; "
            "expected at least two classes. Add a folder with photos of something else."
            f"{_inner(dataset)}"
        )
    counts = Counter(label for photo in fitting for label in photo.labels)
    rare = [label for label in dataset.labels if counts[label] < 2]
    if rare:
        shown = ", ".join(f"{label!r} ({counts[label]})" for label in rare[:5])
        more = f" and {len(rare) - 5} more" if len(rare) > 5 else ""
        where = " outside the test part" if held_out_part(dataset.photos) else ""
        raise DataError(
            f"too few photos{where} for {shown}{more}; expected at least 2 photos for each class. "
            "Add photos, or take the class out."
        )


def _inner(dataset: Dataset) -> str:
    """A hint for the zip that was unpacked into one more folder than meant."""
    inner = {photo.name.split("/")[1] for photo in dataset.photos if photo.name.count("/") > 1}
    if len(inner) < 2:
        return ""
    outer = dataset.root / dataset.photos[0].name.split("/")[0]
    return f" If the classes are the folders inside it, give {printable(str(outer))} instead."


def require_distinct(dataset: Dataset, facts: Sequence[PhotoFacts | None]) -> None:
    """Refuse two classes that hold exactly the same photos.

    Args:
        dataset: N photos.
        facts: N facts, None for photos that could not be read.

    Raises:
        DataError: naming the two classes.
    """
    contents: dict[str, set[str]] = defaultdict(set)
    for photo, fact in zip(dataset.photos, facts, strict=True):
        if fact is not None:
            for label in photo.labels:
                contents[label].add(fact.sha256)
    seen: dict[frozenset[str], str] = {}
    for label in sorted(contents):
        first = seen.setdefault(frozenset(contents[label]), label)
        if first != label and dataset.task == "classify":
            raise DataError(
                f"the classes {first!r} and {label!r} hold exactly the same "
                f"{len(contents[label]):,} photos, so nothing tells them apart. "
                "Replace the photos of one of them, or remove it."
            )


def data_fingerprint(dataset: Dataset, facts: Sequence[PhotoFacts | None]) -> str:
    """SHA-256 (hex) of what there is to learn: photos' contents, labels or targets, given splits.

    The same whatever the files are called, wherever they lie and in whichever order they were read.
    """
    lines = sorted(
        repr((fact.sha256, sorted(photo.labels), photo.target, photo.split))
        for photo, fact in zip(dataset.photos, facts, strict=True)
        if fact is not None
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
