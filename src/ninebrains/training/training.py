"""`train`: from a folder of photos to a brain.

    read ─► features ─► split ─► head, familiarity ─► numbers ─► graph ─► brain, record
                                   (train part)      (test part)

The test part is touched once, for the numbers; nothing is chosen by it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ninebrains.brains import Brain, manifest
from ninebrains.brains.manifest import (
    Calibration,
    LearningCurve,
    Manifest,
    Metrics,
    Task,
    Training,
    TrunkReference,
    name_from,
)
from ninebrains.errors import BrainError, DataError
from ninebrains.images import prepare
from ninebrains.photos import (
    Dataset,
    Photo,
    PhotoFacts,
    Problem,
    Split,
    audit,
    data_fingerprint,
    read_dataset,
    require_distinct,
    require_trainable,
    split_photos,
)
from ninebrains.training.assembling import assemble
from ninebrains.training.basis import Floats, make_basis
from ninebrains.training.calibrating import calibration
from ninebrains.training.card import write_card
from ninebrains.training.choosing import Examples, Head, choose_head
from ninebrains.training.curve import CurveData, learning_curve
from ninebrains.training.extracting import Extraction, Progress, extract
from ninebrains.training.familiarity import Familiarity, fit_familiarity
from ninebrains.training.links import LINKS
from ninebrains.training.measuring import (
    mean_average_precision,
    measure_labels,
    measure_multilabel,
    measure_values,
    wilson,
)
from ninebrains.training.outcomes import make_outcomes
from ninebrains.training.recipe import Recipe
from ninebrains.training.record import Record, save_record
from ninebrains.training.targets import Targets, balance, make_labels, make_targets
from ninebrains.trunks import Trunk, load_trunk

_PACKAGES = ("ninebrains", "numpy", "onnx", "onnxruntime", "pillow", "scipy", "simplejpeg")
_SELF_CHECK_PHOTOS = 4
_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Trained:
    """A brain, and everything about its making that is not part of it.

    Attributes:
        brain: the result.
        record: photo by photo; already kept on this machine.
        notes: sentences that the person who trains should read.
        seconds: wall-clock time by step.
    """

    brain: Brain
    record: Record
    notes: tuple[str, ...]
    seconds: Mapping[str, float]


def train(
    photos: str | os.PathLike[str],
    *,
    trunk: str | Trunk,
    task: Task | None = None,
    recipe: Recipe | None = None,
    name: str | None = None,
    progress: Progress | None = None,
) -> Brain:
    """Train a brain from labelled photos.

    Args:
        photos: a folder with one folder per label, the same under train/ and test/, or a CSV file
            with the columns `path` and `label`.
        trunk: the name of a trunk, or the trunk itself.
        task: `classify`, `multilabel` or `regress`; by default what the data looks like.
        recipe: seed, split and the few other choices.
        name: of the brain; by default that of the folder.
        progress: called with (done, total) while photos are read.

    Returns:
        The brain, measured on photos that it was not trained on. The same photos, recipe and
        package versions give the same brain, bit for bit.

    Raises:
        DataError: the photos cannot be learnt from.
        TrunkError: there is no such trunk.

    Example:
        >>> brain = train("photos/", trunk="mobilenet_v2_100")  # doctest: +SKIP
        >>> brain.metrics.accuracy.value  # doctest: +SKIP
        0.985
    """
    return fit(photos, trunk=trunk, task=task, recipe=recipe, name=name, progress=progress).brain


def fit(
    photos: str | os.PathLike[str],
    *,
    trunk: str | Trunk,
    task: Task | None = None,
    recipe: Recipe | None = None,
    name: str | None = None,
    progress: Progress | None = None,
) -> Trained:
    """Like `train`, with the notes, the record and the times beside the brain."""
    recipe = recipe or Recipe()
    clock = _Clock()
    with clock.step("read"):
        network = trunk if isinstance(trunk, Trunk) else load_trunk(trunk)
        dataset = read_dataset(photos, task)
        require_trainable(dataset, dataset.task)
    with clock.step("features"):
        extraction = extract(
            network, dataset.photos, limits=recipe.limits, flip=recipe.flip, progress=progress
        )
    with clock.step("split"):
        study = _study(dataset, extraction, recipe)
    with clock.step("head"):
        fitted = _fit(study, recipe)
    with clock.step("numbers"):
        metrics = _measure(study, fitted, recipe)
        record = _record(study, fitted)
        suspected = len(record.suspects) if study.task == "classify" else None
        metrics = metrics.model_copy(update={"num_suspected_label_errors": suspected})
    with clock.step("brain"):
        brain = _build(study, fitted, metrics, network, recipe, name)
        _check_brain(brain, study, fitted)
        record = replace(record, graph_hash=brain.graph.hash)
        save_record(record)
    return Trained(brain, record, tuple(_notes(study, fitted, extraction)), clock.seconds)


class _Clock:
    """Wall-clock seconds by step."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - start


@dataclass(frozen=True)
class _Study:
    """The photos that could be read, with features, targets and split; rows of all agree."""

    dataset: Dataset
    task: Task
    photos: list[Photo]
    facts: tuple[PhotoFacts, ...]
    extraction: Extraction
    problems: tuple[Problem, ...]
    targets: Targets
    split: Split
    train: npt.NDArray[np.int64]
    test: npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Fitted:
    """What was learnt from the training rows."""

    head: Head
    balanced: bool
    familiarity: Familiarity
    unfamiliar: Floats  # out-of-sample, of the training rows
    target_mean: float
    target_scale: float
    raw: Floats  # raw scores [n, K] of all rows that no fit had seen when it made them

    def linear(self) -> tuple[Floats, Floats]:
        """W[K, D] and b[K] in the unit of the targets."""
        return (
            self.head.weights * self.target_scale,
            self.head.bias * self.target_scale + self.target_mean,
        )


def _study(dataset: Dataset, extraction: Extraction, recipe: Recipe) -> _Study:
    """Split what could be read, after checking again that it can be learnt from."""
    photos = [dataset.photos[place] for place in extraction.places]
    problems = (*dataset.problems, *extraction.problems)
    if not photos:
        first = problems[0] if problems else None
        reason = f" The first: {first.name}: {first.reason}" if first else ""
        raise DataError(f"none of the {len(dataset.photos)} photos could be read.{reason}")
    readable = replace(dataset, photos=tuple(photos), problems=problems)
    require_trainable(readable, dataset.task)
    require_distinct(readable, extraction.facts)
    assert dataset.task is not None
    split = split_photos(readable, extraction.facts, test_share=recipe.test_share, seed=recipe.seed)
    return _Study(
        dataset=readable,
        task=dataset.task,
        photos=photos,
        facts=extraction.facts,
        extraction=extraction,
        problems=problems,
        targets=make_targets(dataset.task, photos, dataset.labels),
        split=split,
        train=np.array(split.train, np.int64),
        test=np.array(split.test, np.int64),
    )


def _fit(study: _Study, recipe: Recipe) -> _Fitted:
    rows, link = study.train, LINKS[study.task]
    targets = Targets(study.targets.matrix[rows], study.targets.groups[rows])
    weights, balanced = balance(study.task, targets, recipe.balanced)
    mean, scale = 0.0, 1.0
    matrix = targets.matrix
    if study.task == "regress":
        mean, scale = float(matrix.mean()), float(matrix.std()) or 1.0
        matrix = (matrix - mean) / scale
    features = _rows(study.extraction.features, rows)
    mirrored = study.extraction.mirrored
    examples = Examples(features, matrix, weights, None if mirrored is None else mirrored[rows])
    head = choose_head(examples, link, recipe.seed)
    groups = targets.groups if study.task == "classify" else np.zeros(len(rows), np.int64)
    familiarity, unfamiliar = fit_familiarity(features, groups, recipe.seed)
    raw = np.empty(study.targets.matrix.shape)
    raw[rows] = head.out_of_sample * scale + mean
    tested = study.extraction.features[study.test]
    raw[study.test] = (tested @ head.weights.T + head.bias) * scale + mean
    return _Fitted(head, balanced, familiarity, unfamiliar, mean, scale, raw)


def _rows(
    features: npt.NDArray[np.float32], rows: npt.NDArray[np.int64]
) -> npt.NDArray[np.float32]:
    """The rows, without a copy where they are all of them."""
    return features if len(rows) == len(features) else features[rows]


def _measure(study: _Study, fitted: _Fitted, recipe: Recipe) -> Metrics:
    test, matrix = study.test, study.targets.matrix
    link = LINKS[study.task]
    answers = link.probabilities(fitted.raw)
    num_train = len(study.train)
    labels = make_labels(study.task, study.dataset.labels)
    if study.task == "classify":
        metrics = measure_labels(answers[test], matrix[test], labels, num_train)
    elif study.task == "multilabel":
        metrics = measure_multilabel(answers[test], matrix[test], labels, num_train)
    else:
        metrics = measure_values(answers[test, 0], matrix[test, 0], num_train)
    return metrics.model_copy(
        update={
            **_out_of_sample(study, fitted, answers),
            "calibration": _calibration(study, fitted, answers),
            "familiarity": manifest.Familiarity(
                rejected_train=fitted.familiarity.rejected_train,
                rejected_test=_rejected_test(study, fitted),
                num_train=num_train,
            ),
            "learning_curve": _curve(study, fitted, recipe),
        }
    )


def _rejected_test(study: _Study, fitted: _Fitted) -> float | None:
    if not len(study.test):
        return None
    scores = fitted.familiarity.scores(study.extraction.features[study.test])
    return float((scores > 1.0).mean())


def _out_of_sample(study: _Study, fitted: _Fitted, answers: Floats) -> dict[str, object]:
    """Figures of the training photos from fits that had not seen them."""
    rows, matrix = study.train, study.targets.matrix
    losses = LINKS[study.task].losses(fitted.raw[rows], matrix[rows])
    found: dict[str, object] = {"out_of_sample_loss": float(losses.mean())}
    if study.task == "classify":
        right = answers[rows].argmax(axis=1) == study.targets.groups[rows]
        found["out_of_sample_accuracy"] = wilson(float(right.sum()), len(rows))
    if study.task == "regress":
        errors = np.abs(answers[rows] - matrix[rows])
        found["residual_90"] = float(np.quantile(errors, 0.9))
    return found


def _calibration(study: _Study, fitted: _Fitted, answers: Floats) -> Calibration | None:
    """On the test photos; on the out-of-sample training photos where none were held out."""
    if study.task == "regress":
        return None
    rows = study.test if len(study.test) else study.train
    temperature = fitted.head.temperature
    before = LINKS[study.task].probabilities(fitted.raw[rows] * temperature)
    return calibration(before, answers[rows], study.targets.matrix[rows], temperature)


def _curve(study: _Study, fitted: _Fitted, recipe: Recipe) -> LearningCurve:
    rows, matrix = study.train, study.targets.matrix
    ridges = [candidate for candidate in fitted.head.candidates if candidate.head == "ridge"]
    penalty = min(ridges, key=lambda candidate: candidate.loss).penalty
    weights = balance(
        study.task, Targets(matrix[rows], study.targets.groups[rows]), fitted.balanced
    )[0]
    sample = rows
    if len(rows) > 2 * _CURVE_PHOTOS:
        drawn = np.random.default_rng(recipe.seed).permutation(len(rows))[: 2 * _CURVE_PHOTOS]
        sample = rows[np.sort(drawn)]
        weights = weights[np.sort(drawn)]
    basis = make_basis(study.extraction.features[sample], weights)
    targets = (matrix[sample] - fitted.target_mean) / fitted.target_scale
    data = CurveData(basis.rows, targets, basis.weights, study.targets.groups[sample], penalty)
    measure = {"classify": "accuracy", "multilabel": "mean_average_precision", "regress": "r2"}
    score = {"classify": _accuracy, "multilabel": mean_average_precision, "regress": _r2}
    full = score[study.task](fitted.raw[rows], matrix[rows])
    return learning_curve(data, measure[study.task], score[study.task], full, recipe.seed)


_CURVE_PHOTOS = 3000


def _accuracy(scores: Floats, targets: Floats) -> float | None:
    return float((scores.argmax(axis=1) == targets.argmax(axis=1)).mean()) if len(scores) else None


def _r2(values: Floats, targets: Floats) -> float | None:
    spread = float(((targets - targets.mean()) ** 2).sum()) if len(targets) else 0.0
    return 1.0 - float(((values - targets) ** 2).sum()) / spread if spread > 0 else None


def _record(study: _Study, fitted: _Fitted) -> Record:
    unfamiliar = np.empty(len(study.photos))
    unfamiliar[study.train] = fitted.unfamiliar
    unfamiliar[study.test] = fitted.familiarity.scores(study.extraction.features[study.test])
    outcomes = make_outcomes(
        study.task,
        study.photos,
        study.facts,
        study.targets,
        LINKS[study.task].probabilities(fitted.raw),
        unfamiliar=unfamiliar,
        is_test=np.isin(np.arange(len(study.photos)), study.test),
    )
    findings = audit(study.dataset, study.facts, study.problems, study.split)
    return Record("", str(Path(study.dataset.root).resolve()), outcomes, findings.to_dict())


def _build(
    study: _Study,
    fitted: _Fitted,
    metrics: Metrics,
    trunk: Trunk,
    recipe: Recipe,
    name: str | None,
) -> Brain:
    weights, bias = fitted.linear()
    graph = assemble(trunk, study.task, weights, bias, fitted.familiarity)
    labels = make_labels(study.task, study.dataset.labels)
    counts = study.targets.matrix.sum(axis=0).astype(int) if study.task != "regress" else []
    facts = Manifest(
        name=name_from(name or Path(study.dataset.root).resolve().name),
        task=study.task,
        contract=trunk.contract,
        trunk=TrunkReference(name=trunk.name, hash=trunk.hash, num_features=trunk.num_features),
        labels=labels,
        metrics=metrics,
        training=Training(
            data_fingerprint=data_fingerprint(study.dataset, study.facts),
            num_train=len(study.train),
            num_test=len(study.test),
            num_skipped=len(study.problems),
            num_per_label={
                label.name: int(count) for label, count in zip(labels, counts, strict=False)
            },
            split="given" if study.split.given else "random",
            seed=recipe.seed,
            balanced=fitted.balanced,
            head=fitted.head.chosen,
            candidates=list(fitted.head.candidates),
            packages={package: version(package) for package in _PACKAGES},
        ),
    )
    return Brain.assemble(facts, graph, write_card(facts))


def _check_brain(brain: Brain, study: _Study, fitted: _Fitted) -> None:
    """The finished graph must give the answers that were measured; a proof on a few photos.

    Raises:
        BrainError: it does not. This is a fault of ours, or of the runtime's.
    """
    rows = (study.test if len(study.test) else study.train)[:_SELF_CHECK_PHOTOS]
    weights, bias = fitted.linear()
    expected = LINKS[study.task].probabilities(
        study.extraction.features[rows].astype(np.float64) @ weights.T + bias
    )
    pixels = np.stack([prepare(study.photos[row].path, brain.contract) for row in rows])
    answer = "values" if study.task == "regress" else "scores"
    found = brain.compute(pixels, [answer])[answer]
    scale = max(1.0, float(np.abs(expected).max()))
    worst = float(np.abs(found - expected).max()) / scale
    if worst > _TOLERANCE:
        raise BrainError(
            f"the finished brain's answers differ from the measured ones by {worst:.2g} "
            f"(allowed: {_TOLERANCE:g}). Please report this with `ninebrains doctor`'s output."
        )


def _notes(study: _Study, fitted: _Fitted, extraction: Extraction) -> Iterator[str]:
    yield from study.split.notes
    if fitted.balanced:
        counts = study.targets.matrix[study.train].sum(axis=0)
        yield (
            f"The labels are uneven ({int(counts.max())} to {int(counts.min())} photos), so every "
            "label got the same say in training. Switch this off with --no-balance."
        )
    if study.problems:
        yield f"{len(study.problems)} files were left out; `ninebrains data audit` says why."
    if extraction.trouble:
        yield extraction.trouble
