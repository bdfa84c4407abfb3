"""From score matrices to one `Outcome` a photo."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ninebrains.brains.manifest import Task
from ninebrains.photos import Photo, PhotoFacts
from ninebrains.training.basis import Floats
from ninebrains.training.label_errors import label_quality, suspect_labels
from ninebrains.training.record import Outcome
from ninebrains.training.targets import Targets


def make_outcomes(
    task: Task,
    photos: Sequence[Photo],
    facts: Sequence[PhotoFacts],
    targets: Targets,
    answers: Floats,
    *,
    unfamiliar: Floats | None,
    is_test: npt.NDArray[np.bool_],
    doubt: bool = True,
) -> tuple[Outcome, ...]:
    """One outcome for each photo.

    Args:
        task: decides which fields are filled.
        photos: [n].
        facts: [n], for the hashes.
        targets: what people said.
        answers: probabilities or values [n, K] from models that had not seen the photo.
        unfamiliar: [n], NaN where not measured; or None.
        is_test: [n].
        doubt: whether the answers are good enough to doubt given labels by them.
    """
    suggested = np.full(len(photos), -1)
    quality: Floats | None = None
    if task == "classify" and doubt:
        suggested = suspect_labels(answers, targets.groups)
    if task == "classify":
        quality = label_quality(answers, targets.groups)
    outcomes = []
    for row, (photo, fact) in enumerate(zip(photos, facts, strict=True)):
        given = () if task == "regress" else tuple(np.flatnonzero(targets.matrix[row]).tolist())
        far = None if unfamiliar is None or np.isnan(unfamiliar[row]) else float(unfamiliar[row])
        top = int(answers[row].argmax())
        outcomes.append(
            Outcome(
                path=photo.name,
                sha256=fact.sha256,
                split="test" if is_test[row] else "train",
                given=given,
                target=photo.target if task == "regress" else None,
                answer=None if task == "regress" else top,
                score=0.0 if task == "regress" else float(answers[row, top]),
                given_score=min((float(answers[row, k]) for k in given), default=0.0),
                value=float(answers[row, 0]) if task == "regress" else None,
                unfamiliar=far,
                suggested=int(suggested[row]) if suggested[row] >= 0 else None,
                label_quality=None if quality is None else float(quality[row]),
            )
        )
    return tuple(outcomes)
