"""A head for every network, and how right it is on photos that its fit had not seen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ninebrains.brains import Brain
from ninebrains.brains.manifest import Estimate, Task
from ninebrains.exporting.answers import Answers
from ninebrains.exporting.choosing.lessons import Lesson
from ninebrains.exporting.choosing.networks import Network
from ninebrains.exporting.comparing import mean_estimate, rightness
from ninebrains.photos import Dataset
from ninebrains.training.arranging import arrange
from ninebrains.training.extracting import extract
from ninebrains.training.links import LINKS
from ninebrains.training.measuring import wilson
from ninebrains.training.studying import calm_algebra, fit_study
from ninebrains.training.training import make_brain

Doubles = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]

_LEAST_SCORE = 1 / 512
"""Scores are compared from here on: those of whole-number artefacts come in steps of 1/256."""


@dataclass(frozen=True)
class Learnt:
    """What a network's head learnt from the training photos. Rows of all of it agree.

    Attributes:
        network: the trunk.
        brain: trunk and head, without figures; for building artefacts of it.
        paths: of the photos, n.
        targets: [n, K], what people said.
        raw: [n, K], scores of each photo from fits that had not seen it.
        own: [n, K], the brain's own answers.
        num_different: how many the photos are when copies count once.
    """

    network: Network
    brain: Brain
    paths: tuple[Path, ...]
    targets: Doubles
    raw: Doubles
    own: Doubles
    num_different: int

    @property
    def task(self) -> Task:
        """Of the brain."""
        return self.brain.task

    def right(self) -> Doubles:
        """How right each out-of-sample answer is, [n]; see `comparing.rightness`."""
        return self._right(self.raw, self.targets)

    def right_after(self, answers: Answers, places: Places) -> Doubles:
        """The same with what an artefact changes, [n].

        What 8 bits do to a photo's raw scores hardly depends on whether the photo was learnt from.
        So the artefact's change of the brain's own scores is added to those of the fit that had not
        seen the photo. Photos that the artefact was not asked about lose what the others do on
        average.

        Args:
            answers: of the artefact on some of the photos.
            places: which these are, in the order in which they were asked.
        """
        rows = places[answers.places]
        output = "values" if self.task == "regress" else "scores"
        given = answers.outputs[output].astype(np.float64)
        changed = self.raw[rows] + _raw(self.task, given) - _raw(self.task, self.own[rows])
        before = self.right()
        after = self._right(changed, self.targets[rows])
        found = np.asarray(before + (after.mean() - before[rows].mean()), np.float64)
        found[rows] = after
        return found

    def _right(self, raw: Doubles, targets: Doubles) -> Doubles:
        answers = LINKS[self.task].probabilities(raw).astype(np.float32)
        return rightness(self.task, answers, targets)

    def quality(self, right: Doubles) -> Estimate:
        """The mean of `right` with its 95 % interval; copies of a photo count once."""
        if self.task != "classify":
            return mean_estimate(self.task, right)
        share = min(max(float(right.mean()), 0.0), 1.0)
        return wilson(share * self.num_different, self.num_different)


def learn(brain: Brain, lesson: Lesson, dataset: Dataset, network: Network) -> Learnt:
    """Train a head on a network, from the photos to choose on.

    Args:
        brain: whose labels and name it gets.
        lesson: whose recipe is followed.
        dataset: `lesson.learnt_from()`, all of which is learnt from.
        network: the trunk.

    Raises:
        DataError: too few photos can be read.
    """
    trunk, recipe = replace(network.trunk), lesson.recipe  # a copy lets go of what it compiles
    extraction = extract(trunk, dataset.photos, limits=recipe.limits, flip=recipe.flip)
    material = arrange(dataset, extraction, recipe, labels=brain.labels, holds_out=False)
    study = material.study
    with calm_algebra(study.features.size):
        fitted = fit_study(study, recipe)
    rows = study.train
    own = study.features[rows].astype(np.float64) @ fitted.weights.T + fitted.bias
    return Learnt(
        network=network,
        brain=replace(make_brain(material, fitted, trunk, recipe, brain.name)),
        paths=tuple(material.dataset.photos[row].path for row in rows),
        targets=np.asarray(study.targets.matrix[rows], np.float64),
        raw=np.asarray(fitted.raw[rows], np.float64),
        own=np.asarray(LINKS[study.task].probabilities(own), np.float64),
        num_different=len(np.unique(study.copies[rows])),
    )


def _raw(task: Task, answers: Doubles) -> Doubles:
    """Answers as raw scores again, up to what makes no difference."""
    if task == "regress":
        return answers
    clipped = np.clip(answers, _LEAST_SCORE, 1.0 if task == "classify" else 1.0 - _LEAST_SCORE)
    return np.asarray(np.log(clipped) if task == "classify" else np.log(clipped / (1.0 - clipped)))
