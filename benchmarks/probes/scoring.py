"""Our own recipe from features to accuracy on the held-out photos."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

import ninebrains.training
from benchmarks.probes import splits
from benchmarks.probes.scratch import Scratch, digest
from benchmarks.probes.sets import ProbeSet
from ninebrains.training.basis import make_basis
from ninebrains.training.calibrating import fit_sharpness
from ninebrains.training.choosing import Examples, choose_head
from ninebrains.training.links import LINKS
from ninebrains.training.ridge import PENALTIES, make_ridge
from ninebrains.training.targets import Targets, balance

HeadKind = Literal["recipe", "ridge"]
Level = int | None
"""Photos a class to learn from; None for all."""
_FITTING = (
    "basis",
    "calibrating",
    "choosing",
    "links",
    "logistic",
    "minimising",
    "ridge",
    "targets",
)


@dataclass(frozen=True)
class Part:
    """The photos of one seed and level.

    Attributes:
        train: rows to learn from.
        test: rows to measure on, the same for every level of a seed.
    """

    train: splits.Rows
    test: splits.Rows


def part_of(probe: ProbeSet, level: Level, seed: int) -> Part:
    """Which photos of a set to learn from and to test on."""
    train, test = splits.hold_out(probe.labels, probe.groups, probe.test_share, seed)
    return Part(splits.draw(probe.labels, train, level, seed), test)


def accuracy(
    probe: ProbeSet, features: npt.NDArray[np.float32], part: Part, seed: int, kind: HeadKind
) -> float:
    """The share of right answers on the test photos."""
    one_hot = np.eye(len(probe.classes))[probe.labels[part.train]]
    targets = Targets(one_hot, probe.labels[part.train])
    weights, _ = balance("classify", targets, None)
    examples = Examples(features[part.train], one_hot, weights, probe.groups[part.train])
    head, bias = _ridge(examples) if kind == "ridge" else _chosen(examples, seed)
    answers = (features[part.test] @ head.T + bias).argmax(axis=1)
    return float((answers == probe.labels[part.test]).mean())


def _chosen(examples: Examples, seed: int) -> tuple[np.ndarray, np.ndarray]:
    head = choose_head(examples, LINKS["classify"], seed)
    return head.weights, head.bias


def _ridge(examples: Examples) -> tuple[np.ndarray, np.ndarray]:
    """Ridge regression alone, its penalty by the leave-one-out log-loss as in the recipe."""
    link, targets = LINKS["classify"], examples.targets
    basis = make_basis(examples.features, examples.weights)
    ridge, everyone = make_ridge(basis, targets), np.arange(len(targets))

    def loss(penalty: float) -> float:
        scores = ridge.left_out(penalty, everyone, examples.groups)
        sharpness = fit_sharpness(link, scores, targets, basis.weights)
        return float(basis.weights @ link.losses(scores * sharpness, targets))

    return basis.unrotate(ridge.coefficients(min(PENALTIES, key=loss)), ridge.target_mean)


def known_accuracy(
    probe: ProbeSet,
    features: npt.NDArray[np.float32],
    level: Level,
    seed: int,
    kind: HeadKind,
    scratch: Scratch,
) -> float:
    """`accuracy`, looked up where the same was computed before."""
    part = part_of(probe, level, seed)
    key = digest(
        "accuracy",
        _sources(),
        version("numpy"),
        kind,
        str(seed),
        features.tobytes(),
        *(rows.tobytes() for rows in (part.train, part.test, probe.labels, probe.groups)),
    )
    found = scratch.array(
        key, lambda: np.array(accuracy(probe, features, part, seed, kind), np.float64)
    )
    return float(found)


def _sources() -> str:
    """Stands for the code that fits heads, so that a change of it is measured again."""
    folder = Path(ninebrains.training.__file__).parent
    paths = [folder / f"{name}.py" for name in _FITTING]
    return digest(*(path.read_bytes() for path in [*paths, Path(__file__)]))
