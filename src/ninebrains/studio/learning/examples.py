"""What there is to learn from in a project: labelled photos, as `train` would take them."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ninebrains.brains.manifest import Label as BrainLabel
from ninebrains.photos import Dataset, Photo
from ninebrains.studio.store.labels import Label, list_labels
from ninebrains.studio.store.photos import Stored, all_photos
from ninebrains.studio.store.settings import revision_of

LEAST_PHOTOS = 2
"""So many photos for learning does a label need; those held out for measuring come on top."""


@dataclass(frozen=True)
class Situation:
    """A project at one moment.

    Attributes:
        revision: which moment.
        photos: all that can be read, by number.
        labels: all of the project.
        learnt: those that can be learnt, by name, as `train` orders them.
        unreadable: how many photos of a label, by its number, cannot be read; 0 for no label.
    """

    revision: int
    photos: tuple[Stored, ...]
    labels: tuple[Label, ...]
    learnt: tuple[Label, ...]
    unreadable: Mapping[int, int] = field(default_factory=dict)

    @property
    def examples(self) -> list[Stored]:
        """The photos that have a label that can be learnt."""
        known = {label.id for label in self.learnt}
        return [photo for photo in self.photos if photo.label in known]

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of everything that what is learnt depends on."""
        names = [(label.id, label.key, label.name) for label in self.learnt]
        photos = [(one.id, one.label, one.part) for one in self.examples]
        return hashlib.sha256(repr((names, photos)).encode()).hexdigest()


def look(connection: sqlite3.Connection) -> Situation:
    """The project as it is now."""
    photos, labels = tuple(all_photos(connection)), tuple(list_labels(connection))
    counts = Counter(photo.label for photo in photos if photo.part == "train")
    learnt = [label for label in labels if counts[label.id] >= LEAST_PHOTOS]
    rows = connection.execute(
        "SELECT COALESCE(label, 0), COUNT(*) FROM photos WHERE gone = 0 AND trouble IS NOT NULL "
        "GROUP BY label"
    )
    return Situation(
        revision_of(connection),
        photos,
        labels,
        tuple(sorted(learnt, key=lambda one: one.name)),
        {int(label): int(num) for label, num in rows},
    )


def as_dataset(root: Path, situation: Situation, examples: Sequence[Stored]) -> Dataset:
    """The examples as a data set in parts. Names are paths relative to the project."""
    names = {label.id: label.name for label in situation.learnt}
    base = str(root)
    photos = tuple(
        Photo(
            path=Path(base, photo.file),
            name=_relative(photo, base),
            labels=(names[photo.label],) if photo.label is not None else (),
            split=photo.part,
        )
        for photo in examples
    )
    return Dataset(root, "classify", photos, tuple(label.name for label in situation.learnt))


def _relative(photo: Stored, root: str) -> str:
    path = photo.file if photo.is_copy else os.path.relpath(photo.file, root)
    return path.replace(os.sep, "/")


def as_brain_labels(labels: Sequence[Label]) -> list[BrainLabel]:
    """The labels as a brain has them: ids that outlive any renaming."""
    return [
        BrainLabel(id=label.key, index=index, name=label.name) for index, label in enumerate(labels)
    ]
