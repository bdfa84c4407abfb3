"""Features and targets to a fitted head and its numbers: training without photos or files.

The test rows are touched once, for the numbers; nothing is chosen by them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ninebrains.brains import manifest
from ninebrains.brains.manifest import Calibration, Label, LearningCurve, Metrics, Task
from ninebrains.training.basis import EXACT_VALUES, Floats
from ninebrains.training.calibrating import calibration
from ninebrains.training.choosing import Examples, Head, choose_head
from ninebrains.training.curve import MOST_PHOTOS, CurveData, Score, learning_curve
from ninebrains.training.familiarity import Familiarity, fit_familiarity
from ninebrains.training.links import LINKS
from ninebrains.training.measuring import Background, mean_average_precision, measure, wilson
from ninebrains.training.recipe import Recipe
from ninebrains.training.ridge import Indices
from ninebrains.training.targets import Targets, balance


@dataclass(frozen=True)
class Study:
    """What there is to learn from. Rows of features and targets agree.

    Attributes:
        task: what to learn.
        labels: in the order of the targets' columns.
        features: float32[n, D].
        mirrored: of the mirrored photos, or None.
        targets: what people said.
        copies: [n]; copies of one photo have the same number. What leaves a photo out leaves its
            copies out, and copies count once where certainty is concerned.
        train: rows to learn from.
        test: rows to measure on, none of them a copy of a training row.
    """

    task: Task
    labels: Sequence[Label]
    features: npt.NDArray[np.float32]
    mirrored: npt.NDArray[np.float32] | None
    targets: Targets
    copies: Indices
    train: npt.NDArray[np.int64]
    test: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Fitted:
    """What was learnt from the training rows.

    Attributes:
        weights: W[K, D] of the linear head, in the targets' unit.
        bias: b[K].
        head: how it was found.
        balanced: whether every label got the same say.
        familiarity: the model of what is familiar.
        answers: probabilities or values [n, K], each from a fit that had not seen the row; NaN for
            rows that are neither learnt from nor measured on.
        raw: the scores behind them.
        unfamiliar: [n], likewise; NaN where not measured.
    """

    weights: Floats
    bias: Floats
    head: Head
    balanced: bool
    familiarity: Familiarity
    answers: Floats
    raw: Floats
    unfamiliar: Floats


@contextmanager
def calm_algebra(num_values: int) -> Iterator[None]:
    """Keep matrix products of up to 30 million values on one core.

    They are too small to gain from more, wait many times longer for each other when something else
    runs on the machine, and on one core give the same bits whatever the number of cores.
    """
    from threadpoolctl import threadpool_limits

    if num_values > EXACT_VALUES:
        yield
        return
    with threadpool_limits(1, "blas"):
        yield


def fit_study(study: Study, recipe: Recipe) -> Fitted:
    """Choose and fit the head, and learn what is familiar, from the training rows."""
    rows, test = study.train, study.test
    targets = study.targets.take(rows)
    weights, balanced = balance(study.task, targets, recipe.balanced)
    mean, scale, matrix = 0.0, 1.0, targets.matrix
    if study.task == "regress":
        mean, scale = float(matrix.mean()), float(matrix.std()) or 1.0
        matrix = (matrix - mean) / scale
    features = _take(study.features, rows)
    mirrored = None if study.mirrored is None else _take(study.mirrored, rows)
    copies = study.copies[rows]
    examples = Examples(features, matrix, weights, copies, mirrored)
    head = choose_head(examples, LINKS[study.task], recipe.seed, quick=recipe.quick)
    familiarity, known = fit_familiarity(features, targets.groups, copies, recipe.seed)
    raw = np.full(study.targets.matrix.shape, np.nan)
    raw[rows] = head.out_of_sample * scale + mean
    raw[test] = (study.features[test] @ head.weights.T + head.bias) * scale + mean
    unfamiliar = np.full(len(study.features), np.nan)
    unfamiliar[rows], unfamiliar[test] = known, familiarity.scores(study.features[test])
    return Fitted(
        weights=head.weights * scale,
        bias=head.bias * scale + mean,
        head=head,
        balanced=balanced,
        familiarity=familiarity,
        answers=LINKS[study.task].probabilities(raw),
        raw=raw,
        unfamiliar=unfamiliar,
    )


def _take(
    features: npt.NDArray[np.float32], rows: npt.NDArray[np.int64]
) -> npt.NDArray[np.float32]:
    """The rows, without a copy where they are all of them in their own order."""
    is_all = np.array_equal(rows, np.arange(len(features)))
    return features if is_all else features[rows]


def measure_study(study: Study, fitted: Fitted, recipe: Recipe) -> Metrics:
    """Every number that is reported."""
    answers, given = fitted.answers[study.test], study.targets.matrix[study.test]
    num_train = len(study.train)
    background = Background(
        f"that training never saw ({num_train} were learnt from)",
        num_different=len(np.unique(study.copies[study.test])),
    )
    metrics = measure(study.task, answers, given, study.labels, background)
    tested = fitted.unfamiliar[study.test]
    familiarity = manifest.Familiarity(
        rejected_train=fitted.familiarity.rejected_train,
        rejected_test=float((tested > 1.0).mean()) if len(tested) else None,
        num_train=num_train,
    )
    return metrics.model_copy(
        update={
            **_out_of_sample(study, fitted),
            "calibration": _calibration(study, fitted),
            "familiarity": familiarity,
            "learning_curve": None if recipe.quick else _curve(study, fitted, recipe),
        }
    )


def _out_of_sample(study: Study, fitted: Fitted) -> Mapping[str, object]:
    """Figures of the training rows from fits that had not seen them."""
    rows, matrix = study.train, study.targets.matrix
    losses = LINKS[study.task].losses(fitted.raw[rows], matrix[rows])
    found: dict[str, object] = {"out_of_sample_loss": float(losses.mean())}
    if study.task == "classify":
        right = fitted.answers[rows].argmax(axis=1) == study.targets.groups[rows]
        different = len(np.unique(study.copies[rows]))
        found["out_of_sample_accuracy"] = wilson(float(right.mean()) * different, different)
    if study.task == "regress":
        errors = np.abs(fitted.answers[rows] - matrix[rows])
        found["residual_90"] = float(np.quantile(errors, 0.9))
    return found


def _calibration(study: Study, fitted: Fitted) -> Calibration | None:
    """On the test rows; on the out-of-sample training rows where none were held out."""
    if study.task == "regress":
        return None
    rows = study.test if len(study.test) else study.train
    temperature = fitted.head.temperature
    before = fitted.head.uncalibrated(study.features[rows], LINKS[study.task])
    return calibration(before, fitted.answers[rows], study.targets.matrix[rows], temperature)


def _curve(study: Study, fitted: Fitted, recipe: Recipe) -> LearningCurve:
    """From a sample of the training rows where there are very many."""
    rows = study.train
    name, score = _QUALITY[study.task]
    full = score(fitted.raw[rows], study.targets.matrix[rows])
    # One photo of each group of copies: a copy is no more photo to learn from, and no test.
    _, drawn = np.unique(study.copies[rows], return_index=True)
    drawn = np.sort(drawn)
    if len(drawn) > 2 * MOST_PHOTOS:
        order = np.random.default_rng(recipe.seed).permutation(len(drawn))
        drawn = drawn[np.sort(order[: 2 * MOST_PHOTOS])]
    targets, basis = study.targets.take(rows[drawn]), fitted.head.basis
    ridges = [
        (candidate.loss, candidate.penalty)
        for candidate in fitted.head.candidates
        if candidate.penalty is not None and candidate.head == "ridge"
    ]
    _, penalty = min(ridges)
    data = CurveData(
        basis.rows[drawn], targets.matrix, basis.weights[drawn], targets.groups, penalty
    )
    return learning_curve(data, name, score, full, recipe.seed)


def _accuracy(scores: Floats, targets: Floats) -> float | None:
    return float((scores.argmax(axis=1) == targets.argmax(axis=1)).mean()) if len(scores) else None


def _r2(values: Floats, targets: Floats) -> float | None:
    spread = float(((targets - targets.mean()) ** 2).sum()) if len(targets) else 0.0
    return 1.0 - float(((values - targets) ** 2).sum()) / spread if spread > 0 else None


_QUALITY: dict[Task, tuple[str, Score]] = {
    "classify": ("accuracy", _accuracy),
    "multilabel": ("mean_average_precision", mean_average_precision),
    "regress": ("r2", _r2),
}
