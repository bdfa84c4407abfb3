"""From two sets of answers to the figures of a receipt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ninebrains.brains import Brain
from ninebrains.brains.interface import answer_output
from ninebrains.brains.manifest import Task
from ninebrains.errors import ExportError
from ninebrains.exporting.answers import Answers
from ninebrains.exporting.comparing import (
    heatmap_correlations,
    lost_quality,
    mean_estimate,
    rightness,
    same_answers,
)
from ninebrains.exporting.photos import Proof, Targets
from ninebrains.exporting.receipt import (
    Agreement,
    Disagreement,
    Measure,
    Photos,
    Quality,
    shown,
)
from ninebrains.training.calibrating import calibration
from ninebrains.training.measuring import wilson

MOST_LISTED = 200
_MEASURES: dict[Task, Measure] = {
    "classify": "accuracy",
    "multilabel": "right decisions",
    "regress": "mean absolute error",
}
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Compared:
    """The answers of both on the photos that both could read."""

    brain: dict[str, Floats]
    export: dict[str, Floats]
    places: npt.NDArray[np.int64]
    photos: Photos


def bring_together(proof: Proof, brain: Answers, export: Answers) -> Compared:
    """Rows for the same photos.

    Raises:
        ExportError: there is no photo that both could read, or the export's answers are no numbers.
    """
    places = np.intersect1d(brain.places, export.places)
    failed = {
        shown(proof.names[place]): shown(f"{who}: {why}")
        for who, one, other in (("the export", export, brain), ("the brain", brain, export))
        for place, why in one.failed.items()
        if place in other.places
    }
    neither = {
        shown(proof.names[place]): shown(f"neither: {why}")
        for place, why in brain.failed.items()
        if place in export.failed
    }
    if not len(places):
        name, why = next(iter((failed | neither).items()), ("none", "there are no photos"))
        raise ExportError(
            f"none of {len(proof.paths)} photos could be read by both the brain and the export; "
            f"{name}: {why} Give photos that both can read, such as JPEG or PNG, with --photos (in "
            "Python photos=...)."
        )
    theirs = export.at(places)
    for name, values in theirs.items():
        if not np.isfinite(values).all():
            raise ExportError(f"the export gives {name} that are not numbers (NaN or infinite)")
    return Compared(
        brain=brain.at(places),
        export=theirs,
        places=places,
        photos=Photos(
            source=proof.source,
            asked=len(proof.paths),
            compared=len(places),
            fingerprint=proof.fingerprint,
            failed=failed | neither,
        ),
    )


def measure_agreement(brain: Brain, proof: Proof, compared: Compared) -> Agreement:
    """How closely the export follows; see `Agreement`."""
    answer = answer_output(brain.task)
    ours, theirs = compared.brain[answer], compared.export[answer]
    metrics = brain.metrics
    same = same_answers(brain.task, ours, theirs, metrics.residual_90 if metrics else None)
    apart = np.abs(ours.astype(np.float64) - theirs)
    heat = _heat(compared, ours)
    far = [side.get("unfamiliar") for side in (compared.brain, compared.export)]
    listed = np.flatnonzero(~same)
    return Agreement(
        same=wilson(float(same.sum()), len(same)),
        largest_difference=float(apart.max()),
        mean_difference=float(apart.mean()),
        heatmap_mean=None if heat is None else float(heat.mean()),
        heatmap_lowest=None if heat is None else float(heat.min()),
        unfamiliar_same=None
        if far[0] is None or far[1] is None
        else float(((far[0] > 1.0) == (far[1] > 1.0)).mean()),
        disagreements=[
            _disagreement(brain, proof, compared, int(row)) for row in listed[:MOST_LISTED]
        ],
        num_disagreements=len(listed),
    )


def _heat(compared: Compared, answers: Floats) -> npt.NDArray[np.float64] | None:
    if "heatmap" not in compared.brain or "heatmap" not in compared.export:
        return None
    maps = compared.brain["heatmap"], compared.export["heatmap"]
    found = heatmap_correlations(*maps, answers.argmax(axis=1))
    found = found[np.isfinite(found)]
    return found if len(found) else None


def _disagreement(brain: Brain, proof: Proof, compared: Compared, row: int) -> Disagreement:
    answer = answer_output(brain.task)
    place = int(compared.places[row])
    ours, theirs = compared.brain[answer][row], compared.export[answer][row]
    targets = proof.targets
    return Disagreement(
        photo=shown(proof.names[place]),
        brain=_named(brain, ours),
        brain_score=float(ours.max()),
        export=_named(brain, theirs),
        export_score=float(theirs.max()),
        given=None if targets is None else _given(brain, targets[place]),
    )


def _named(brain: Brain, answers: Floats) -> str:
    if brain.task == "regress":
        return f"{float(answers[0]):.5g}"
    if brain.task == "multilabel":
        names = [label.name for label in brain.labels if answers[label.index] >= 0.5]
        return (", ".join(names) or "nothing")[:200]
    return brain.labels[int(answers.argmax())].name


def _given(brain: Brain, target: npt.NDArray[np.float64]) -> str:
    if brain.task == "regress":
        return f"{float(target[0]):.5g}"
    names = [brain.labels[int(index)].name for index in np.flatnonzero(target > 0)]
    return ", ".join(names) or "nothing"


def measure_quality(
    brain: Brain, proof: Proof, compared: Compared, tries: int = 1
) -> Quality | None:
    """How right both are, or None without labels; `tries` as in `comparing.lost_quality`."""
    targets = proof.take(compared.places)
    if targets is None:
        return None
    answer = answer_output(brain.task)
    ours = rightness(brain.task, compared.brain[answer], targets)
    theirs = rightness(brain.task, compared.export[answer], targets)
    shift: Sequence[float | None] = (None, None)
    if brain.task == "classify":
        shift = [_ece(side[answer], targets) for side in (compared.brain, compared.export)]
    return Quality(
        measure=_MEASURES[brain.task],
        brain=mean_estimate(brain.task, ours),
        export=mean_estimate(brain.task, theirs),
        lost=lost_quality(brain.task, ours, theirs, tries),
        calibration_brain=shift[0],
        calibration_export=shift[1],
    )


def _ece(scores: Floats, targets: Targets) -> float:
    return calibration(None, scores.astype(np.float64), targets, 1.0).ece_after
