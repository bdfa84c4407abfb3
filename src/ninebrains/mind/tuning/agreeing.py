"""Do two ways of computing a network give the same answers?

A faster way may round differently. How much that changes is judged on real photos, by what the
network tells about them and by what the brains on top of it say first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ninebrains.mind.backends import Array

LEAST_COSINE = 0.999
LEAST_SAME_TOP = 0.995
LARGEST_DIFFERENCE = 0.05
ENOUGH_PHOTOS = 200
"""With fewer, one photo alone is more than the half percent that may differ."""

Answers = Mapping[str, Array]


@dataclass(frozen=True)
class Agreement:
    """How closely two ways agree.

    Attributes:
        cosine: the smallest over all photos and outputs; 1 is the same direction.
        difference: the largest length of the difference of an output, by the output's own length:
            it also sees what points the right way but is too long.
        same_top: share of photos on which a brain says the same first; of the brain with the
            smallest share. None where no brain says any one thing first.
        num_photos: that were looked at.
    """

    cosine: float
    difference: float
    same_top: float | None
    num_photos: int

    @property
    def objection(self) -> str | None:
        """Why the faster way must not be taken, or None if it may."""
        # Written so that what is not a number is refused.
        if not self.cosine >= LEAST_COSINE:
            return f"cosine {self.cosine:.5f} is below {LEAST_COSINE}"
        if not self.difference <= LARGEST_DIFFERENCE:
            return f"values differ by {self.difference:.1%}; {LARGEST_DIFFERENCE:.0%} are allowed"
        if self.same_top is None:
            return None
        least = LEAST_SAME_TOP if self.num_photos >= ENOUGH_PHOTOS else 1.0
        if self.same_top < least:
            return f"top-1 agrees on {self.same_top:.2%}; expected {least:.1%}"
        return None


def compare(
    ours: Answers, reference: Answers, *, our_top: Answers, their_top: Answers
) -> Agreement:
    """Compare outputs, [N, ...] by name, and what each brain says first, [N, ...] by brain."""
    pairs = [_rows(ours[name], reference[name]) for name in reference]
    cosines, differences = zip(*(_distances(*pair) for pair in pairs), strict=True)
    shares = [_share_of_equal(our_top[name], their_top[name]) for name in their_top]
    return Agreement(
        # Unlike Python's, these keep what is not a number.
        cosine=float(np.min(cosines)),
        difference=float(np.max(differences)),
        same_top=min(shares, default=None),
        num_photos=len(next(iter(reference.values()))),
    )


def _share_of_equal(ours: Array, theirs: Array) -> float:
    """The share of photos on which all that is said is the same."""
    return float(np.mean((ours == theirs).reshape(len(theirs), -1).all(axis=1)))


def _rows(ours: Array, reference: Array) -> tuple[Array, Array]:
    """Both as float64[N, values of a photo]."""
    count = len(reference)
    if ours.shape != reference.shape:
        ours = np.full_like(reference, np.nan, dtype=np.float64)
    return (
        ours.reshape(count, -1).astype(np.float64),
        reference.reshape(count, -1).astype(np.float64),
    )


def _distances(ours: Array, reference: Array) -> tuple[float, float]:
    """The smallest cosine and the largest difference of rows float64[N, D]."""
    lengths = np.linalg.norm(ours, axis=1), np.linalg.norm(reference, axis=1)
    both_nothing = (lengths[0] == 0) & (lengths[1] == 0)
    product = np.where(both_nothing, 1, lengths[0] * lengths[1])
    inner = np.where(both_nothing, 1, np.einsum("nd,nd->n", ours, reference))
    cosines = np.divide(inner, product, out=np.zeros_like(inner), where=product != 0)
    gaps = np.linalg.norm(ours - reference, axis=1)
    # What should be nothing and is something differs altogether.
    differences = np.where(both_nothing, 0, np.inf)
    np.divide(gaps, lengths[1], out=differences, where=lengths[1] != 0)
    return float(np.min(cosines)), float(np.max(differences))
