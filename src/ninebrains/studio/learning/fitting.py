"""From a situation to what is learnt from it: quickly, or in full with a brain."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from ninebrains.brains.manifest import Metrics
from ninebrains.studio.answers import Answers
from ninebrains.studio.learning.examples import Situation, as_brain_labels, as_dataset
from ninebrains.studio.learning.shelf import Shelf
from ninebrains.training.arranging import Material, arrange
from ninebrains.training.label_errors import label_quality, suspect_labels
from ninebrains.training.links import LINKS
from ninebrains.training.recipe import Recipe
from ninebrains.training.studying import Fitted, calm_algebra, fit_study, measure_study
from ninebrains.training.training import Trained, beats_guessing, fit_extracted

_Value = TypeVar("_Value", bound=np.generic)


@dataclass(frozen=True)
class Lesson:
    """What was learnt from a situation.

    Attributes:
        situation: that it was learnt from.
        ids: of the photos that were learnt from or held out, in the rows' order.
        material: the same as numbers.
        fitted: what was learnt.
        metrics: measured on photos held out.
        trained: the brain and its record, where it was learnt in full.
    """

    situation: Situation
    ids: tuple[int, ...]
    material: Material
    fitted: Fitted
    metrics: Metrics
    trained: Trained | None = None


def learn_quickly(root: Path, situation: Situation, shelf: Shelf) -> Lesson:
    """A first answer, without a brain and without a learning curve.

    Raises:
        DataError: nothing can be learnt.
    """
    examples = [photo for photo in situation.examples if photo.id in shelf]
    recipe = Recipe(quick=True)
    dataset = as_dataset(root, situation, examples)
    labels = as_brain_labels(situation.learnt)
    with calm_algebra(len(examples) * shelf.trunk.num_features):
        material = arrange(dataset, shelf.extraction(examples), recipe, labels=labels)
        fitted = fit_study(material.study, recipe)
        metrics = measure_study(material.study, fitted, recipe)
    return Lesson(situation, tuple(one.id for one in examples), material, fitted, metrics)


def learn_fully(
    root: Path, situation: Situation, shelf: Shelf, name: str, step: Callable[[str], None]
) -> Lesson:
    """What `train` does with the same photos and parts, to the same numbers.

    Raises:
        DataError: nothing can be learnt.
    """
    examples = [photo for photo in situation.examples if photo.id in shelf]
    trained = fit_extracted(
        as_dataset(root, situation, examples),
        shelf.extraction(examples),
        shelf.trunk,
        recipe=Recipe(),
        name=name,
        labels=as_brain_labels(situation.learnt),
        step=step,
    )
    metrics = trained.brain.metrics
    assert metrics is not None
    ids = tuple(one.id for one in examples)
    return Lesson(situation, ids, trained.material, trained.fitted, metrics, trained)


def answers_of(lesson: Lesson, shelf: Shelf, run: int = 0) -> Answers:
    """What was learnt, said of every photo whose features are there.

    Of photos that were learnt from, answers are those of fits without them.
    """
    situation, fitted, study = lesson.situation, lesson.fitted, lesson.material.study
    photos = [photo for photo in situation.photos if photo.id in shelf]
    ids = np.array([photo.id for photo in photos], np.int64)
    scores, unfamiliar = answer(fitted, shelf.features(ids.tolist()))
    rows = np.searchsorted(ids, np.array(lesson.ids, np.int64))
    used = np.sort(np.concatenate([study.train, study.test]))
    scores[rows[used]] = fitted.answers[used]
    known = ~np.isnan(fitted.unfamiliar)
    unfamiliar[rows[known]] = fitted.unfamiliar[known]
    suspect, quality = np.zeros(len(ids), np.int64), np.full(len(ids), np.nan, np.float32)
    labels = np.array([label.id for label in situation.learnt], np.int64)
    given = study.targets.groups[used]
    quality[rows[used]] = label_quality(fitted.answers[used], given)
    if beats_guessing(lesson.metrics, study):
        doubted = suspect_labels(fitted.answers[used], given)
        suspect[rows[used]] = np.where(doubted >= 0, labels[doubted], 0)
    is_test = np.zeros(len(ids), bool)
    is_test[rows[study.test]] = True
    own = np.array([photo.label or 0 for photo in photos], np.int64)
    return Answers(run, labels, ids, scores, unfamiliar, own, is_test, suspect, quality)


def extended(answers: Answers, lesson: Lesson, shelf: Shelf, ids: Sequence[int]) -> Answers:
    """The answers with those on more photos, whose features have come since."""
    more = np.setdiff1d(np.array(ids, np.int64), answers.ids)
    if not len(more):
        return answers
    scores, unfamiliar = answer(lesson.fitted, shelf.features(more.tolist()))
    order = np.argsort(np.concatenate([answers.ids, more]))
    num = len(more)

    def joined(old: npt.NDArray[_Value], new: npt.NDArray[_Value]) -> npt.NDArray[_Value]:
        both: npt.NDArray[_Value] = np.concatenate([old, new])[order]
        return both

    return replace(
        answers,
        ids=joined(answers.ids, more),
        scores=joined(answers.scores, scores),
        unfamiliar=joined(answers.unfamiliar, unfamiliar),
        given=joined(answers.given, np.zeros(num, np.int64)),
        is_test=joined(answers.is_test, np.zeros(num, bool)),
        suspect=joined(answers.suspect, np.zeros(num, np.int64)),
        quality=joined(answers.quality, np.full(num, np.nan, np.float32)),
        _rows={},
    )


def answer(
    fitted: Fitted, features: npt.NDArray[np.float32]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Scores [n, C] and `unfamiliar` [n] of features [n, D], as the brain's graph computes them."""
    raw = features @ fitted.weights.T.astype(np.float32) + fitted.bias.astype(np.float32)
    scores = LINKS["classify"].probabilities(raw.astype(np.float64)).astype(np.float32)
    if not len(features):
        return scores, np.zeros(0, np.float32)
    return scores, fitted.familiarity.scores(features).astype(np.float32)
