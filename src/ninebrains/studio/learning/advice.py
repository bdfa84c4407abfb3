"""Plain advice after learning: what would help most, each sentence with the photos it is about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ninebrains.brains.manifest import Metrics
from ninebrains.studio.answers import Answers
from ninebrains.studio.learning.examples import LEAST_PHOTOS, Situation
from ninebrains.studio.store.labels import num_photos
from ninebrains.trunks import DEFAULT_TRUNK

_WANTED = 30
"""Photos of a label from which on more of them are no longer the first thing to do."""
_FEW_TESTED = 30
_WIDE = 0.2
_CONFUSED = 3
_DOUBTS_FROM = 0.8
_MOST_DOUBTED = 0.15
_GOOD = 0.95
_MANY_STRANGERS = 0.05
_MOST = 6


@dataclass(frozen=True)
class Advice:
    """One thing to do.

    Attributes:
        text: in words.
        view: the photos that it is about, as `listing.list_photos` takes it, or None.
        kind: `photos`, `confused`, `errors`, `strangers`, `trunk`, `test` or `review`.
        ids: some of those photos, the most telling first.
    """

    text: str
    view: str | None
    kind: str
    ids: tuple[int, ...] = ()

    def plain(self) -> dict[str, Any]:
        """For the page, and to be kept."""
        return asdict(self)


def before_learning(situation: Situation) -> str:
    """What is missing before anything can be learnt; empty where nothing is."""
    counts = _counts(situation, part="train")
    if len(situation.learnt) >= 2:
        return ""
    unreadable = sum(situation.unreadable.values())
    if not situation.photos and unreadable:
        return f"None of the photos can be read ({num_photos(unreadable)}): see what is unreadable."
    if not situation.photos:
        return "Add photos to begin."
    if len(situation.labels) < 2:
        return "Give photos at least two different labels; then learning begins by itself."
    short = [label.name for label in situation.labels if counts.get(label.id, 0) < LEAST_PHOTOS]
    held = sum(one.part == "test" and one.label is not None for one in situation.photos)
    more = f" ({num_photos(held)} are held out to measure on)" if held else ""
    bad = sum(situation.unreadable.get(one.id, 0) for one in situation.labels if one.name in short)
    also = f" {num_photos(bad)} of these cannot be read." if bad else ""
    return f"Label a few more photos of {_listed(short)}{more}; learning begins by itself.{also}"


def advise(
    situation: Situation, metrics: Metrics, answers: Answers, trunk: str
) -> tuple[Advice, ...]:
    """What would help most, the most urgent first."""
    found = [
        *_left_out(situation),
        *_few(situation),
        *_doubted(answers),
        *_confused(situation, answers),
        *_untested(metrics, situation),
        *_more(metrics),
        *_strange(answers),
        *_stronger(metrics, trunk),
    ]
    return tuple(found[:_MOST])


def _counts(situation: Situation, part: str | None = None) -> Mapping[int, int]:
    counts: dict[int, int] = {}
    for photo in situation.photos:
        if photo.label is not None and part in (None, photo.part):
            counts[photo.label] = counts.get(photo.label, 0) + 1
    return counts


def _left_out(situation: Situation) -> Iterator[Advice]:
    """Labels that were not learnt."""
    learnt = {label.id for label in situation.learnt}
    for label in situation.labels:
        if label.id not in learnt:
            bad = situation.unreadable.get(label.id, 0)
            also = f" {num_photos(bad)} of it cannot be read." if bad else ""
            yield Advice(
                f"{label.name} is not learnt yet: it needs {LEAST_PHOTOS} photos beside those that "
                f"are held out to measure on.{also} Label a few more.",
                f"label:{label.id}",
                "photos",
            )


def _few(situation: Situation) -> Iterator[Advice]:
    """Labels with few photos beside the others."""
    counts = _counts(situation)
    learnt = sorted(situation.learnt, key=lambda label: counts.get(label.id, 0))
    for label in learnt[:3]:
        has = counts.get(label.id, 0)
        if has < _WANTED:
            rounded = max(5, round((_WANTED - has) / 5) * 5)
            yield Advice(
                f"{label.name} has {num_photos(has)}: add about {rounded}.",
                f"label:{label.id}",
                "photos",
            )


def _doubted(answers: Answers) -> Iterator[Advice]:
    """Labels that are probably wrong."""
    rows = np.flatnonzero(answers.suspect > 0)
    labelled = answers.given > 0
    right = float((answers.top == answers.given)[labelled].mean())
    if not len(rows) or (right < _DOUBTS_FROM and len(rows) > _MOST_DOUBTED * labelled.sum()):
        return  # nothing, or so much that the brain is to blame rather than the labels
    worst = rows[np.argsort(answers.quality[rows])]
    what = "1 label looks" if len(rows) == 1 else f"{len(rows):,} labels look"
    yield Advice(
        f"{what} wrong: check them first, it costs the least.",
        "errors",
        "errors",
        tuple(answers.ids[worst[:6]].tolist()),
    )


def _confused(situation: Situation, answers: Answers) -> Iterator[Advice]:
    """The two labels that are taken for each other most."""
    names = {label.id: label.name for label in situation.learnt}
    rows = np.flatnonzero((answers.given > 0) & (answers.top != answers.given))
    pairs: dict[tuple[int, int], list[int]] = {}
    for row in rows.tolist():
        pair = (int(answers.given[row]), int(answers.top[row]))
        if pair[0] in names and pair[1] in names:
            pairs.setdefault((min(pair), max(pair)), []).append(row)
    if not pairs:
        return
    (one, other), wrong = max(pairs.items(), key=lambda item: (len(item[1]), item[0]))
    if len(wrong) < _CONFUSED:
        return
    surest = sorted(wrong, key=lambda row: -float(answers.sure[row]))[:6]
    held = int(answers.is_test[wrong].sum())
    yield Advice(
        f"{names[one]} and {names[other]} are taken for each other {len(wrong)} times ({held} of "
        "the photos held out to measure on, as in Mix-ups, the rest of those learnt from, each "
        f"left out in its turn): look at these {len(surest)} photos. Do they show what the labels "
        "say, and what tells them apart?",
        f"between:{one},{other}",
        "confused",
        tuple(int(answers.ids[row]) for row in surest),
    )


def _untested(metrics: Metrics, situation: Situation) -> Iterator[Advice]:
    """Too few photos to tell."""
    accuracy = metrics.accuracy
    if metrics.num_test == 0:
        yield Advice(
            "Nothing is held out to measure on yet; label more photos to see how good it is.",
            "unlabelled",
            "test",
        )
    elif accuracy and (metrics.num_test < _FEW_TESTED or accuracy.high - accuracy.low > _WIDE):
        wanted = max(20, 5 * (_FEW_TESTED - metrics.num_test))
        unlabelled = sum(photo.label is None for photo in situation.photos)
        how = "Label" if unlabelled else "Add and label"
        yield Advice(
            f"Too few photos to tell how good it is: measured on {metrics.num_test}. {how} about "
            f"{wanted} more.",
            "unlabelled" if unlabelled else None,
            "test",
        )


def _more(metrics: Metrics) -> Iterator[Advice]:
    """What the learning curve says."""
    if metrics.learning_curve is not None:
        yield Advice(metrics.learning_curve.verdict, None, "photos")


def _strange(answers: Answers) -> Iterator[Advice]:
    """Photos that are like none that was learnt from."""
    unlabelled = answers.given == 0
    rows = np.flatnonzero(unlabelled & (answers.unfamiliar > 1.0))
    if len(rows) and len(rows) > _MANY_STRANGERS * max(1, int(unlabelled.sum())):
        furthest = rows[np.argsort(-answers.unfamiliar[rows])][:6]
        yield Advice(
            f"{num_photos(len(rows))} without a label look like none that was learnt from: label "
            "some of them, or make a label for them.",
            "strangers",
            "strangers",
            tuple(answers.ids[furthest].tolist()),
        )


def _stronger(metrics: Metrics, trunk: str) -> Iterator[Advice]:
    accuracy = metrics.accuracy
    if trunk == DEFAULT_TRUNK and accuracy is not None and accuracy.value < _GOOD:
        yield Advice(
            f"{trunk} is a small trunk; a stronger one may tell more apart, and takes longer.",
            None,
            "trunk",
        )


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"
