"""What a batch costs: seconds = each * items + fixed, learned from the batches that ran.

Divided by the number of items n the model is a straight line, seconds / n = each + fixed * (1 / n),
and there the noise of a timing is about the same at every size. So that line is fitted, by least
squares that forget exponentially.
"""

from __future__ import annotations

import math

FORGETTING = 0.95
"""What one observation leaves of the weight of those before it: about the last 20 count."""

WORTH = 0.05
"""A larger batch must be able to save this share of an item's time."""

_SURPRISE = 2.0
"""An observation this many times off what was predicted says that something else happened."""

_PATIENCE = 3
"""So many slow observations in a row are not a noisy neighbour any more: they are the new cost."""

_PRIOR = 3e-4
"""Variance of 1 / n under which the sizes seen are too alike to tell `each` from `fixed`."""


class CostModel:
    """The learned cost of a lane's batches. One thread observes at a time; any may read.

    `each` is the seconds that one more item adds, `fixed` those that a batch of any size costs;
    both are 0 until something was observed.
    """

    __slots__ = ("_num_slow", "_weight", "_x", "_xx", "_xy", "_y", "each", "fixed")

    def __init__(self) -> None:
        self.each = 0.0
        self.fixed = 0.0
        self._num_slow = 0
        self._weight = self._x = self._y = self._xx = self._xy = 0.0

    def predict(self, num_items: int) -> float:
        """Return the seconds that a batch of `num_items` will take; 0 while nothing is known."""
        return self.each * num_items + self.fixed

    def best_batch(self, most: int) -> int:
        """Return the size, 1..most, beyond which a larger batch saves too little to be worth it.

        However large, a batch saves at most its fixed / n of the each + fixed / n that an item
        takes. While nothing is known `most` is right: that is how the cost is learned.
        """
        if self.each <= 0.0:
            return most
        size = (1 / WORTH - 1) * self.fixed / self.each
        return most if size >= most else max(1, math.ceil(size - 1e-9))

    def observe(self, num_items: int, seconds: float) -> None:
        """Learn from a batch of `num_items` that took `seconds`."""
        x, y = 1.0 / num_items, self._believed(num_items, seconds) / num_items
        self._forget(FORGETTING)
        self._weight += 1.0
        self._x += x
        self._y += y
        self._xx += x * x
        self._xy += x * y
        self._fit()

    def _believed(self, num_items: int, seconds: float) -> float:
        """The observation, cut down where it is surprising.

        Nothing makes a batch faster than it is, so a fast one is always believed, and what was
        learned from slower ones (a cold start) then counts for less. A slow one is believed up to
        twice the prediction, and up to twice that when the next is slow too.
        """
        predicted = self.predict(num_items)
        if predicted <= 0.0 or seconds <= predicted * _SURPRISE:
            self._num_slow = 0
            if seconds * _SURPRISE < predicted:
                self._forget(0.5)
            return seconds
        self._num_slow += 1
        if self._num_slow > _PATIENCE:
            self._forget(0.5)
            return seconds
        return min(seconds, predicted * _SURPRISE**self._num_slow)

    def _forget(self, share: float) -> None:
        self._weight *= share
        self._x *= share
        self._y *= share
        self._xx *= share
        self._xy *= share

    def _fit(self) -> None:
        """Fit the line; sizes all alike are shared out by a weak prior that `fixed` is `each`.

        That prior is what makes a lane that only ever saw single items try a larger batch.
        """
        x, y = self._x / self._weight, self._y / self._weight
        variance = max(0.0, self._xx / self._weight - x * x)
        covariance = self._xy / self._weight - x * y
        prior = y / (1.0 + x)
        fixed = max(0.0, (covariance + _PRIOR * prior) / (variance + _PRIOR))
        self.fixed = min(fixed, y / x)
        self.each = max(0.0, y - self.fixed * x)
