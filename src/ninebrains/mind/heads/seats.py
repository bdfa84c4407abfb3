"""Where the weights of stacked tails lie, and who holds them for how long.

    Stack ──► Section (one template) ──► Slab (64 slots or fewer) ──► float32[slots, rows, width]

A tail sits in one slot. Its weights lie there once, in the layout that products want. Who owns
what:

- whoever holds a `Seat` may run it, from any thread. Its weights stay as long as it does;
- the stack lets go of a seat in `Stack.remove`; runs on their way hold it until they are done;
- when the last one has let go, the slot is free: its memory goes back to the operating system, all
  of the slab's if that was its last seat, and another tail may be put there.

So no run ever sees a weight change: only free slots are written, and nothing reads those.
"""

from __future__ import annotations

import heapq
import math
import mmap
import sys
import weakref
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ninebrains.mind.heads.templates import Floats, Tail, Template

Slots = npt.NDArray[np.intp]

_MOST_SLOTS = 64
_SLAB_BYTES = 16 << 20  # of addresses; memory that was never written to takes no room


@dataclass(frozen=True, eq=False, slots=True, weakref_slot=True)
class Seat:
    """A tail's place in a stack. It never changes.

    Attributes:
        section: all seats of its template.
        slot: which of them it is.
    """

    section: Section
    slot: int

    @property
    def template(self) -> Template:
        """What it computes."""
        return self.section.template

    @property
    def num_bytes(self) -> int:
        """Of its weights."""
        return self.template.num_bytes

    def tail(self) -> Tail:
        """A copy of what was seated, bit by bit: to be put away, and seated again later."""
        return self.section.copy(self.slot)


class Section:
    """The seats of one template. Whoever adds or frees holds the stack's lock; readers need none.

    Attributes:
        template: of all its seats.
        slots_per_slab: neighbouring slots in one piece of memory.
        num_seats: slots that are not free.
    """

    def __init__(self, template: Template) -> None:
        size = sum(block.num_bytes for block in template.blocks)
        self.template = template
        self.slots_per_slab = max(1, min(_MOST_SLOTS, _SLAB_BYTES // size))
        self.num_seats = 0
        self._slabs: list[_Slab | None] = []
        self._weights = [np.zeros((0, *shape), np.float32) for shape in template.weights]
        self._free: list[int] = []

    def add(self, tail: Tail, release: Callable[[Section, int], None]) -> Seat:
        """Copy a tail's weights into the first free slot.

        Args:
            tail: of this section's template.
            release: is called, in any thread, when nobody holds the seat any more.
        """
        if not self._free:
            self._grow()
        number, place = divmod(self._free[0], self.slots_per_slab)
        slab = self._slabs[number] or _Slab(self.template, self.slots_per_slab)
        for block, parts in zip(slab.blocks, tail.blocks, strict=True):
            np.concatenate(parts, out=block[place])
        for weights, weight in zip(self._weights, tail.weights, strict=True):
            weights[self._free[0]] = weight
        self._slabs[number] = slab
        slab.num_seats += 1
        self.num_seats += 1
        seat = Seat(self, heapq.heappop(self._free))
        weakref.finalize(seat, release, self, seat.slot).atexit = False
        return seat

    def free(self, slot: int) -> None:
        """Make a slot free, once nothing reads it any more."""
        number, place = divmod(slot, self.slots_per_slab)
        slab = self._slabs[number]
        assert slab is not None, "a slot is freed once"
        slab.num_seats -= 1
        self.num_seats -= 1
        if slab.num_seats:
            slab.forget(place)
        else:
            self._slabs[number] = None
        heapq.heappush(self._free, slot)

    def blocks(self, index: int, start: int, stop: int) -> Floats:
        """Blocks of neighbouring seats in one slab, float32[stop - start, rows, width]: a view."""
        number, place = divmod(start, self.slots_per_slab)
        slab = self._slabs[number]
        assert slab is not None, "where a seat is, there is a slab"
        return slab.blocks[index][place : place + stop - start]

    def weights(self, index: int, slots: Slots) -> Floats:
        """A small weight of some seats, float32[len(slots), ...]."""
        return self._weights[index].take(slots, axis=0)

    def copy(self, slot: int) -> Tail:
        """What lies in a slot."""
        indices = range(len(self.template.blocks))
        blocks = tuple((self.blocks(index, slot, slot + 1)[0].copy(),) for index in indices)
        return Tail(self.template, blocks, tuple(item[slot].copy() for item in self._weights))

    def _grow(self) -> None:
        """Make slots for one more slab. Runs on their way read on in the old small weights."""
        start = len(self._slabs) * self.slots_per_slab
        for index, old in enumerate(self._weights):
            larger = np.zeros((start + self.slots_per_slab, *old.shape[1:]), np.float32)
            larger[:start] = old
            self._weights[index] = larger
        self._slabs.append(None)
        self._free.extend(range(start, start + self.slots_per_slab))  # sorted, so a heap


class _Slab:
    """Memory for the blocks of some slots. It is taken from the system as slots are written."""

    def __init__(self, template: Template, num_slots: int) -> None:
        shapes = [(num_slots, block.num_rows, block.width) for block in template.blocks]
        self.num_seats = 0
        self.memory = [_memory(4 * math.prod(shape)) for shape in shapes]
        self.blocks: list[Floats] = [
            np.frombuffer(memory, np.float32).reshape(shape)
            for memory, shape in zip(self.memory, shapes, strict=True)
        ]

    def forget(self, place: int) -> None:
        """Give a slot's memory back: the whole pages in it."""
        if sys.platform == "win32":
            return
        for memory, block in zip(self.memory, self.blocks, strict=True):
            size = block[0].nbytes
            start = -(-place * size // mmap.PAGESIZE) * mmap.PAGESIZE
            stop = (place + 1) * size // mmap.PAGESIZE * mmap.PAGESIZE
            if start < stop:
                memory.madvise(mmap.MADV_DONTNEED, start, stop - start)


def _memory(num_bytes: int) -> mmap.mmap:
    """Zeros that go back to the system when nothing refers to them; `malloc` may keep its own."""
    if sys.platform == "win32":
        return mmap.mmap(-1, num_bytes)
    return mmap.mmap(-1, num_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
