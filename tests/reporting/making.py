"""Brains, figures and records made up for the report, over real small photos."""

import hashlib

import numpy as np

from ninebrains.brains import Brain, Label, Manifest
from ninebrains.brains.manifest import (
    Calibration,
    CalibrationBin,
    Candidate,
    CurvePoint,
    Estimate,
    Familiarity,
    LabelQuality,
    LearningCurve,
    Metrics,
    Training,
    TrunkReference,
)
from ninebrains.training.assembling import assemble
from ninebrains.training.familiarity import Familiarity as FamiliarityModel
from ninebrains.training.record import Outcome, Record
from tests.making import jpeg

CURVE = LearningCurve(
    measure="accuracy",
    points=[CurvePoint(photos=n, value=1 - 1 / n, spread=0.5 / n) for n in (10, 20, 40)],
    forecast=[CurvePoint(photos=n, value=1 - 1 / n, spread=1 / n) for n in (80, 160)],
    verdict="About 60 more photos a label would bring 99 %.",
)
CALIBRATION = Calibration(
    temperature=1.4,
    ece_before=0.1234,
    ece_after=0.0321,
    bins=[
        CalibrationBin(low=0.5, high=0.6, count=7, confidence=0.55, accuracy=0.571),
        CalibrationBin(low=0.6, high=0.7, count=0, confidence=0.0, accuracy=0.0),
        CalibrationBin(low=0.9, high=1.0, count=193, confidence=0.97, accuracy=0.985),
    ],
)


def brain(trunk, task="classify", names=("cat", "dog"), metrics=None, **training):
    """A brain with a random head and these labels."""
    labels = [Label(id=f"id-{index}", index=index, name=name) for index, name in enumerate(names)]
    random = np.random.default_rng(0)
    width = trunk.num_features
    model = FamiliarityModel(
        np.eye(width)[:, :2], np.zeros(2), np.zeros((1, width)), np.ones(1), 4.0, 0.01
    )
    weights = random.normal(size=(len(labels), width))
    facts = Manifest(
        name="pets",
        task=task,
        contract=trunk.contract,
        trunk=TrunkReference(name=trunk.name, hash=trunk.hash, num_features=width),
        labels=labels,
        metrics=metrics,
        training=Training(
            **{
                "data_fingerprint": "ab" * 32,
                "num_train": 160,
                "num_test": 40,
                "num_skipped": 3,
                "num_per_label": {label.name: 30 + label.index for label in labels},
                "split": "random",
                "seed": 7,
                "balanced": False,
                "head": Candidate(head="ridge", penalty=0.01, loss=0.25),
                "candidates": [Candidate(head="logistic", penalty=2.5, loss=0.3125)],
                "packages": {"numpy": "9.8.7"},
            }
            | training
        ),
    )
    return Brain.assemble(facts, assemble(trunk, task, weights, np.zeros(len(labels)), model), "")


def classified(confusion):
    """Metrics of a classifier with this confusion matrix."""
    table = np.array(confusion)
    right, given, answered = table.diagonal(), table.sum(axis=1), table.sum(axis=0)
    value = right.sum() / table.sum()
    return Metrics(
        num_test=int(table.sum()),
        verdict="Measured on enough photos that training never saw.",
        accuracy=Estimate(value=value, low=value - 0.0301, high=min(value + 0.0123, 1.0)),
        balanced_accuracy=0.9765,
        log_loss=0.0625,
        labels=[
            LabelQuality(
                label_id=f"id-{k}",
                support=given[k],
                precision=right[k] / answered[k] if answered[k] else None,
                recall=right[k] / given[k] if given[k] else None,
                f1=2 * right[k] / (given[k] + answered[k]) if given[k] + answered[k] else None,
            )
            for k in range(len(table))
        ],
        confusion=table.tolist() if len(table) <= 200 else None,
        calibration=CALIBRATION,
        familiarity=Familiarity(rejected_train=0.0111, rejected_test=0.0222, num_train=160),
        learning_curve=CURVE,
        num_suspected_label_errors=2,
    )


def record(folder, outcomes, **audit):
    """A record whose photos are written to `folder`: (path, fields of Outcome) each."""
    made = []
    for number, (path, fields) in enumerate(outcomes):
        data = jpeg("cat" if number % 2 else "dog", number)
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        digest = hashlib.sha256(data).hexdigest()
        made.append(Outcome(**({"path": path, "sha256": digest, "split": "test"} | fields)))
    return Record("cd" * 32, str(folder), tuple(made), audit)
