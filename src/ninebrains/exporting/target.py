"""A target: a place that brains are exported to, and what building an artefact for it takes.

`exporting` makes an empty folder, lets a target build its artefact there, adds the runner, the
README and the receipt, and gives the folder its name once the artefact was seen to agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol

from ninebrains.brains import Brain
from ninebrains.errors import BrainError
from ninebrains.exporting.answers import Answers
from ninebrains.images import Pixels

Precision = Literal["fp32", "fp16", "int8-weights", "int8"]
"""`fp16` and `int8-weights` store weights in 16 or 8 bits and compute in float where the runtime
has nothing better; `int8` computes in 8 bits, calibrated on training photos."""

PRECISIONS: tuple[Precision, ...] = ("fp32", "fp16", "int8-weights", "int8")


@dataclass(frozen=True)
class Job:
    """What to build.

    Attributes:
        brains: one; several on one trunk for targets that take many.
        precision: of weights and arithmetic.
        calibration: training photos as the network sees them, uint8[n, H, W, 3]; for `int8` only.
        opset: of ONNX, for targets that have one; None keeps the brain's.
        effort: for `int8`: 0 does as is usual, each step up to the target's last one mends more.
    """

    brains: tuple[Brain, ...]
    precision: Precision
    calibration: Pixels | None = None
    opset: int | None = None
    effort: int = 0

    @property
    def brain(self) -> Brain:
        """The only brain.

        Raises:
            BrainError: there are several.
        """
        if len(self.brains) != 1:
            raise BrainError(
                f"got {len(self.brains)} brains; this target takes one. Export them one by one."
            )
        return self.brains[0]


@dataclass(frozen=True)
class Built:
    """What a target built.

    Attributes:
        outputs: which of the brain's outputs the artefact gives; of several brains the first's.
        packages: that built it, and whose versions belong into the receipt.
        notes: sentences for those who use the artefact.
        not_run: what could not be tried on this machine, and why.
        further: the outputs of each brain after the first.
    """

    outputs: tuple[str, ...]
    packages: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    not_run: tuple[str, ...] = ()
    further: tuple[tuple[str, ...], ...] = ()

    def of(self, place: int) -> Built:
        """The same with the outputs of the brain at a place as the only ones."""
        return replace(self, outputs=(self.outputs, *self.further)[place], further=())


class Target(Protocol):
    """One place that brains are exported to. Each is `TARGET` in `exporting/targets/<name>.py`."""

    @property
    def name(self) -> str:
        """As in `--to`."""

    @property
    def title(self) -> str:
        """What it is, for people, such as "LiteRT (TensorFlow Lite)"."""

    @property
    def precisions(self) -> tuple[Precision, ...]:
        """What it can be built in, the default first."""

    @property
    def efforts(self) -> tuple[str, ...]:
        """For `int8`: what each step does, such as "per channel"; the first is `effort` 0."""

    @property
    def runtime(self) -> str | None:
        """Which file of `exporting/runners` opens the artefact in Python, or None."""

    @property
    def opsets(self) -> range:
        """The versions of ONNX's operator set to choose from; empty where there is no choice."""

    @property
    def batch(self) -> int | None:
        """How many photos the artefact takes at a time; None where that is free."""

    @property
    def takes_several(self) -> bool:
        """Whether one artefact may hold several brains."""

    def require(self, precision: Precision) -> None:
        """Make sure that everything is installed, before long work.

        Raises:
            ExtraError: a package is missing; the message holds the command that installs it.
        """

    def build(self, job: Job, folder: Path) -> Built:
        """Write the artefact's files into the empty `folder`.

        Raises:
            BrainError: the brain holds what the target cannot take; the operator is named.
        """

    def ask(self, folder: Path, brain: int, photos: Sequence[Path]) -> Answers | None:
        """What the artefact itself gives for photos, from their bytes on; see `running.ask_runner`.

        Args:
            folder: of the export, complete but for the receipt.
            brain: which of the brains in it, by place.
            photos: paths.

        Returns:
            The answers, or None where its runtime does not exist on this machine.

        Raises:
            ExportError: it cannot be opened or run.
        """

    def usage(self, outputs: tuple[str, ...], precision: Precision) -> str:
        """Markdown for the README: the lines of code that run it there, by language."""
