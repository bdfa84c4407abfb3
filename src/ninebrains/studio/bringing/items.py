"""What is brought into a project, before it is looked at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ninebrains.photos import Problem
from ninebrains.photos.tables import part_named
from ninebrains.studio.store.photos import Part

_LONGEST_NAME = 300


@dataclass(frozen=True)
class Item:
    """A file that may be a photo.

    Attributes:
        name: as its sender calls it, with "/" between folders; never used as a path.
        read: gives its bytes, within the limits.
        path: of the file, where the photo stays in its place; None for a copy.
        label: the name of the label that it comes with, or None.
        part: train or test, if the data set says so.
        columns: what else is known of it.
        num_bytes: that it holds in memory already.
    """

    name: str
    read: Callable[[], bytes]
    path: Path | None = None
    label: str | None = None
    part: Part | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    num_bytes: int = 0


@dataclass
class Report:
    """What came of bringing photos in.

    Attributes:
        added: numbers of the new photos.
        known: how many were there already.
        labelled: how many got a label that they came with.
        refused: what could not be used, and why; the first hundreds.
        num_refused: all of them.
        ignored: files that were passed over without a word, such as those of the system.
    """

    added: list[int] = field(default_factory=list)
    known: int = 0
    labelled: int = 0
    refused: list[Problem] = field(default_factory=list)
    num_refused: int = 0
    ignored: int = 0

    def refuse(self, problem: Problem) -> None:
        """Note that something could not be used."""
        self.num_refused += 1
        if len(self.refused) < 300:
            self.refused.append(problem)

    def plain(self) -> dict[str, object]:
        """For the page."""
        return {
            "added": len(self.added),
            "ids": self.added[:1_000],
            "known": self.known,
            "labelled": self.labelled,
            "refused": [{"name": one.name, "reason": one.reason} for one in self.refused],
            "num_refused": self.num_refused,
            "ignored": self.ignored,
        }


def shown_name(name: str) -> str:
    r"""A sender's name for a file as it is kept: parts that lead elsewhere are left out.

    >>> shown_name("..\\cats/./a.jpg")
    'cats/a.jpg'
    """
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    return "/".join(parts)[-_LONGEST_NAME:] or "photo"


def is_system_file(name: str) -> bool:
    """Whether a file is one that systems put beside photos, and nobody means.

    >>> is_system_file("__MACOSX/._a.jpg"), is_system_file("cats/a.jpg")
    (True, False)
    """
    parts = name.split("/")
    return (
        parts[0] == "__MACOSX"
        or any(part.startswith(".") for part in parts)
        or parts[-1].casefold() in ("thumbs.db", "desktop.ini")
    )


def label_from(name: str) -> tuple[str | None, Part | None]:
    """The label and the part that the folders over a file say.

    >>> label_from("pets/test/cat/a.jpg")
    ('cat', 'test')
    >>> label_from("a.jpg")
    (None, None)
    """
    parts = name.split("/")
    if len(parts) < 2 or part_named(parts[-2]):
        return None, None
    part = part_named(parts[-3]) if len(parts) > 2 else None
    return parts[-2], None if part is None else "train" if part == "train" else "test"
