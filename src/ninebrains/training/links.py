"""From raw scores to answers, by task: probabilities of one label, of each label, or a plain value.

Every link has the same three functions, so that heads, calibration and measuring need no special
cases.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from ninebrains.training.basis import Floats


class Link(Protocol):
    """How raw scores [n, K] become answers [n, K], and how wrong they are."""

    def probabilities(self, scores: Floats) -> Floats:
        """Answers [n, K]."""

    def losses(self, scores: Floats, targets: Floats) -> Floats:
        """One loss for each photo, [n]: log-loss or squared error."""

    def gradient(self, scores: Floats, targets: Floats) -> Floats:
        """Derivative of the losses by the scores, [n, K]."""


class Softmax:
    """One of K labels; log-loss."""

    def probabilities(self, scores: Floats) -> Floats:
        """Softmax over the labels."""
        shifted = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))

    def losses(self, scores: Floats, targets: Floats) -> Floats:
        """Cross-entropy with one-hot targets."""
        top = scores.max(axis=1, keepdims=True)
        total = np.log(np.exp(scores - top).sum(axis=1)) + top[:, 0]
        return np.asarray(total - (scores * targets).sum(axis=1))

    def gradient(self, scores: Floats, targets: Floats) -> Floats:
        """Probability minus target."""
        return self.probabilities(scores) - targets


class Sigmoid:
    """Any of K labels; mean binary log-loss over the labels."""

    def probabilities(self, scores: Floats) -> Floats:
        """The logistic function of each score, without overflow."""
        return np.asarray(0.5 * (1.0 + np.tanh(0.5 * scores)))

    def losses(self, scores: Floats, targets: Floats) -> Floats:
        """Binary cross-entropy, averaged over the labels."""
        return np.asarray((np.logaddexp(0.0, scores) - scores * targets).mean(axis=1))

    def gradient(self, scores: Floats, targets: Floats) -> Floats:
        """Probability minus target, averaged over the labels."""
        return np.asarray((self.probabilities(scores) - targets) / targets.shape[1])


class Identity:
    """A number; squared error."""

    def probabilities(self, scores: Floats) -> Floats:
        """The score itself is the value."""
        return scores

    def losses(self, scores: Floats, targets: Floats) -> Floats:
        """Squared error, summed over the targets."""
        return np.asarray(((scores - targets) ** 2).sum(axis=1))

    def gradient(self, scores: Floats, targets: Floats) -> Floats:
        """Twice the error."""
        return 2.0 * (scores - targets)


LINKS: dict[str, Link] = {"classify": Softmax(), "multilabel": Sigmoid(), "regress": Identity()}
