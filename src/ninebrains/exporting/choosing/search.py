"""The measuring: heads, artefacts and times, of no more than may win.

Quality takes one run over the photos for each network. Of the networks in floats only the best ones
are then built in other precisions too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from ninebrains.brains import Brain
from ninebrains.errors import BrainError, DataError, ExportError
from ninebrains.exporting.choosing.artefacts import (
    Artefact,
    Workshop,
    quietest_and_noise,
    time_in_turns,
)
from ninebrains.exporting.choosing.budget import Candidate, Doubles, Rules, front, lost_between
from ninebrains.exporting.choosing.learning import Learnt, learn
from ninebrains.exporting.choosing.lessons import Lesson
from ninebrains.exporting.choosing.networks import Network
from ninebrains.exporting.target import Precision

_MOST_SPEEDUP = 10.0
"""No precision makes a network so many times as fast as it is in floats."""

Tell = Callable[[str], None]


class Search:
    """What was built so far, and how long it took in each round.

    Attributes:
        artefacts: everything that was built and runs.
        notes: what was left out, and why.
    """

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
        self._time(list(self.artefacts), self.rounds)
        contenders = self._worth_more(self.artefacts)
        for best in contenders:
            for precision in precisions[1:]:
                self._say(f"building {precision}", best.learnt.network)
                self._build(best.learnt, precision)
        others = [one for one in self.artefacts if one.folder not in self.times]
        if others:
            every = (*contenders, *others)
            self._time([one for one in every if not self._is_too_large(one)], self.rounds)
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
        """Time artefacts in turns; one that does not run is left out."""
        try:
            found = time_in_turns([one.folder for one in artefacts], rounds, self.tell)
        except ExportError:
            running = [one for one in artefacts if self._runs(one)]
            if len(running) == len(artefacts):
                raise  # each runs alone, so the next try would end as this one did
            self._time(running, rounds)
            return
        for artefact, times in zip(artefacts, found, strict=True):
            self.times.setdefault(artefact.folder, []).extend(times)

    def _runs(self, artefact: Artefact) -> bool:
        try:
            time_in_turns([artefact.folder], 1)
        except ExportError as error:
            self.artefacts.remove(artefact)
            self.notes.append(f"Left out: {artefact.name}: {error}")
            return False
        return True

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
        lost_to_floats = lost_between(task, floats, artefact.right).value
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
            lost=lost_between(task, self.reference, right).value,
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
