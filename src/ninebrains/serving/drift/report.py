"""What is said of one version: its answers now, what they are held against, and the measures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Literal

from ninebrains.brains.manifest import Label
from ninebrains.serving.drift import measures
from ninebrains.serving.drift.measures import Measure, Verdict
from ninebrains.serving.drift.tally import Tally

Source = Literal["training", "first answers", "nothing yet"]

FIRST = 500
"""Answers that a brain without a reference is held against."""

_WORST: tuple[Verdict, ...] = ("drift", "slight", "steady", "too few")
_MOST_LABELS = 20


@dataclass(frozen=True)
class VersionReport:
    """One version's drift.

    Attributes:
        name: of the brain.
        number: of the version.
        labels: by index.
        source: what `then` is: `training`; `first answers` here, for brains that say nothing of
            their training; or `nothing yet`, while those are being gathered.
        now: answers of the last day.
        then: what they are held against.
        measures: one for each thing that can be compared.
        hours: the answers of the last day by hour, the oldest first: (seconds since 1970, answers).
    """

    name: str
    number: int
    labels: Sequence[Label]
    source: Source
    now: Tally
    then: Tally
    measures: tuple[Measure, ...]
    hours: tuple[tuple[int, Tally], ...] = field(default=())

    @property
    def verdict(self) -> Verdict:
        """The worst of its measures."""
        found = {measure.verdict for measure in self.measures}
        return next((verdict for verdict in _WORST if verdict in found), "too few")

    @property
    def missing(self) -> str:
        """What it takes before anything can be said, in words; empty where something is said."""
        if self.verdict != "too few":
            return ""
        if self.source == "nothing yet":
            return (
                f"its first {FIRST} answers are what later ones are held against, as it says "
                f"nothing of its training; {self.then.num:,} of them are there"
            )
        if self.then.num < measures.FEW_TRAINED:
            return (
                f"it learnt from {self.then.num:,} photos; from {measures.FEW_TRAINED} on, answers "
                "can be held against them"
            )
        return (
            f"{measures.FEW} answers of the last day are needed; there are {self.now.num:,} so far"
        )

    def label(self, index: int) -> str:
        """The name of a label."""
        return self.labels[index].name if index < len(self.labels) else f"#{index}"

    def shares(self, most: int = _MOST_LABELS) -> list[tuple[str, float, float]]:
        """Label, its share of the answers now, and then; those that changed most first."""
        sizes = [max(lot.answers.total(), 1) for lot in (self.now, self.then)]
        found = [
            (
                self.label(index),
                self.now.answers[index] / sizes[0],
                self.then.answers[index] / sizes[1],
            )
            for index in sorted(self.now.answers.keys() | self.then.answers.keys())
        ]
        return sorted(found, key=lambda row: -abs(row[1] - row[2]))[:most]

    def to_dict(self) -> Mapping[str, object]:
        """Plain values for JSON."""
        return {
            "name": self.name,
            "version": self.number,
            "against": self.source,
            "verdict": self.verdict,
            "answers": self.now.num,
            "answers_then": self.then.num,
            "missing": self.missing,
            "unfamiliar_share": self.now.rejected / max(int(self.now.unfamiliar.sum()), 1),
            "unfamiliar_share_then": self.then.rejected / max(int(self.then.unfamiliar.sum()), 1),
            "population_stability_index": measures.population_stability(
                self.now.answers, self.then.answers
            ),
            "measures": {measure.name: asdict(measure) for measure in self.measures},
            "labels": [
                {"label": label, "share": now, "share_then": then}
                for label, now, then in self.shares()
            ],
        }


def measure_all(now: Tally, then: Tally) -> tuple[Measure, ...]:
    """Every measure for which there is something then."""
    found = []
    if then.answers:
        found.append(measures.answers(now.answers, then.answers))
    if then.unfamiliar.any():
        found.append(measures.unfamiliar(now.unfamiliar, then.unfamiliar))
    if then.features.num:
        found.append(measures.moved("features", now.features, then.features))
    if then.values.num:
        found.append(measures.moved("values", now.values, then.values))
    return tuple(found)
