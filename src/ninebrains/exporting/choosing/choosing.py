"""`choose`: which trunk, size and precision is the best that a budget allows, by measuring.

networks ─► a head each, right how often? ─► in floats: MB, ms ─► of the best: other precisions
            (photos that were learnt from)                               │
pick ◄─ MB, ms, what 8 bits lose ◄───────────────────────────────────────┘

The held-out photos take no part in this: they are for the receipt of what is chosen.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ninebrains.brains import Brain
from ninebrains.errors import BrainError, ExportError, ExtraError
from ninebrains.exporting.choosing.artefacts import Workshop
from ninebrains.exporting.choosing.budget import Budget, Candidate, Rules, next_step, pick
from ninebrains.exporting.choosing.lessons import Lesson, from_photos, from_record
from ninebrains.exporting.choosing.networks import Network, networks_for
from ninebrains.exporting.choosing.search import Search
from ninebrains.exporting.choosing.wording import notes_on
from ninebrains.exporting.exporting import ExportRecipe, check_opset
from ninebrains.exporting.target import Precision, Target
from ninebrains.exporting.targets import target as find_target
from ninebrains.trunks import Trunk

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Scope:
    """What may be chosen among.

    Attributes:
        runtime: the target that all is measured in: `onnx`, `litert`, `openvino`.
        trunks: names; all that are kept where there are none.
        precision: the only one to try; by default every one that the target has.
        photos: folder or table of labelled photos to learn from and to prove the choice on,
            instead of those that the brain was trained with.
        rounds: how often times are measured; the quietest one counts.
    """

    runtime: str = "onnx"
    trunks: tuple[str, ...] = ()
    precision: Precision | None = None
    photos: Path | None = None
    rounds: int = 3


@dataclass(frozen=True)
class Choice:
    """What was measured, and what was chosen of it.

    Attributes:
        brain: that is to be exported.
        rules: the budget.
        scope: what was chosen among.
        recipe: of the export.
        candidates: everything measured, the best first.
        chosen: the pick.
        next_step: the next better one, which the budget rules out, if there is one.
        trunk: the network of the pick.
        lesson: the photos.
        notes: what must be known, in sentences.
        seconds: that it took.
    """

    brain: Brain
    rules: Rules
    scope: Scope
    recipe: ExportRecipe
    candidates: tuple[Candidate, ...]
    chosen: Candidate
    next_step: Candidate | None
    trunk: Trunk = field(repr=False)
    lesson: Lesson = field(repr=False)
    notes: tuple[str, ...] = ()
    seconds: float = 0.0


def choose(
    brain: Brain,
    budget: Budget,
    *,
    scope: Scope | None = None,
    recipe: ExportRecipe | None = None,
    tell: Tell | None = None,
) -> Choice:
    """Measure trunks, sizes and precisions on the brain's photos, and pick the best that fits.

    Args:
        brain: to be exported; its labels, training photos and split are kept.
        budget: what the export may cost.
        scope: what may be chosen among.
        recipe: of the export that follows; its gate limits what 8 bits may lose.
        tell: called with a line on what is done now.

    Raises:
        ExportError: nothing fits the budget; the nearest are named.
        BrainError: the runtime has no such precision or operator set.
        DataError: the photos are not known here, or gone.
        ExtraError: what the runtime needs is not installed.
        TrunkError: there is no trunk of a name that was asked for.

    Example:
        >>> choice = choose(nb.load("pets.brain"), Budget(max_ms=5))  # doctest: +SKIP
        >>> choice.chosen.name  # doctest: +SKIP
        'octo at 64 px in fp16'
    """
    start = time.perf_counter()
    scope, recipe, tell = scope or Scope(), recipe or ExportRecipe(), tell or _say_nothing
    target, precisions, notes = _measurable(scope)
    check_opset(target, recipe.opset)
    networks, left_out = networks_for(brain, scope.trunks)
    lesson = _lesson(brain, scope, networks[0])
    rules = Rules(brain.task, budget, recipe.gate.lost)
    with tempfile.TemporaryDirectory(prefix="ninebrains-choosing-") as folder:
        workshop = Workshop(target, recipe, Path(folder), budget.max_mb)
        search = Search(rules, workshop, scope.rounds, tell)
        candidates = search.run(brain, lesson, networks, precisions)
    notes = [*lesson.notes, *left_out, *notes, *search.notes]
    if not candidates:
        raise ExportError("\n  ".join(["nothing could be built and run", *notes]))
    chosen = pick(rules, candidates)
    trunk = next(one.trunk for one in networks if _is_of(chosen, one))
    return Choice(
        brain=brain,
        rules=rules,
        scope=scope,
        recipe=recipe,
        candidates=candidates,
        chosen=chosen,
        next_step=next_step(rules, candidates, chosen),
        trunk=trunk,
        lesson=lesson,
        notes=(*notes_on(rules, candidates, chosen), *notes),
        seconds=time.perf_counter() - start,
    )


def _say_nothing(_line: str) -> None:
    """For those who did not ask to be told."""


def _measurable(scope: Scope) -> tuple[Target, list[Precision], list[str]]:
    """The target, the precisions that can be built here, and why others cannot."""
    target = find_target(scope.runtime)
    if target.runtime is None:
        raise ExportError(
            f"{target.title} cannot be measured on this machine; choose among --runtime onnx, "
            "litert or openvino, and export what was chosen with --to afterwards"
        )
    wanted = [one for one in target.precisions if scope.precision in (None, one)]
    if not wanted:
        raise BrainError(
            f"{target.name} cannot be exported in {scope.precision!r}; expected one of "
            f"{', '.join(target.precisions)}"
        )
    missing: dict[Precision, ExtraError] = {}
    for precision in wanted:
        try:
            target.require(precision)
        except ExtraError as error:
            missing[precision] = error
    if len(missing) == len(wanted):
        raise missing[wanted[0]]
    notes = [f"Left out: {precision}: {error}" for precision, error in missing.items()]
    found = [precision for precision in wanted if precision not in missing]
    # Floats first: their answers are the brain's, so only their time has to be found out.
    return target, sorted(found, key=lambda one: (one != "fp32", one != "fp16")), notes


def _lesson(brain: Brain, scope: Scope, network: Network) -> Lesson:
    if scope.photos is None:
        return from_record(brain)
    return from_photos(brain, scope.photos, network.trunk)


def _is_of(candidate: Candidate, network: Network) -> bool:
    contract = network.trunk.contract
    size = (contract.height, contract.width)
    return (candidate.trunk, candidate.height, candidate.width) == (network.name, *size)
