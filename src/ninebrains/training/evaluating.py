"""How good is a brain on other photos? The same numbers as after training, from its graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from ninebrains.brains import Brain
from ninebrains.brains.manifest import Familiarity, Label, Metrics
from ninebrains.errors import DataError, PhotoError
from ninebrains.images import Contract, Limits, Pixels, read_photo
from ninebrains.photos import Dataset, Photo, PhotoFacts, Problem, audit, duplicate_groups
from ninebrains.training.basis import Floats
from ninebrains.training.calibrating import calibration
from ninebrains.training.extracting import BATCH, Progress, see
from ninebrains.training.measuring import Background, measure
from ninebrains.training.outcomes import make_outcomes
from ninebrains.training.record import Record, load_record
from ninebrains.training.targets import make_targets
from ninebrains.workers import map_ahead


@dataclass(frozen=True)
class Evaluation:
    """What a brain does on a labelled data set.

    Attributes:
        metrics: as after training, on these photos.
        record: photo by photo; not kept.
        problems: photos that could not be used, and why.
    """

    metrics: Metrics
    record: Record
    problems: tuple[Problem, ...]


def evaluate(
    brain: Brain,
    dataset: Dataset,
    *,
    limits: Limits | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Run a brain over labelled photos and measure it.

    Labels are matched by name or id. Photos with a label that the brain does not know are left out
    and reported, never counted as wrong or right.

    Raises:
        DataError: nothing is left to measure on.
    """
    dataset = matched(brain, dataset)
    answer = "values" if brain.task == "regress" else "scores"
    wanted = [answer, *(["unfamiliar"] if "unfamiliar" in brain.outputs else [])]
    rows: list[int] = []
    facts: list[PhotoFacts] = []
    unreadable: list[Problem] = []
    outputs: dict[str, list[Floats]] = {name: [] for name in wanted}
    batch: list[Pixels] = []

    def compute() -> None:
        for name, values in brain.compute(np.stack(batch), wanted).items():
            outputs[name].append(values.astype(np.float64))
        batch.clear()

    reader = partial(_read, contract=brain.contract, limits=limits or Limits())
    for done, found in enumerate(map_ahead(reader, dataset.photos, ahead=3 * BATCH), start=1):
        if isinstance(found, Problem):
            unreadable.append(found)
        else:
            batch.append(found[0])
            facts.append(found[1])
            rows.append(done - 1)
        if len(batch) == BATCH:
            compute()
        if progress is not None:
            progress(done, len(dataset.photos))
    if batch:
        compute()
    problems = (*dataset.problems, *unreadable)
    if not rows:
        raise DataError(
            f"nothing to measure: {len(problems)} problems, the first: "
            f"{problems[0].name}: {problems[0].reason}"
            if problems
            else "nothing to measure on"
        )
    photos = [dataset.photos[row] for row in rows]
    readable = replace(dataset, photos=tuple(photos), problems=problems)
    far = np.concatenate(outputs["unfamiliar"]) if "unfamiliar" in outputs else None
    return _measure(brain, readable, facts, np.concatenate(outputs[answer]), far)


def _read(photo: Photo, contract: Contract, limits: Limits) -> tuple[Pixels, PhotoFacts] | Problem:
    try:
        return see(read_photo(photo.path, limits), contract, limits)
    except PhotoError as error:
        return Problem(photo.name, str(error))


def _measure(
    brain: Brain,
    dataset: Dataset,
    facts: Sequence[PhotoFacts],
    answers: Floats,
    unfamiliar: Floats | None,
) -> Evaluation:
    names = [label.name for label in brain.labels]
    targets = make_targets(brain.task, dataset.photos, names)
    trained = brain.manifest.training
    num_train = trained.num_train if trained else 0
    groups = duplicate_groups(facts)
    different = len(facts) - sum(len(group) - 1 for group in groups.near)
    background = Background(_how_known(brain, facts), num_different=different)
    metrics = measure(brain.task, answers, targets.matrix, brain.labels, background)
    update: dict[str, object] = {}
    if brain.task != "regress":
        update["calibration"] = calibration(None, answers, targets.matrix, 1.0)
    if unfamiliar is not None:
        update["familiarity"] = Familiarity(
            rejected_train=_rejected_train(brain),
            rejected_test=float((unfamiliar > 1.0).mean()),
            num_train=num_train,
        )
    outcomes = make_outcomes(
        brain.task,
        dataset.photos,
        facts,
        targets,
        answers,
        unfamiliar=unfamiliar,
        is_test=np.ones(len(dataset.photos), bool),
    )
    findings = audit(dataset, facts, dataset.problems, duplicates=groups).to_dict()
    record = Record(brain.graph.hash, str(Path(dataset.root).resolve()), outcomes, findings)
    return Evaluation(metrics.model_copy(update=update), record, dataset.problems)


def _how_known(brain: Brain, facts: Sequence[PhotoFacts]) -> str:
    """What is known about whether the brain was trained on these photos."""
    record = load_record(brain.graph.hash)
    if record is None:
        return "(whether it learnt from some of them is not known here)"
    learnt = {outcome.sha256 for outcome in record.outcomes if outcome.split == "train"}
    seen = sum(fact.sha256 in learnt for fact in facts)
    if seen:
        return f"of which {seen} were learnt from, so the figures are too good"
    return "that training never saw"


def _rejected_train(brain: Brain) -> float:
    familiarity = brain.metrics.familiarity if brain.metrics else None
    return familiarity.rejected_train if familiarity else 0.0


def matched(brain: Brain, dataset: Dataset) -> Dataset:
    """The data set in the brain's own labels, without photos that it cannot be measured on."""
    if dataset.task is None:
        raise DataError(
            f"{dataset.root} has no labels, so nothing can be measured. Expected a folder per "
            "label or a CSV; for photos without labels use `ninebrains predict`."
        )
    if (brain.task == "regress") != (dataset.task == "regress"):
        raise DataError(f"the brain's task is {brain.task}, the data's is {dataset.task}")
    if brain.task == "regress":
        return dataset
    known = {label.id: label for label in brain.labels} | {
        label.name: label for label in brain.labels
    }
    kept: list[Photo] = []
    problems = list(dataset.problems)
    for photo in dataset.photos:
        strange = [name for name in photo.labels if name not in known]
        if strange:
            problems.append(
                Problem(photo.name, f"the brain does not know the label {strange[0]!r}")
            )
        else:
            kept.append(replace(photo, labels=tuple(known[name].name for name in photo.labels)))
    if not kept:
        raise DataError(_no_common_label(dataset, brain.labels))
    names = tuple(sorted({name for photo in kept for name in photo.labels}))
    return replace(dataset, photos=tuple(kept), labels=names, problems=tuple(problems))


def _no_common_label(dataset: Dataset, labels: Sequence[Label]) -> str:
    given = ", ".join(dataset.labels[:8])
    known = ", ".join(label.name for label in labels[:8])
    return (
        f"none of the photos has a label that the brain knows: the data has {given}; the brain "
        f"knows {known}. Rename the folders, or the labels with `ninebrains brain labels rename`."
    )
