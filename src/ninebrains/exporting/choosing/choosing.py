"""`choose`: which trunk, size and precision is the best that a budget allows, by measuring.

networks ─► a head each, right how often? ─► in floats: MB, ms ─► of the best: other precisions
            (photos that were learnt from)                               │
pick ◄─ MB, ms, what 8 bits lose ◄───────────────────────────────────────┘

The held-out photos take no part in this: they are for the receipt of what is chosen.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ninebrains.brains import Brain
from ninebrains.errors import BrainError, DataError, ExportError, ExtraError
from ninebrains.exporting.choosing.artefacts import (
    Artefact,
    Workshop,
    quietest_and_noise,
    time_in_turns,
)
from ninebrains.exporting.choosing.budget import (
    Budget,
    Candidate,
    Doubles,
    Rules,
    front,
    next_step,
    pick,
)
from ninebrains.exporting.choosing.learning import Learnt, learn
from ninebrains.exporting.choosing.lessons import Lesson, from_photos, from_record
from ninebrains.exporting.choosing.networks import Network, networks_for
from ninebrains.exporting.choosing.wording import notes_on
from ninebrains.exporting.comparing import lost_quality
from ninebrains.exporting.exporting import ExportRecipe
from ninebrains.exporting.target import Precision, Target
from ninebrains.exporting.targets import target as find_target
from ninebrains.trunks import Trunk

_MOST_SPEEDUP = 10.0
"""No precision makes a network so many times as fast as it is in floats."""

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
    networks, left_out = networks_for(brain, scope.trunks)
    lesson = _lesson(brain, scope, networks[0])
    rules = Rules(brain.task, budget, recipe.gate.lost)
    with tempfile.TemporaryDirectory(prefix="ninebrains-choosing-") as folder:
        workshop = Workshop(target, recipe, Path(folder), budget.max_mb)
        search = _Search(rules, workshop, scope.rounds, tell)
        candidates = search.run(brain, lesson, networks, precisions)
    notes = [*lesson.notes, *left_out, *notes, *search.notes]
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


class _Search:
    """The measuring: what was built and how long it took in each round."""

    def __init__(self, rules: Rules, workshop: Workshop, rounds: int, tell: Tell) -> None:
        self.rules, self.workshop, self.rounds, self.tell = rules, workshop, rounds, tell
        self.notes: list[str] = []
        self.artefacts: list[Artefact] = []
        self.times: dict[Path, list[float]] = {}
        self.reference: Doubles | None = None

    def run(
        self,
        brain: Brain,
        lesson: Lesson,
        networks: Sequence[Network],
        precisions: Sequence[Precision],
    ) -> tuple[Candidate, ...]:
        """Everything that is worth measuring, the best first."""
        dataset = lesson.learnt_from()
        learnt: list[Learnt] = []
        for place, network in enumerate(networks):
            self._say(f"learning from {len(dataset.photos)} photos", network, place, len(networks))
            learnt.append(learn(brain, lesson, dataset, network))
        self.reference = learnt[0].right()
        for place, one in enumerate(learnt):
            self._say(f"building {precisions[0]}", one.network, place, len(networks))
            self._build(one, precisions[0])
        self._time(self.artefacts, 1)
        contenders = self._worth_more(self.artefacts)
        for best in contenders:
            for precision in precisions[1:]:
                self._say(f"building {precision}", best.learnt.network)
                self._build(best.learnt, precision)
        others = [one for one in self.artefacts if one.folder not in self.times]
        small = [one for one in others if not self._is_too_large(one)]
        self._time([*contenders, *small], self.rounds)
        return tuple(sorted(map(self._candidate, self.artefacts), key=_best_first))

    def _say(self, what: str, network: Network, place: int = 0, num: int = 0) -> None:
        contract = network.trunk.contract
        count = f" ({place + 1} of {num})" if num else ""
        self.tell(f"{what}: {network.name} at {contract.width}x{contract.height} px{count}")

    def _build(self, learnt: Learnt, precision: Precision) -> None:
        """Build an artefact; a network or precision that does not work out is left out."""
        try:
            self.artefacts.append(self.workshop.build(learnt, precision))
        except (BrainError, DataError, ExportError) as error:
            trunk = learnt.network.trunk
            self.notes.append(f"Left out: {trunk.name} in {precision}: {error}")

    def _time(self, artefacts: Sequence[Artefact], rounds: int) -> None:
        folders = [artefact.folder for artefact in artefacts]
        for folder, times in zip(folders, time_in_turns(folders, rounds, self.tell), strict=True):
            self.times.setdefault(folder, []).extend(times)

    def _is_too_large(self, artefact: Artefact) -> bool:
        limit = self.rules.budget.max_mb
        return limit is not None and artefact.mb > limit

    def _worth_more(self, artefacts: Sequence[Artefact]) -> list[Artefact]:
        """Those of which other precisions may win.

        Smaller weights change neither the order of the networks by quality nor, by much, that by
        time: what is slower, larger and no better in floats stays so. Nor does a precision mend
        what is far too slow or loses too much in floats already.
        """
        found = [self._candidate(artefact) for artefact in artefacts]
        best, budget = front([one for one in found if one.is_asked]), self.rules.budget
        kept = []
        for artefact, one in zip(artefacts, found, strict=True):
            too_slow = budget.max_ms is not None and (one.ms or 0) > _MOST_SPEEDUP * budget.max_ms
            too_poor = budget.max_drop is not None and one.lost > budget.max_drop
            is_best = any(one is other for other in best)
            if (is_best or (one.is_brain and one.is_asked)) and not too_slow and not too_poor:
                kept.append(artefact)
        return kept

    def _candidate(self, artefact: Artefact) -> Candidate:
        learnt, contract = artefact.learnt, artefact.learnt.brain.contract
        task, floats = learnt.task, learnt.right()
        lost_to_floats = lost_quality(task, floats, artefact.right).value
        # Luck does not make 8 bits better than the floats that they stand for.
        right = artefact.right if lost_to_floats > 0 else floats
        quality = learnt.quality(right)
        assert self.reference is not None
        times = self.times.get(artefact.folder)
        ms, noise = quietest_and_noise(times) if times else (None, 0.0)
        return Candidate(
            trunk=learnt.network.name,
            height=contract.height,
            width=contract.width,
            precision=artefact.precision,
            quality=quality,
            score=-quality.value if task == "regress" else quality.value,
            lost=lost_quality(task, self.reference, right).value,
            lost_to_floats=max(0.0, lost_to_floats),
            mb=artefact.mb,
            ms=ms,
            ms_noise=noise,
            is_brain=learnt.network.is_brain,
            is_asked=learnt.network.is_asked,
            right=right,
        )


def _best_first(one: Candidate) -> tuple[float, float, float]:
    return (-one.score, float("inf") if one.ms is None else one.ms, one.mb)
