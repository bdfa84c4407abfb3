"""The photos to choose on: those that the brain learnt from, or others that the user gives."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ninebrains.brains import Brain
from ninebrains.errors import DataError
from ninebrains.exporting.photos import is_unchanged, labelled
from ninebrains.photos import Dataset, Photo, require_trainable
from ninebrains.photos.dataset import Part
from ninebrains.training import Recipe, load_record
from ninebrains.training.arranging import arrange
from ninebrains.training.extracting import extract
from ninebrains.trunks import Trunk

MOST_PHOTOS = 2000
_LEAST_OF_A_LABEL = 5
_HOW = "Give labelled photos to learn from with --photos (in Python photos=...)"


@dataclass(frozen=True)
class Lesson:
    """What heads are trained on.

    Attributes:
        dataset: every photo, with the part that it is in; labels in the brain's order.
        recipe: the brain's.
        notes: what must be known about the photos.
    """

    dataset: Dataset
    recipe: Recipe
    notes: tuple[str, ...] = ()

    def learnt_from(self) -> Dataset:
        """The photos to choose on: none that is held out, and at most about `MOST_PHOTOS`."""
        photos = [photo for photo in self.dataset.photos if photo.split != "test"]
        order = np.random.default_rng(self.recipe.seed).permutation(len(photos))
        taken = list(order[:MOST_PHOTOS])
        counts = Counter(name for index in taken for name in photos[index].labels)
        for index in order[MOST_PHOTOS:]:
            if any(counts[name] < _LEAST_OF_A_LABEL for name in photos[index].labels):
                taken.append(index)
                counts.update(photos[index].labels)
        return replace(self.dataset, photos=tuple(photos[index] for index in sorted(taken)))


def from_record(brain: Brain) -> Lesson:
    """The photos that the brain was trained and tested on, in the same parts.

    Raises:
        DataError: it was trained elsewhere, or they are gone, or none was held out.
    """
    record = load_record(brain.graph.hash)
    if record is None:
        raise DataError(
            f"{brain.name} was not trained on this machine, so the photos to train other networks "
            f"on are not known here. {_HOW}."
        )
    photos: list[Photo] = []
    for outcome in record.outcomes:
        if is_unchanged(record, outcome):
            names = tuple(brain.labels[index].name for index in outcome.given)
            path = Path(record.root, outcome.path)
            photos.append(Photo(path, outcome.path, names, outcome.target, outcome.split))
    gone = len(record.outcomes) - len(photos)
    if not any(photo.split == "train" for photo in photos):
        raise DataError(
            f"the photos that {brain.name} was trained on are gone from {record.root}, or were "
            f"changed. {_HOW}."
        )
    if not any(photo.split == "test" for photo in photos):
        raise DataError(
            f"none of the photos held out when {brain.name} was trained is still there, so what is "
            f"chosen could not be proven. {_HOW}."
        )
    notes = (f"{gone} photos of the training are gone or were changed since.",) if gone else ()
    dataset = Dataset(Path(record.root), brain.task, tuple(photos), _names(brain))
    require_trainable(dataset, brain.task)
    return Lesson(dataset, recipe_of(brain), notes)


def from_photos(brain: Brain, folder: Path, network: Trunk) -> Lesson:
    """Other labelled photos, split as in training.

    Args:
        brain: whose labels they have.
        folder: or table.
        network: the brain's trunk; looks at them for copies, which must stay together.

    Raises:
        DataError: they have no labels that the brain knows, or too few.
    """
    dataset, recipe = replace(labelled(brain, folder), labels=_names(brain)), recipe_of(brain)
    require_trainable(dataset, brain.task)
    extraction = extract(network, dataset.photos, limits=recipe.limits, flip=recipe.flip)
    material = arrange(dataset, extraction, recipe)
    held_out = set(material.study.test.tolist())
    if not held_out:
        raise DataError(
            f"{folder} has too few photos to hold some out, so what is chosen could not be proven. "
            "Add photos."
        )
    kept = np.sort(np.concatenate([material.study.train, material.study.test])).tolist()
    photos = tuple(
        replace(material.dataset.photos[row], split=_part(row in held_out)) for row in kept
    )
    problems = material.dataset.problems
    notes = (f"{len(problems)} photos or rows could not be used.",) if problems else ()
    return Lesson(replace(material.dataset, photos=photos), recipe, notes)


def _part(is_held_out: bool) -> Part:
    return "test" if is_held_out else "train"


def _names(brain: Brain) -> tuple[str, ...]:
    """The labels in the order of the network's outputs."""
    if brain.task == "regress":
        return ()
    return tuple(label.name for label in sorted(brain.labels, key=lambda label: label.index))


def recipe_of(brain: Brain) -> Recipe:
    """How the brain was trained, as far as it says so."""
    training = brain.manifest.training
    if training is None:
        return Recipe()
    flips = any(candidate.flipped for candidate in training.candidates)
    return Recipe(seed=training.seed, balanced=training.balanced, flip=flips)
