"""One batch of photos on its way down the tree, through the stack, to its answers."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ninebrains.errors import BrainError, NinebrainsError
from ninebrains.mind.asked import Group
from ninebrains.mind.heads.stacking import Stack
from ninebrains.mind.inferences import GroupAnswer
from ninebrains.mind.requests import Request, Timings
from ninebrains.mind.segments import Array, Segment


@dataclass(frozen=True, slots=True, eq=False)
class Passage:
    """A group that is to answer one photo.

    Attributes:
        request: who asked.
        number: of the group among those of the request.
        row: the photo's row in the batch.
        timings: how the photo came here.
    """

    request: Request
    number: int
    row: int
    timings: Timings

    @property
    def group(self) -> Group:
        """The group."""
        return self.request.asked.groups[self.number]

    def fail(self, error: NinebrainsError) -> None:
        """Answer with an error."""
        self.request.answered(self.number, GroupAnswer(error=error))


def send(passages: Sequence[Passage], pixels: Array, stack: Stack) -> None:
    """Answer every passage. What fails in one segment or seat disturbs nobody who needs another.

    Args:
        passages: their rows are those of `pixels`, and their routes begin with the same value.
        pixels: uint8[N, H, W, 3].
        stack: of the seats.
    """
    _Batch(stack).go([(item, item.row) for item in passages], pixels, {}, 0)


_Rows = Sequence[tuple[Passage, int]]


class _Batch:
    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.began = time.perf_counter()
        self.head_seconds = 0.0

    def go(self, rows: _Rows, given: Array, known: Mapping[str, Array], depth: int) -> None:
        """Send passages on from a value that they have all come to, `depth` segments down."""
        by_segment: dict[Segment, list[tuple[Passage, int]]] = {}
        for passage, row in rows:
            by_segment.setdefault(passage.group.route[depth], []).append((passage, row))
        for segment, chosen in by_segment.items():
            self._through(segment, chosen, given, known, depth)

    def _through(
        self, segment: Segment, rows: _Rows, given: Array, known: Mapping[str, Array], depth: int
    ) -> None:
        rows, given, known = _only(rows, given, known)
        wanted = frozenset().union(*(passage.group.wanted for passage, _ in rows))
        deeper = [item for item in rows if len(item[0].group.route) > depth + 1]
        names = [name for name in segment.outputs if name in wanted]
        if deeper and segment.end not in names:
            names.append(segment.end)
        try:
            found = dict(zip(names, segment.run(given, names), strict=True))
        except NinebrainsError as error:
            for passage, _ in rows:
                passage.fail(error)
            return
        known = {**known, **found}
        if deeper:
            self.go(deeper, found[segment.end], known, depth + 1)
        done = [item for item in rows if len(item[0].group.route) == depth + 1]
        if done:
            self._answer(done, known)

    def _answer(self, rows: _Rows, known: Mapping[str, Array]) -> None:
        by_outputs: dict[frozenset[str], list[tuple[Passage, int]]] = {}
        for passage, row in rows:
            by_outputs.setdefault(passage.group.outputs, []).append((passage, row))
        for outputs, chosen in by_outputs.items():
            self._answer_alike(chosen, known, outputs)

    def _answer_alike(
        self, rows: _Rows, known: Mapping[str, Array], outputs: frozenset[str]
    ) -> None:
        """Answer passages that want the same outputs of the stack."""
        before = time.perf_counter()
        network = before - self.began - self.head_seconds
        asked = [(row, passage.group.seats) for passage, row in rows if passage.group.seats]
        try:
            results = self.stack.run_together(known, asked, outputs) if asked else None
        except NinebrainsError as error:
            for passage, _ in rows:
                passage.fail(error)
            return
        took = time.perf_counter() - before
        self.head_seconds += took
        bad = _rows_without_numbers(rows, known)
        first = 0
        for passage, row in rows:
            answer = GroupAnswer(
                row=row,
                values={name: known[name] for name in passage.group.shown},
                results=results,
                first=first,
                error=bad.get(row) if passage.group.shown else None,
                timings=self._timings(passage.timings, network, took),
            )
            first += len(passage.group.seats)
            passage.request.answered(passage.number, answer)

    def _timings(self, timings: Timings, network: float, head: float) -> dict[str, float]:
        """Milliseconds by step."""
        seconds = {
            "queue_ms": timings.queue + self.began - timings.decoded,
            "decode_ms": timings.decode,
            "network_ms": network,
            "head_ms": head,
        }
        return {name: round(1000 * value, 3) for name, value in seconds.items()}


def _only(
    rows: _Rows, given: Array, known: Mapping[str, Array]
) -> tuple[_Rows, Array, Mapping[str, Array]]:
    """Keep the rows that are asked for, and number them anew."""
    used = sorted({row for _, row in rows})
    if len(used) == len(given):
        return rows, given, known
    places = {row: place for place, row in enumerate(used)}
    moved = [(passage, places[row]) for passage, row in rows]
    return moved, given[used], {name: value[used] for name, value in known.items()}


def _rows_without_numbers(rows: _Rows, known: Mapping[str, Array]) -> dict[int, BrainError]:
    """The rows of which a value that is shown as it is holds NaN or infinity."""
    bad: dict[int, BrainError] = {}
    for name in frozenset().union(*(passage.group.shown for passage, _ in rows)):
        value = known[name]
        if value.dtype.kind != "f":
            continue
        finite = np.isfinite(value).reshape(len(value), -1).all(axis=1)
        for row in np.flatnonzero(~finite):
            bad[int(row)] = BrainError(
                "the network gave values that are not numbers (NaN or infinite); its weights are "
                "damaged or do not suit this photo"
            )
    return bad
