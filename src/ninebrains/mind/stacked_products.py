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

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from ninebrains.mind.seats import Section, Slots
from ninebrains.mind.tail_templates import Floats, Product

TOGETHER = 4  # photos in one matrix product; larger ones are no faster


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
        size = self.section.template.blocks[block].num_rows
        result = np.empty((len(self.rows), size), np.float32)
        for run in self.runs:
            matrices = self.section.blocks(block, run.first, run.last)
            given = _rows(values, run.rows)
            out = result[run.start : run.stop].reshape(len(matrices), len(given), size)
            whole = len(given) - len(given) % TOGETHER
            if whole:
                np.matmul(
                    given[:whole].reshape(-1, TOGETHER, given.shape[1]),
                    matrices.transpose(0, 2, 1)[:, None],
                    out=out[:, :whole].reshape(len(matrices), -1, TOGETHER, size),
                )
            if whole < len(given):
                np.vecdot(matrices[:, None], given[whole:, None], out=out[:, whole:])
        return result

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


def _rows(values: Floats, rows: Slots) -> Floats:
    """Some photos' rows, next to each other in memory."""
    return values[rows[0] : rows[0] + 1] if len(rows) == 1 else values[rows]
