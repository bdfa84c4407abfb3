"""What is trained, and how: everything that decides the result beside the code."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Phase:
    """A part of the training at one size of views.

    Attributes:
        views: how many the student sees in this phase.
        size: side of the student's views in pixels.
        teacher_size: side of the teacher's input in pixels.
        rate: learning rate at the beginning.
        last_rate: and at the end; between them it falls along half a cosine.
    """

    views: int
    size: int
    teacher_size: int
    rate: float
    last_rate: float


@dataclass(frozen=True)
class Weights:
    """How much each term of the loss counts (`losses.py` says what they are)."""

    pooled: float = 1.0
    map: float = 0.5
    answers: float = 0.3
    likeness: float = 1.0


@dataclass(frozen=True)
class Recipe:
    """A whole training.

    Attributes:
        widths, depths, num_features: the network's (`network.py`).
        batch: views in a step.
        reuse: steps that each view takes part in, on average.
        decay: of the weights, per step and unit of learning rate.
        averaging: of the weights over steps, as in Polyak and Juditsky 1992.
        warmup: views until the learning rate is reached for the first time.
        weights: of the loss.
        phases: in their order.
        seed: of everything random.
    """

    phases: tuple[Phase, ...]
    widths: tuple[int, int, int, int] = (16, 32, 96, 256)
    depths: tuple[int, int, int] = (1, 1, 2)
    num_features: int = 768
    batch: int = 128
    reuse: int = 4
    optimizer: str = "adamw"
    decay: float = 0.05
    averaging: float = 0.998
    warmup: int = 20_000
    weights: Weights = field(default_factory=Weights)
    seed: int = 0

    @classmethod
    def read(cls, path: Path) -> Recipe:
        """Read `recipe.toml`; names that are not in this class are an error."""
        told = tomllib.loads(path.read_text())
        told["phases"] = tuple(Phase(**phase) for phase in told["phases"])
        told["weights"] = Weights(**told.get("weights", {}))
        for name in ("widths", "depths"):
            if name in told:
                told[name] = tuple(told[name])
        return cls(**told)
