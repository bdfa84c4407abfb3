"""Which given labels are probably wrong: confident learning on scores of photos not learnt from.

Northcutt, Jiang and Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels" (2021).
A photo is suspected when a label other than its own scores at least as high as that label does on
the average photo that carries it, or at least 0.9: where labels are easy to tell apart the average
is so high that a plain mistake may stay below it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ninebrains.training.basis import Floats

SURE = 0.9


def label_quality(probabilities: Floats, given: npt.NDArray[np.int64]) -> Floats:
    """How well each given label fits, 0 to 1: half of 1 + its score - the best other score.

    Args:
        probabilities: [n, C], out-of-sample.
        given: [n], indices of the given labels.
    """
    rows = np.arange(len(given))
    own = probabilities[rows, given]
    others = probabilities.copy()
    others[rows, given] = -np.inf
    return np.asarray((1.0 + own - others.max(axis=1)) / 2.0)


def suspect_labels(probabilities: Floats, given: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The label that each photo more likely shows, or -1 where its own is not suspected: [n]."""
    num_labels = probabilities.shape[1]
    counts = np.maximum(np.bincount(given, minlength=num_labels), 1)
    own = probabilities[np.arange(len(given)), given]
    average = np.bincount(given, weights=own, minlength=num_labels) / counts
    usual = np.minimum(average, SURE)
    # A label without photos has no usual score and cannot be suggested.
    usual[np.bincount(given, minlength=num_labels) == 0] = np.inf
    confident = np.where(probabilities >= usual, probabilities, -1.0)
    suggested = confident.argmax(axis=1)
    doubted = (confident.max(axis=1) > 0) & (suggested != given)
    doubted &= probabilities[np.arange(len(given)), suggested] > own
    return np.where(doubted, suggested, -1).astype(np.int64)
