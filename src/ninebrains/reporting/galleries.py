"""Which photos to show: sure and right, least sure, sure and wrong, suspicious, unfamiliar."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ninebrains.brains.manifest import Label, Metrics, Task
from ninebrains.reporting.wording import percent
from ninebrains.training.record import Outcome, Record

MOST_LABELS = 12
MOST_SUSPECTS = 24
MOST_UNFAMILIAR = 6
SURE = 0.7
"""From this score on, an answer counts as sure."""

_EACH, _EACH_OF_MANY, _MANY = 6, 3, 5  # photos a gallery; fewer when there are more labels than 5


@dataclass(frozen=True)
class Gallery:
    """Photos to look at together; `empty` says why there may be none."""

    title: str
    meaning: str
    empty: str
    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True)
class LabelGalleries:
    """The galleries of one label, or of all photos (regression)."""

    title: str
    galleries: tuple[Gallery, ...]


@dataclass(frozen=True)
class Selection:
    """Everything that a page shows of a record.

    Attributes:
        by_label: galleries.
        num_labels_left_out: labels without galleries, because others did worse.
        suspects: suspected label errors, the most suspicious first; some of them.
        unfamiliar: rejected test photos, the strangest first; some of them.
    """

    by_label: tuple[LabelGalleries, ...] = ()
    num_labels_left_out: int = 0
    suspects: tuple[Outcome, ...] = ()
    unfamiliar: tuple[Outcome, ...] = ()

    @property
    def outcomes(self) -> list[Outcome]:
        """All photos that are shown."""
        shown = [
            outcome
            for label in self.by_label
            for gallery in label.galleries
            for outcome in gallery.outcomes
        ]
        return [*shown, *self.suspects, *self.unfamiliar]


def select(record: Record, task: Task, labels: Sequence[Label], metrics: Metrics) -> Selection:
    """Choose the photos of a page; test photos come before training photos everywhere."""
    shown = worst_labels(labels, metrics)[:MOST_LABELS]
    each = _EACH if len(shown) <= _MANY else _EACH_OF_MANY
    if task == "regress":
        by_label: tuple[LabelGalleries, ...] = (_value_galleries(record.outcomes, each),)
    else:
        by_label = tuple(_galleries(record.outcomes, label, task, each) for label in shown)
    strange = [
        outcome
        for outcome in record.outcomes
        if outcome.split == "test" and (outcome.unfamiliar or 0.0) > 1.0
    ]
    return Selection(
        by_label,
        0 if task == "regress" else len(labels) - len(shown),
        tuple(record.suspects[:MOST_SUSPECTS]),
        _first(strange, lambda outcome: -(outcome.unfamiliar or 0.0), MOST_UNFAMILIAR),
    )


def worst_labels(labels: Sequence[Label], metrics: Metrics) -> list[Label]:
    """Labels in their own order where all fit, else those that did worst, the worst first."""
    if len(labels) <= MOST_LABELS:
        return list(labels)
    quality = {
        item.label_id: item.f1 if item.average_precision is None else item.average_precision
        for item in metrics.labels
    }

    def key(label: Label) -> tuple[float, int]:
        value = quality.get(label.id)
        return (2.0 if value is None else value, label.index)

    return sorted(labels, key=key)


def is_right(outcome: Outcome) -> bool:
    """Whether the top label is one that people gave."""
    return outcome.answer in outcome.given


def _galleries(outcomes: Iterable[Outcome], label: Label, task: Task, each: int) -> LabelGalleries:
    every = list(outcomes)
    own = [outcome for outcome in every if label.index in outcome.given]
    right = [outcome for outcome in own if outcome.answer == label.index]
    # With several labels a photo's wrong answer belongs to the label that was answered.
    wrong = [
        outcome
        for outcome in (every if task == "multilabel" else own)
        if not is_right(outcome) and (task != "multilabel" or outcome.answer == label.index)
    ]
    surest = _first(right, lambda outcome: -outcome.score, each)
    mistaken = _first(
        (outcome for outcome in wrong if outcome.score >= SURE),
        lambda outcome: -outcome.score,
        each,
    )
    shown = {outcome.path for outcome in (*surest, *mistaken)}
    unsure = [outcome for outcome in own if outcome.path not in shown]
    return LabelGalleries(
        label.name,
        (
            Gallery("Most sure, and right", "Typical for the label.", "None was right.", surest),
            Gallery(
                "Least sure",
                "Photos like these are where more examples help most.",
                "No further photos.",
                _first(unsure, lambda outcome: outcome.score, each),
            ),
            Gallery(
                "Sure, but wrong",
                "Look for a wrong label, or for something else that misled it.",
                f"None: no wrong answer was as sure as {percent(SURE, 0)}."
                if wrong
                else "None was wrong.",
                mistaken,
            ),
        ),
    )


def _value_galleries(outcomes: Iterable[Outcome], each: int) -> LabelGalleries:
    every = [item for item in outcomes if item.value is not None and item.target is not None]
    above = [outcome for outcome in every if _error(outcome) > 0]
    below = [outcome for outcome in every if _error(outcome) < 0]
    return LabelGalleries(
        "All photos",
        (
            Gallery(
                "Closest",
                "Typical photos.",
                "No photos.",
                _first(every, lambda outcome: abs(_error(outcome)), each),
            ),
            Gallery(
                "Answered much too high",
                "Look for a wrong number, or for what misled it.",
                "None.",
                _first(above, lambda outcome: -_error(outcome), each),
            ),
            Gallery(
                "Answered much too low",
                "Look for a wrong number, or for what misled it.",
                "None.",
                _first(below, _error, each),
            ),
        ),
    )


def _error(outcome: Outcome) -> float:
    return (outcome.value or 0.0) - (outcome.target or 0.0)


def _first(
    outcomes: Iterable[Outcome], key: Callable[[Outcome], float], most: int
) -> tuple[Outcome, ...]:
    """The first few by `key`, test photos before training photos; ties by name."""
    order = sorted(outcomes, key=lambda item: (item.split != "test", key(item), item.path))
    return tuple(order[:most])
