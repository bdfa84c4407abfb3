"""Products of many brains' matrices with the values that they share.

A brain's result must be the same bits alone and among hundreds. BLAS promises that for the same
call only: where a row lies in a large product, how large it is and how many threads share it may
all change the last bit. So there is no large product. Every brain's rows are multiplied by calls of
their own, whose shapes depend on nothing but the brain and the photos that it is asked about:

- four photos at a time, one small matrix product for each block;
- for those left over, one dot product for each row. With one photo this is as fast as memory is.

Numpy makes these calls in a loop of its own, so that hundreds cost one call from Python. They are
too small for BLAS to start threads for, unless a brain has very many labels.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from ninebrains.mind.heads.seats import Section, Slots
from ninebrains.mind.heads.templates import Floats, Product
from ninebrains.workers import side_by_side, usable_cores

TOGETHER = 4  # photos in one matrix product; larger ones are no faster
_WORTH_SHARING = 12 << 20  # bytes of matrices: less is read before another thread has woken up


class Run(NamedTuple):
    """Neighbouring seats in one slab that are asked about the same photos.

    Attributes:
        start: its first pair.
        stop: the pair after its last.
        first: its first slot.
        last: the slot after its last.
        rows: of the photos, for every slot: intp[R].
    """

    start: int
    stop: int
    first: int
    last: int
    rows: Slots


class Pairs:
    """Pairs of a photo and a seat of one section, in an order that makes few calls of them.

    Attributes:
        section: of all the seats.
        rows: each pair's photo, intp[P].
        slots: each pair's seat, intp[P].
        places: where each of the given pairs went, intp[P].
        runs: all pairs, in order.
    """

    def __init__(self, section: Section, rows: Slots, slots: Slots) -> None:
        """Sort pairs by the number of photos that their seat is asked about, seat and photo."""
        self.section = section
        self.rows = rows
        self.slots = slots
        self.places = np.arange(len(slots))
        classes = [(1, len(slots))]
        if len(slots) > 1 and not (slots[1:] > slots[:-1]).all():
            order = np.lexsort((rows, slots))
            _, counts = np.unique(slots, return_counts=True)
            order = order[np.argsort(np.repeat(counts, counts), kind="stable")]
            self.rows = rows[order]
            self.slots = slots[order]
            self.places[order] = np.arange(len(order))
            numbers, seats = np.unique(counts, return_counts=True)
            classes = list(zip(numbers.tolist(), seats.tolist(), strict=True))
        self.runs = tuple(self._runs(classes))

    def _runs(self, classes: Iterable[tuple[int, int]]) -> Iterator[Run]:
        """Runs, of seats with one number of photos after those with another.

        Args:
            classes: a number of photos, and the number of seats that are asked about so many.
        """
        start = 0
        for count, seats in classes:
            stop = start + count * seats
            rows = self.rows[start:stop].reshape(-1, count)
            slots = self.slots[start:stop:count]
            for low, high in pairwise([0, *self._breaks(slots, rows), seats]):
                first = int(slots[low])
                last = first + high - low
                yield Run(start + low * count, start + high * count, first, last, rows[low])
            start = stop

    def _breaks(self, slots: Slots, rows: Slots) -> list[int]:
        """Where a seat is no neighbour of the one before it, or is asked about other photos."""
        if len(slots) == 1:
            return []
        is_apart = (
            (slots[1:] - slots[:-1] != 1)
            | (slots[1:] % self.section.slots_per_slab == 0)
            | (rows[1:] != rows[:-1]).any(axis=1)
        )
        found: list[int] = (is_apart.nonzero()[0] + 1).tolist()
        return found

    def vectors(self, block: int, values: Floats) -> Floats:
        """Each pair's block times its photo's vector.

        Args:
            block: index of the block in the template.
            values: float32[N, width], a row for each photo.

        Returns:
            float32[P, num_rows].
        """
        shape = self.section.template.blocks[block]
        size = shape.num_rows
        result = np.empty((len(self.rows), size), np.float32)

        def multiply(runs: Sequence[Run]) -> None:
            for run in runs:
                self._multiply(block, values, run, result[run.start : run.stop])

        num_seats = sum(run.last - run.first for run in self.runs)
        large = num_seats * shape.num_bytes >= _WORTH_SHARING
        side_by_side(multiply, _shared_out(self.runs, usable_cores() if large else 1))
        return result

    def _multiply(self, block: int, values: Floats, run: Run, result: Floats) -> None:
        """One run's part of `vectors`, written to `result`."""
        matrices = self.section.blocks(block, run.first, run.last)
        given = _rows(values, run.rows)
        size = result.shape[1]
        out = result.reshape(len(matrices), len(given), size)
        whole = len(given) - len(given) % TOGETHER
        if whole:
            np.matmul(
                given[:whole].reshape(-1, TOGETHER, given.shape[1]),
                matrices.transpose(0, 2, 1)[:, None],
                out=out[:, :whole].reshape(len(matrices), -1, TOGETHER, size),
            )
        if whole < len(given):
            np.vecdot(matrices[:, None], given[whole:, None], out=out[:, whole:])

    def maps(self, product: Product, values: Floats) -> Floats:
        """Each pair's matrix times the vector at every place of its photo's map.

        Args:
            product: says which rows of which block the matrix is.
            values: float32[N, width, h, w], a map for each photo.

        Returns:
            float32[P, rows, h, w].
        """
        result = np.empty((len(self.rows), *product.shape), np.float32)
        flat = result.reshape(len(result), product.shape[0], -1)
        for run in self.runs:
            matrices = self.section.blocks(product.block, run.first, run.last)
            given = _rows(values, run.rows).reshape(len(run.rows), values.shape[1], -1)
            out = flat[run.start : run.stop].reshape(len(matrices), len(given), *flat.shape[1:])
            np.matmul(matrices[:, None, product.start : product.stop], given, out=out)
        return result


def _shared_out(runs: Sequence[Run], num_parts: int) -> list[list[Run]]:
    """Runs in a few parts with equally many pairs, cut between seats where need be."""
    if num_parts < 2:
        return [list(runs)]
    parts: list[list[Run]] = [[] for _ in range(num_parts)]
    total = runs[-1].stop
    for run in runs:
        low = run
        while low.start < low.stop:
            number = min(low.start * num_parts // total, num_parts - 1)
            end = -(-(number + 1) * total // num_parts)
            count = len(low.rows)
            seats = min(-(-(end - low.start) // count), low.last - low.first)
            stop, last = low.start + seats * count, low.first + seats
            parts[number].append(low._replace(stop=stop, last=last))
            low = low._replace(start=stop, first=last)
    return [part for part in parts if part]


def _rows(values: Floats, rows: Slots) -> Floats:
    """Some photos' rows, next to each other in memory."""
    return values[rows[0] : rows[0] + 1] if len(rows) == 1 else values[rows]
