"""A test part that no group is half in, and the first photos a class of what is left."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]
_MOST_TRIES = 50


def hold_out(labels: Rows, groups: Rows, share: float, seed: int) -> tuple[Rows, Rows]:
    """Rows to learn from and rows to test on; a group is on one side only.

    Groups come in random order, and each goes to the test if that brings the classes nearer to
    their shares. Where groups are large this is done several times and the best result taken.

    Args:
        labels: [n], 0 to K - 1.
        groups: [n].
        share: of each class, wanted in the test.
        seed: another seed gives another test part.

    Raises:
        ValueError: a class has too few groups to be on both sides.
    """
    rng = np.random.default_rng(seed)
    _, own = np.unique(groups, return_inverse=True)
    counts = np.zeros((own.max() + 1, labels.max() + 1))
    np.add.at(counts, (own, labels), 1)
    totals = counts.sum(axis=0)
    wanted = np.maximum(np.round(share * totals), 1)
    best, least = np.zeros(len(counts), bool), np.inf
    for _ in range(_MOST_TRIES):
        chosen, missed = _greedy(counts, wanted, totals, rng)
        tested = counts[chosen].sum(axis=0)
        if missed < least and (tested > 0).all() and (tested < totals).all():
            best, least = chosen, missed
        if least == 0.0:
            break
    if least == np.inf:
        raise ValueError("a class has too few groups to learn from some and test on others")
    is_test = best[own]
    return np.flatnonzero(~is_test), np.flatnonzero(is_test)


def _greedy(
    counts: npt.NDArray[np.float64],
    wanted: npt.NDArray[np.float64],
    totals: npt.NDArray[np.float64],
    rng: np.random.Generator,
) -> tuple[npt.NDArray[np.bool_], float]:
    """Which groups [G] are tested on, and how far the classes are from what was wanted."""
    chosen = np.zeros(len(counts), bool)
    lacking = wanted.copy()
    missed = float((lacking**2 / totals).sum())
    for group in rng.permutation(len(counts)):
        after = lacking - counts[group]
        missed_after = float((after**2 / totals).sum())
        if missed_after < missed:
            chosen[group], lacking, missed = True, after, missed_after
    return chosen, missed


def draw(labels: Rows, train: Rows, num_each: int | None, seed: int) -> Rows:
    """`num_each` training rows of each class, or all that a class has; ascending.

    With one seed a smaller number gives a part of what a larger one gives.
    """
    if num_each is None:
        return train
    shuffled = np.random.default_rng([seed, 1]).permutation(train)
    chosen = [shuffled[labels[shuffled] == name][:num_each] for name in np.unique(labels)]
    return np.sort(np.concatenate(chosen))
