"""Answers in few numbers that can be added: over hours, and over workers."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ninebrains.brains.reference import (
    NUM_DIRECTIONS,
    NUM_STEPS,
    along_directions,
    count_unfamiliar,
)

if TYPE_CHECKING:
    from ninebrains.brains import Inference
    from ninebrains.brains.manifest import Reference, Spread

Floats = npt.NDArray[np.float64]

_MOST_FEATURES = 256
"""Of one batch of answers; more would hardly make means more exact."""


@dataclass
class Moments:
    """Number, sums and sums of squares of figures [k]."""

    num: int
    sums: Floats
    squares: Floats

    @classmethod
    def none(cls, width: int) -> Moments:
        """Of nothing."""
        return cls(0, np.zeros(width), np.zeros(width))

    @classmethod
    def of(cls, rows: Floats) -> Moments:
        """Of rows [n, k]."""
        return cls(len(rows), rows.sum(axis=0), (rows**2).sum(axis=0))

    @classmethod
    def like(cls, num: int, spreads: Sequence[Spread]) -> Moments:
        """Of `num` rows with these means and deviations."""
        means = np.array([spread.mean for spread in spreads])
        deviations = np.array([spread.deviation for spread in spreads])
        return cls(num, means * num, (means**2 + deviations**2) * num)

    def __add__(self, other: Moments) -> Moments:
        return Moments(self.num + other.num, self.sums + other.sums, self.squares + other.squares)

    @property
    def means(self) -> Floats:
        """[k]."""
        return self.sums / max(self.num, 1)

    @property
    def deviations(self) -> Floats:
        """Standard deviations [k]."""
        variances = self.squares / max(self.num, 1) - self.means**2
        return np.asarray(np.sqrt(np.maximum(variances, 0.0)))


@dataclass
class Tally:
    """What a version answered.

    Attributes:
        num: answers.
        answers: by index of the top label.
        unfamiliar: by step, [NUM_STEPS].
        rejected: answered "none of these".
        features: along the directions, of some of the answers.
        values: what a regression brain measured.
    """

    num: int = 0
    answers: Counter[int] = field(default_factory=Counter)
    unfamiliar: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(NUM_STEPS, np.int64))
    rejected: int = 0
    features: Moments = field(default_factory=lambda: Moments.none(NUM_DIRECTIONS))
    values: Moments = field(default_factory=lambda: Moments.none(1))

    @classmethod
    def of(cls, inferences: Sequence[Inference]) -> Tally:
        """Of the answers of one version."""
        ranked = [one for one in inferences if not one.is_measured and len(one.answers)]
        measured = [one.answers[:1] for one in inferences if one.is_measured]
        far = [one.unfamiliar for one in inferences if one.unfamiliar is not None]
        with_features = [one.features for one in inferences if one.features is not None]
        some = with_features[:: max(1, len(with_features) // _MOST_FEATURES)]
        tally = cls(
            num=len(inferences),
            answers=Counter(int(one.answers.argmax()) for one in ranked),
            unfamiliar=count_unfamiliar(np.array(far, np.float64)),
            rejected=sum(score > 1.0 for score in far),
        )
        if some:
            tally.features = Moments.of(_finite(along_directions(np.stack(some))))
        if measured:
            tally.values = Moments.of(_finite(np.stack(measured).astype(np.float64)))
        return tally

    @classmethod
    def trained(cls, reference: Reference) -> Tally:
        """Of training. For means, copies of a photo count once: they make none more certain."""
        far = np.array(reference.unfamiliar, np.int64)
        return cls(
            num=reference.num_different,
            answers=Counter({index: num for index, num in enumerate(reference.answers) if num > 0}),
            unfamiliar=far,
            rejected=int(far[_THRESHOLD:].sum()),
            features=Moments.like(reference.num_different, reference.features),
            values=Moments.like(reference.num_different, [reference.values])
            if reference.values
            else Moments.none(1),
        )

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.num + other.num,
            self.answers + other.answers,
            self.unfamiliar + other.unfamiliar,
            self.rejected + other.rejected,
            self.features + other.features,
            self.values + other.values,
        )

    def to_json(self) -> str:
        """As text for the ledger."""
        return json.dumps(
            {
                "num": self.num,
                "answers": sorted(self.answers.items()),
                "unfamiliar": [
                    (int(step), int(self.unfamiliar[step]))
                    for step in np.flatnonzero(self.unfamiliar)
                ],
                "rejected": self.rejected,
                "features": _plain(self.features),
                "values": _plain(self.values),
            }
        )

    @classmethod
    def from_json(cls, text: str) -> Tally:
        """What `to_json` wrote."""
        plain = json.loads(text)
        far = np.zeros(NUM_STEPS, np.int64)
        for step, num in plain["unfamiliar"]:
            far[step] = num
        return cls(
            plain["num"],
            Counter(dict(plain["answers"])),
            far,
            plain["rejected"],
            _moments(plain["features"], NUM_DIRECTIONS),
            _moments(plain["values"], 1),
        )


_THRESHOLD = round((NUM_STEPS - 1) / 2)  # the step that begins at 1.0


def total(tallies: Iterable[Tally]) -> Tally:
    """All of them in one."""
    return sum(tallies, Tally())


def _finite(rows: Floats) -> Floats:
    return rows[np.isfinite(rows).all(axis=1)]


def _plain(moments: Moments) -> list[object]:
    return [moments.num, moments.sums.tolist(), moments.squares.tolist()] if moments.num else []


def _moments(plain: Sequence[object], width: int) -> Moments:
    if not plain:
        return Moments.none(width)
    num, sums, squares = plain
    assert isinstance(num, int)
    return Moments(num, np.array(sums, np.float64), np.array(squares, np.float64))
