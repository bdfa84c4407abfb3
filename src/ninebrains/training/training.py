"""`train`: from a folder of photos to a brain.

read ─► features ─► split ─► head, familiarity ─► numbers ─► graph ─► brain, record
                               (train part)      (test part)
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np

from ninebrains.brains import Brain
from ninebrains.brains.manifest import (
    Label,
    Manifest,
    Metrics,
    Task,
    Training,
    TrunkReference,
    name_from,
)
from ninebrains.errors import BrainError, OutputError
from ninebrains.images import prepare
from ninebrains.photos import (
    Audit,
    Dataset,
    Problem,
    data_fingerprint,
    read_dataset,
    require_trainable,
)
from ninebrains.training.arranging import Material, arrange
from ninebrains.training.assembling import assemble
from ninebrains.training.card import write_card
from ninebrains.training.extracting import Extraction, Progress, extract
from ninebrains.training.links import LINKS
from ninebrains.training.outcomes import make_outcomes
from ninebrains.training.recipe import Recipe
from ninebrains.training.record import Record, save_record
from ninebrains.training.referencing import make_reference
from ninebrains.training.studying import (
    Fitted,
    Study,
    calm_algebra,
    fit_study,
    measure_study,
)
from ninebrains.trunks import DEFAULT_TRUNK, Trunk, load_trunk

_PACKAGES = ("ninebrains", "numpy", "onnx", "onnxruntime", "pillow", "simplejpeg")
_CHECKED_PHOTOS = 4
_TOLERANCE = 1e-3
_CONTENT = 0.95  # test accuracy above which nobody needs to be told of stronger trunks


@dataclass(frozen=True)
class Trained:
    """A brain, and everything about its making that is not part of it.

    Attributes:
        brain: the result.
        record: photo by photo; already kept on this machine.
        notes: sentences that the person who trains should read.
        seconds: wall-clock time by step.
        material: what there was to learn from.
        fitted: what was learnt, as numbers.
    """

    brain: Brain
    record: Record
    notes: tuple[str, ...]
    seconds: Mapping[str, float]
    material: Material
    fitted: Fitted


def train(
    photos: str | os.PathLike[str],
    *,
    trunk: str | Trunk = DEFAULT_TRUNK,
    task: Task | None = None,
    recipe: Recipe | None = None,
    name: str | None = None,
    progress: Progress | None = None,
) -> Brain:
    """Train a brain from labelled photos.

    Args:
        photos: a folder with one folder per label, the same under train/ and test/, or a CSV file
            with the columns `path` and `label`.
        trunk: the name of a trunk, or the trunk itself; `octo` comes with Ninebrains.
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
        >>> brain = train("photos/")  # doctest: +SKIP
        >>> brain.metrics.accuracy.value  # doctest: +SKIP
        0.85
    """
    return fit(photos, trunk=trunk, task=task, recipe=recipe, name=name, progress=progress).brain


def fit(
    photos: str | os.PathLike[str],
    *,
    trunk: str | Trunk = DEFAULT_TRUNK,
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
    trained = fit_dataset(dataset, network, recipe=recipe, name=name, progress=progress)
    return replace(trained, seconds={**clock.seconds, **trained.seconds})


def fit_dataset(
    dataset: Dataset,
    network: Trunk,
    *,
    recipe: Recipe,
    name: str | None = None,
    labels: Sequence[Label] | None = None,
    progress: Progress | None = None,
) -> Trained:
    """Like `fit`, for a data set that was read before.

    Args:
        dataset: the parts that its photos were put in are kept to.
        network: the trunk.
        recipe: seed, split and the few other choices.
        name: of the brain; by default that of the data set's folder.
        labels: of the brain, in the order of `dataset.labels`; by default made from their names.
        progress: as in `train`.

    Raises:
        DataError: the photos cannot be learnt from.
    """
    clock = _Clock()
    with clock.step("features"):
        require_trainable(dataset, dataset.task)
        extraction = extract(
            network, dataset.photos, limits=recipe.limits, flip=recipe.flip, progress=progress
        )
    trained = fit_extracted(dataset, extraction, network, recipe=recipe, name=name, labels=labels)
    return replace(trained, seconds={**clock.seconds, **trained.seconds})


def fit_extracted(
    dataset: Dataset,
    extraction: Extraction,
    network: Trunk,
    *,
    recipe: Recipe,
    name: str | None = None,
    labels: Sequence[Label] | None = None,
    step: Callable[[str], None] | None = None,
) -> Trained:
    """Like `fit_dataset`, for features that are there already.

    Args:
        dataset: as in `fit_dataset`.
        extraction: features of its photos, from `network`.
        network: the trunk.
        recipe: as in `fit_dataset`.
        name: likewise.
        labels: likewise.
        step: called with the name of each step before it; may raise to stop.

    Raises:
        DataError: the photos cannot be learnt from.
    """
    clock = _Clock(step)
    with clock.step("split"):
        material = arrange(dataset, extraction, recipe, labels=labels)
        study, dataset = material.study, material.dataset
    with clock.step("head"), calm_algebra(study.features.size):
        fitted = fit_study(study, recipe)
    with clock.step("numbers"), calm_algebra(study.features.size):
        metrics = measure_study(study, fitted, recipe)
        findings = material.audit()
        record = _make_record(material, findings, fitted, metrics)
        if study.task == "classify":
            suspected = len(record.suspects)
            metrics = metrics.model_copy(update={"num_suspected_label_errors": suspected})
    with clock.step("brain"):
        name = name or Path(dataset.root).resolve().name
        brain = make_brain(material, fitted, network, recipe, name, metrics)
        record = replace(record, graph_hash=brain.graph.hash)
        notes = [*_notes(material, fitted), *_stronger_trunk(network, metrics), *_keep(record)]
    return Trained(brain, record, tuple(notes), clock.seconds, material, fitted)


def make_brain(
    material: Material,
    fitted: Fitted,
    network: Trunk,
    recipe: Recipe,
    name: str,
    metrics: Metrics | None = None,
) -> Brain:
    """The brain of what was learnt, seen to give the answers that were measured.

    Raises:
        BrainError: it does not. This is a fault of ours, or of the runtime's.
    """
    facts = _make_manifest(material, fitted, network, recipe.seed).model_copy(
        update={"name": name_from(name), "metrics": metrics}
    )
    task = material.study.task
    graph = assemble(network, task, fitted.weights, fitted.bias, fitted.familiarity)
    brain = Brain.assemble(facts, graph, write_card(facts))
    _check_brain(brain, material.dataset, material.study, fitted)
    return brain


def _stronger_trunk(network: Trunk, metrics: Metrics) -> Iterator[str]:
    """Whoever took the default should know that there is more to choose from."""
    accuracy = metrics.accuracy
    if network.name == DEFAULT_TRUNK and accuracy is not None and accuracy.value < _CONTENT:
        yield (
            f"{network.name}, the trunk that comes with Ninebrains, is a small one. A stronger one "
            "may tell more apart: `ninebrains trunk pull --list`, then train with --trunk NAME."
        )


def _keep(record: Record) -> Iterator[str]:
    """Keep the record; a brain is not lost because that fails."""
    try:
        save_record(record)
    except OutputError as error:
        yield f"The report will show no photos, because the training record was not kept: {error}"


class _Clock:
    """Wall-clock seconds by step."""

    def __init__(self, tell: Callable[[str], None] | None = None) -> None:
        self.seconds: dict[str, float] = {}
        self._tell = tell

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        if self._tell is not None:
            self._tell(name)
        start = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - start


def _make_record(material: Material, findings: Audit, fitted: Fitted, metrics: Metrics) -> Record:
    """What was said about each photo that took part; test photos left out as copies did not."""
    study, dataset = material.study, material.dataset
    rows = np.sort(np.concatenate([study.train, study.test]))
    outcomes = make_outcomes(
        study.task,
        [dataset.photos[row] for row in rows],
        [material.extraction.facts[row] for row in rows],
        study.targets.take(rows),
        fitted.answers[rows],
        unfamiliar=fitted.unfamiliar[rows],
        is_test=np.isin(rows, study.test),
        doubt=beats_guessing(metrics, study),
    )
    return Record("", str(Path(dataset.root).resolve()), outcomes, findings.to_dict())


def beats_guessing(metrics: Metrics, study: Study) -> bool:
    """Whether out-of-sample answers are clearly better than always the most frequent label."""
    accuracy = metrics.out_of_sample_accuracy
    if accuracy is None:
        return False
    share = study.targets.matrix[study.train].mean(axis=0).max()
    return bool(accuracy.low > share)


def _make_manifest(material: Material, fitted: Fitted, trunk: Trunk, seed: int) -> Manifest:
    study, dataset, split = material.study, material.dataset, material.split
    counts: dict[str, int] = {}
    if study.task != "regress":
        sums = study.targets.matrix.sum(axis=0)
        counts = {label.name: int(sums[label.index]) for label in study.labels}
    return Manifest(
        name="brain",
        task=study.task,
        contract=trunk.contract,
        trunk=TrunkReference(name=trunk.name, hash=trunk.hash, num_features=trunk.num_features),
        labels=list(study.labels),
        training=Training(
            data_fingerprint=data_fingerprint(dataset, material.extraction.facts),
            num_train=len(study.train),
            num_test=len(study.test),
            num_skipped=len(dataset.problems),
            num_per_label=counts,
            split="given" if split.given else "random",
            seed=seed,
            balanced=fitted.balanced,
            head=fitted.head.chosen,
            candidates=list(fitted.head.candidates),
            packages={package: version(package) for package in _PACKAGES},
            reference=make_reference(study, fitted),
        ),
    )


def _check_brain(brain: Brain, dataset: Dataset, study: Study, fitted: Fitted) -> None:
    """The finished graph must give the answers that were measured; a proof on a few photos.

    Raises:
        BrainError: it does not. This is a fault of ours, or of the runtime's.
    """
    rows = (study.test if len(study.test) else study.train)[:_CHECKED_PHOTOS]
    raw = study.features[rows].astype(np.float64) @ fitted.weights.T + fitted.bias
    expected = LINKS[study.task].probabilities(raw)
    pixels = np.stack([prepare(dataset.photos[row].path, brain.contract) for row in rows])
    answer = "values" if study.task == "regress" else "scores"
    found = brain.compute(pixels, [answer])[answer]
    worst = float(np.abs(found - expected).max()) / max(1.0, float(np.abs(expected).max()))
    if worst > _TOLERANCE:
        raise BrainError(
            f"the finished brain's answers differ from the measured ones by {worst:.2g} "
            f"(allowed: {_TOLERANCE:g}). Please report this with `ninebrains doctor`'s output."
        )


def _notes(material: Material, fitted: Fitted) -> Iterator[str]:
    study, dataset = material.study, material.dataset
    split, extraction = material.split, material.extraction
    yield from split.notes
    leaked = len(split.test) - len(study.test)
    if leaked:
        yield (
            f"{leaked} of {len(split.test)} test photos have a copy among the training photos and "
            "were left out of the figures; `ninebrains data audit` lists them."
        )
    if fitted.balanced:
        counts = study.targets.matrix[study.train].sum(axis=0)
        yield (
            f"The labels are uneven ({int(counts.max())} to {int(counts.min())} photos), so every "
            "label got the same say in training. Switch this off with --no-balance."
        )
    if extraction.problems:
        yield _count_problems(extraction.problems, "photos could not be read and were left out")
    others = dataset.problems[: len(dataset.problems) - len(extraction.problems)]
    if others:
        yield _count_problems(others, "entries of the data set could not be used")
    if dataset.ignored:
        listed = ", ".join(f"{count} {kind}" for kind, count in sorted(dataset.ignored.items()))
        yield f"Ignored: {listed}."
    if extraction.trouble:
        yield extraction.trouble


def _count_problems(problems: Sequence[Problem], what: str) -> str:
    first = problems[0]
    return (
        f"{len(problems)} {what}, the first: {first.name}: {first.reason} "
        "`ninebrains data audit` lists them."
    )
