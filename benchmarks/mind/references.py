"""What every version of every brain says alone, to hold answers against."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.mind.equal import answers_of, difference
from ninebrains.brains import Brain, Inference
from ninebrains.errors import BrainError

Answers = dict[str, np.ndarray]


class References:
    """Brains by name and version, and their answers for every photo.

    Args:
        brains: two or more may have one name and different versions.
        broken: brains that fail for one photo or more.
        photos: that are asked about.
        folder: where a file of each brain is kept.

    Raises:
        ValueError: a broken brain answers for all photos.
    """

    def __init__(
        self,
        brains: Sequence[Brain],
        broken: Sequence[Brain],
        photos: Sequence[bytes],
        folder: Path,
    ) -> None:
        self.photos = photos
        self.broken = frozenset(brain.name for brain in broken)
        self._sources: dict[tuple[str, str], tuple[Brain, Path]] = {}
        self._answers: dict[tuple[str, str, int], Answers] = {}
        for brain in [*brains, *broken]:
            key = (brain.name, brain.version)
            path = brain.save(folder / f"{brain.name}@{brain.version}.brain")
            self._sources[key] = (brain, path)
            # A copy compiles for itself; it goes, and its session with it.
            alone = Brain(brain.manifest, brain.graph, brain.card)
            for number, photo in enumerate(photos):
                try:
                    self._answers[*key, number] = answers_of(alone.run(photo))
                except BrainError:
                    if brain.name not in self.broken:
                        raise
        for brain in broken:
            if all((brain.name, brain.version, one) in self._answers for one in range(len(photos))):
                raise ValueError(f"{brain.name} is to fail, and answered for every photo")

    @property
    def names(self) -> list[str]:
        """Of all brains, broken ones last."""
        return list(dict.fromkeys(name for name, _ in self._sources))

    def versions(self, name: str) -> list[str]:
        """Of one brain."""
        return [version for known, version in self._sources if known == name]

    def source(self, name: str, version: str, kind: int) -> Brain | Path:
        """What to add: the brain itself (0), or its file (1)."""
        return self._sources[name, version][kind]

    def fault(self, photo: int, inference: Inference, tolerance: float) -> str | None:
        """What is wrong with an answer about a photo, or None.

        Heat maps are compared if the answer has some.
        """
        name, _, version = inference.brain.partition("@")
        expected = self._answers.get((name, version, photo))
        if expected is None:
            return f"{inference.brain} answered photo {photo}, which nobody expected of it"
        found = answers_of(inference)
        if "heatmaps" not in found:
            expected = {key: value for key, value in expected.items() if key != "heatmaps"}
        worst = difference(found, expected)
        if not worst <= tolerance:
            return f"{inference.brain} differs by {worst:.1e} on photo {photo}"
        return None
