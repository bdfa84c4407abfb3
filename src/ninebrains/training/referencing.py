"""What a brain remembers of its training photos, for telling later whether photos have changed."""

from __future__ import annotations

import numpy as np

from ninebrains.brains.manifest import Reference, Spread
from ninebrains.brains.reference import along_directions, count_unfamiliar
from ninebrains.training.basis import Floats
from ninebrains.training.studying import Fitted, Study

_DIGITS = 6


def make_reference(study: Study, fitted: Fitted) -> Reference:
    """The training photos in few numbers; answers and scores are of fits that had not seen them."""
    rows = study.train
    answers = fitted.answers[rows]
    is_measured = study.task == "regress"
    along = along_directions(study.features[rows])
    return Reference(
        num_photos=len(rows),
        num_different=len(np.unique(study.copies[rows])),
        answers=[]
        if is_measured
        else np.bincount(answers.argmax(axis=1), minlength=len(study.labels)).tolist(),
        unfamiliar=count_unfamiliar(fitted.unfamiliar[rows]).tolist(),
        features=[_spread(along[:, k]) for k in range(along.shape[1])],
        values=_spread(answers[:, 0]) if is_measured else None,
    )


def _spread(values: Floats) -> Spread:
    return Spread(mean=_round(float(values.mean())), deviation=_round(float(values.std())))


def _round(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
