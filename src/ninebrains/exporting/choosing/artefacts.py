"""Artefacts to compare: built as for an export, asked and timed through their own scripts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ninebrains.errors import ExportError
from ninebrains.exporting.benching import take_turns
from ninebrains.exporting.choosing.learning import Doubles, Learnt
from ninebrains.exporting.comparing import lost_quality
from ninebrains.exporting.exporting import ExportRecipe
from ninebrains.exporting.making import build_artefact
from ninebrains.exporting.photos import calibration_paths, read_calibration
from ninebrains.exporting.target import Job, Precision, Target
from ninebrains.images import Pixels

RUNS = 40
_MOST_ASKED = 300
_MOST_AT_ONCE = 16


@dataclass(frozen=True)
class Artefact:
    """What was built of a network.

    Attributes:
        learnt: the network and its head.
        precision: of the artefact.
        folder: where it lies, with its runner.
        mb: millions of bytes of its files.
        right: as `Learnt.right`, of the artefact; floats are taken to answer as their brain does,
            which the receipt of what is chosen checks.
    """

    learnt: Learnt
    precision: Precision
    folder: Path
    mb: float
    right: Doubles

    @property
    def name(self) -> str:
        """For people."""
        contract = self.learnt.network.trunk.contract
        size = f"{contract.width}x{contract.height} px"
        return f"{self.learnt.network.name} at {size} in {self.precision}"


@dataclass(frozen=True)
class Workshop:
    """Where artefacts are built.

    Attributes:
        target: what for.
        recipe: opset, calibration, seed, and how much 8 bits may lose.
        folder: empty; each artefact gets a folder in it.
        max_mb: artefacts over this are not asked about photos.
    """

    target: Target
    recipe: ExportRecipe
    folder: Path
    max_mb: float | None = None

    def build(self, learnt: Learnt, precision: Precision) -> Artefact:
        """Build an artefact, mending more for as long as `int8` loses too much.

        Raises:
            BrainError: the brain holds what the target cannot take.
            ExportError: it cannot be made or run.
            DataError: there are too few photos to calibrate on.
        """
        calibration = self._calibration(learnt) if precision == "int8" else None
        efforts = len(self.target.efforts) if precision == "int8" else 1
        found: list[Artefact] = []
        for effort in range(max(1, efforts)):
            job = Job((learnt.brain,), precision, calibration, self.recipe.opset, effort)
            found.append(self._build(learnt, job))
            before, after = learnt.right(), found[-1].right
            lost = lost_quality(learnt.task, before, after).value
            if lost <= self.recipe.gate.lost:
                break
        return found[-1]

    def _build(self, learnt: Learnt, job: Job) -> Artefact:
        number = sum(1 for _ in self.folder.iterdir())
        folder = self.folder / f"{number:03}"
        folder.mkdir()
        build_artefact(self.target, job, folder)
        mb = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
        right, is_small = learnt.right(), self.max_mb is None or mb <= self.max_mb
        if job.precision in ("int8-weights", "int8") and is_small:
            right = self._ask(learnt, folder)
        return Artefact(learnt, job.precision, folder, mb, right)

    def _ask(self, learnt: Learnt, folder: Path) -> Doubles:
        order = np.random.default_rng(self.recipe.seed).permutation(len(learnt.paths))
        places = np.sort(order[:_MOST_ASKED])
        answers = self.target.ask(folder, 0, [learnt.paths[place] for place in places])
        if answers is None or not len(answers.places):
            raise ExportError(f"{self.target.title} cannot be run on photos here")
        return learnt.right_after(answers, places)

    def _calibration(self, learnt: Learnt) -> Pixels:
        given, where = self.recipe.calibrate, "to learn from"
        paths = list(learnt.paths)
        if given is not None:
            paths, where = calibration_paths(given), f"in {given}"
        return read_calibration(paths, learnt.brain.contract, self.recipe.seed, where)


def time_in_turns(
    folders: Sequence[Path], rounds: int, tell: Callable[[str], None] | None = None
) -> list[list[float]]:
    """Median milliseconds of a photo in each round, for each artefact.

    Within a round each artefact has a fresh process that runs its own scripts, and they take turns:
    a machine that gets slower or faster for a while does so for all of them.

    Raises:
        ExportError: one cannot be run.
    """
    found: list[list[float]] = [[] for _ in folders]
    for turn in range(rounds):
        if tell is not None:
            tell(f"timing {len(folders)} artefacts, round {turn + 1} of {rounds}")
        for start in range(0, len(folders), _MOST_AT_ONCE):
            rows = take_turns(folders[start : start + _MOST_AT_ONCE], RUNS)
            for place, row in enumerate(rows, start):
                found[place].append(row.p50_ms)
    return found


def quietest_and_noise(times: Sequence[float]) -> tuple[float, float]:
    """The lowest median of the rounds, and how far the next one is from it.

    What else runs on a machine only ever slows down, and the artefacts took turns in each round.

    >>> quietest_and_noise([2.0, 4.0, 2.5])
    (2.0, 0.5)
    """
    lowest, *others = sorted(times)
    return lowest, min(others, default=lowest) - lowest
