"""Features of a project's photos in memory, for one trunk; what is missing is computed once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ninebrains.images import Limits
from ninebrains.photos import Photo, PhotoFacts
from ninebrains.studio.originals import CHANGED, reasons
from ninebrains.studio.store.photos import Stored
from ninebrains.training.caching import FeatureCache
from ninebrains.training.extracting import Extraction, extract, recall
from ninebrains.trunks import Trunk

BATCH = 32
_FIRST_ROWS = 1_024


@dataclass(frozen=True)
class Trouble:
    """A photo whose features cannot be had, and why."""

    photo: int
    reason: str


class Shelf:
    """Features by photo. For one thread at a time.

    Args:
        trunk: that makes them.
        root: that paths of copies are relative to.
        limits: bytes and pixels that a photo may have.
    """

    def __init__(self, trunk: Trunk, root: Path, limits: Limits) -> None:
        self.trunk = trunk
        self._root, self._limits = root, limits
        self._features = np.empty((_FIRST_ROWS, trunk.num_features), np.float32)
        self._facts: list[PhotoFacts] = []
        self._rows: dict[int, int] = {}
        self._asked: set[int] = set()

    def __contains__(self, photo: int) -> bool:
        """Whether the features of a photo are there."""
        return photo in self._rows

    def missing(self, photos: Sequence[Stored]) -> list[Stored]:
        """Those of the photos whose features are not there."""
        return [photo for photo in photos if photo.id not in self._rows]

    def recall(self, photos: Sequence[Stored]) -> None:
        """Take what the user's cache has, without looking at files; for thousands in a second."""
        wanted = [one for one in photos if one.id not in self._rows and one.id not in self._asked]
        if not wanted:
            return
        with FeatureCache() as cache:
            found = recall(self.trunk, [photo.sha256 for photo in wanted], cache)
            for photo, item in zip(wanted, found, strict=True):
                self._asked.add(photo.id)
                if item is not None:
                    self._put(photo.id, *item)

    def compute(
        self, photos: Sequence[Stored], done: Callable[[int], None] | None = None
    ) -> list[Trouble]:
        """Compute what is missing of these photos, and keep it in the user's cache.

        Args:
            photos: a batch of them.
            done: called with how many are done; may raise to stop.
        """
        wanted = self.missing(photos)
        if not wanted:
            return []
        named = [Photo(self._root / photo.path, str(photo.id)) for photo in wanted]
        found = extract(
            self.trunk,
            named,
            limits=self._limits,
            progress=None if done is None else lambda at, _total: done(at),
        )
        named_reasons = {int(one.name): one.reason for one in found.problems}
        told = reasons(wanted, self._root, named_reasons) if named_reasons else {}
        troubles = [Trouble(number, reason) for number, reason in told.items()]
        for row, place in enumerate(found.places.tolist()):
            photo, facts = wanted[place], found.facts[row]
            if facts.sha256 != photo.sha256:
                troubles.append(Trouble(photo.id, CHANGED))
            else:
                self._put(photo.id, found.features[row], facts)
        return troubles

    def facts(self, photos: Sequence[Stored]) -> list[PhotoFacts | None]:
        """What is known of each photo, None where its features are missing."""
        rows = [self._rows.get(photo.id) for photo in photos]
        return [None if row is None else self._facts[row] for row in rows]

    def features(self, ids: Sequence[int]) -> npt.NDArray[np.float32]:
        """float32[n, D] of photos that are there."""
        rows = [self._rows[photo] for photo in ids]  # first: the matrix may grow meanwhile
        return self._features[rows]

    def extraction(self, photos: Sequence[Stored]) -> Extraction:
        """As if the photos had been extracted just now; all of them are there."""
        facts = tuple(self._facts[self._rows[photo.id]] for photo in photos)
        return Extraction(
            places=np.arange(len(photos)),
            features=self.features([photo.id for photo in photos]),
            mirrored=None,
            facts=facts,
            problems=(),
            num_cached=len(photos),
        )

    def _put(self, photo: int, vector: npt.NDArray[np.float32], facts: PhotoFacts) -> None:
        row = len(self._facts)
        if row == len(self._features):
            larger = np.empty((2 * row, self._features.shape[1]), np.float32)
            larger[:row] = self._features
            self._features = larger
        self._features[row] = vector
        self._facts.append(facts)
        self._rows[photo] = row
