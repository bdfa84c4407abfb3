"""What people said about the photos, as the matrices that heads learn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ninebrains.brains.labelling import labels_from
from ninebrains.brains.manifest import Label, Task
from ninebrains.photos import Photo
from ninebrains.training.basis import Floats

IMBALANCE_LIMIT = 3.0


@dataclass(frozen=True)
class Targets:
    """Targets of a task.

    Attributes:
        matrix: Y[n, K]: one-hot, multi-hot, or the numbers themselves.
        groups: [n], the single label of each photo, or a quantile of its number; zero for
            multilabel.
    """

    matrix: Floats
    groups: npt.NDArray[np.int64]

    def take(self, rows: npt.NDArray[np.int64]) -> Targets:
        """The targets of some photos."""
        return Targets(self.matrix[rows], self.groups[rows])


def make_labels(task: Task, names: Sequence[str]) -> list[Label]:
    """Labels in the order given (see `labels_from`). A regression has the label `value`."""
    return labels_from(["value"] if task == "regress" else names)


def make_targets(task: Task, photos: Sequence[Photo], names: Sequence[str]) -> Targets:
    """The targets of `photos`; label k is `names[k]`."""
    if task == "regress":
        values = np.array([photo.target for photo in photos], dtype=np.float64)
        edges = np.quantile(values, [0.2, 0.4, 0.6, 0.8]) if len(values) else np.empty(0)
        return Targets(values[:, None], np.searchsorted(edges, values).astype(np.int64))
    places = {name: index for index, name in enumerate(names)}
    matrix = np.zeros((len(photos), len(names)))
    for row, photo in enumerate(photos):
        for name in photo.labels:
            matrix[row, places[name]] = 1.0
    if task == "multilabel":
        return Targets(matrix, np.zeros(len(photos), np.int64))
    return Targets(matrix, matrix.argmax(axis=1).astype(np.int64))


def balance(task: Task, targets: Targets, wanted: bool | None) -> tuple[Floats, bool]:
    """Photo weights [n], and whether they give every label the same say.

    With `wanted` None they do so when the most frequent label has over three times the photos of
    the rarest. Only photos with exactly one label can be balanced.
    """
    even = np.ones(len(targets.matrix))
    if task != "classify" or wanted is False:
        return even, False
    counts = np.bincount(targets.groups, minlength=targets.matrix.shape[1])
    present = counts[counts > 0]
    if wanted is None and present.max() <= IMBALANCE_LIMIT * present.min():
        return even, False
    return len(even) / len(present) / np.maximum(counts, 1)[targets.groups], True
