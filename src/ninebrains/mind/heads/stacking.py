"""The small ends of many brains, run together: one photo or many, some brains or all of them.

    values of the frontier ─► what all brains share, once a photo
                                     └─► products with each brain's matrices
                                              └─► the rest, for all pairs of a template at a time

A pair is one photo and one brain. Its values do not depend on which other brains are seated or
asked, to the last bit (see `products` and `operators`); and where one brain's numbers
are not finite, or a template cannot be computed, pairs of others do not notice.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt

from ninebrains.mind.forms.form import Array
from ninebrains.mind.heads.running import Answers, Shared, answer
from ninebrains.mind.heads.seats import Seat, Section, Slots
from ninebrains.mind.heads.templates import Floats, Tail

__all__ = ["Seat", "Seats", "Stack", "StackResults"]


class StackResults:
    """What a run of a stack found, by the index of the pair. Values are made when asked for.

    Attributes:
        has_errors: whether something is wrong with any pair.
    """

    def __init__(self, num_pairs: int) -> None:
        """Begin without any; `Stack.run` puts them in."""
        self.has_errors = False
        self._groups: list[Answers | str] = []
        self._group_of = np.zeros(num_pairs, np.intp)
        self._places = np.zeros(num_pairs, np.intp)

    def __len__(self) -> int:
        return len(self._places)

    def put(self, indices: Slots, found: Answers | str, places: Slots | int = 0) -> None:
        """Add the answers to some pairs and the place of each in them, or what went wrong."""
        where = slice(None) if len(indices) == len(self) else indices
        self._group_of[where] = len(self._groups)
        self._places[where] = places
        self._groups.append(found)
        self.has_errors |= isinstance(found, str) or bool(found.errors)

    def values(self, index: int) -> dict[str, Floats]:
        """One pair's outputs: float32 arrays without the photos' axis. Not to be written to.

        They are views of what all pairs of the run got, and keep it in memory.
        """
        found = self._groups[self._group_of[index]]
        return {} if isinstance(found, str) else found.values(int(self._places[index]))

    def largest(self, output: str) -> npt.NDArray[np.intp]:
        """For each pair the index of an output's largest value; -1 where there is none."""
        found = np.full(len(self), -1, np.intp)
        for own, array in self._arrays(output):
            found[own] = array.reshape(len(array), -1).argmax(axis=1)
        return found

    def numbers(self, output: str) -> Floats:
        """For each pair an output that is one number; NaN where there is none."""
        found = np.full(len(self), np.nan, np.float32)
        for own, array in self._arrays(output):
            found[own] = array.reshape(len(array), -1)[:, 0]
        return found

    def _arrays(self, output: str) -> Iterator[tuple[Slots, Floats]]:
        """The pairs of each template that has an output, and its values for them."""
        for number, found in enumerate(self._groups):
            own = np.flatnonzero(self._group_of == number)
            array = None if isinstance(found, str) else found.array(output)
            if array is not None:
                yield own, array[self._places[own]]

    def error(self, index: int) -> str | None:
        """What is wrong with one pair's values, if anything: a sentence about "it", the brain."""
        found = self._groups[self._group_of[index]]
        return found if isinstance(found, str) else found.errors.get(int(self._places[index]))


class Seats:
    """Seats that are asked together, again and again: sorted once.

    Attributes:
        by_section: each section, the places of its seats among all of them, and their slots.
    """

    def __init__(self, seats: Sequence[Seat]) -> None:
        """Sort seats; they are held for as long as this is."""
        self._seats = tuple(seats)
        found: dict[Section, tuple[list[int], list[int]]] = {}
        for place, seat in enumerate(seats):
            places, slots = found.setdefault(seat.section, ([], []))
            places.append(place)
            slots.append(seat.slot)
        self.by_section = tuple(
            (section, np.array(places, np.intp), np.array(slots, np.intp))
            for section, (places, slots) in found.items()
        )

    def __len__(self) -> int:
        return len(self._seats)


class Stack:
    """Tails of any templates, run together. All methods may be called from any thread.

    Example:
        >>> stack = Stack()
        >>> seat = stack.add(split(form).tail)  # doctest: +SKIP
        >>> values = {features_hash: np.zeros((1, 1280), np.float32)}  # doctest: +SKIP
        >>> results = stack.run(values, [(0, seat)], ["scores"])  # doctest: +SKIP
        >>> results.values(0)["scores"]  # doctest: +SKIP
        array([0.1, 0.9], dtype=float32)
    """

    def __init__(self) -> None:
        """Begin empty."""
        self._lock = threading.Lock()
        self._sections: dict[str, Section] = {}
        self._seats: set[Seat] = set()
        self._released: deque[tuple[Section, int]] = deque()

    @property
    def num_seats(self) -> int:
        """Tails that were added and not removed."""
        return len(self._seats)

    @property
    def num_bytes(self) -> int:
        """Of all weights in memory: of the seats, and of those removed that are still held."""
        with self._changing():
            return sum(item.num_seats * item.template.num_bytes for item in self._sections.values())

    def add(self, tail: Tail) -> Seat:
        """Copy a tail's weights into the stack. Runs on their way are not disturbed."""
        name = tail.template.hash
        with self._changing():
            section = self._sections.get(name) or Section(tail.template)
            seat = section.add(tail, self._release)
            self._sections[name] = section
            self._seats.add(seat)
        return seat

    def remove(self, seat: Seat) -> None:
        """Let go of a seat. Its memory is freed once nobody else holds it."""
        with self._changing():
            self._seats.discard(seat)

    def run(
        self,
        values: Mapping[str, Array],
        pairs: Sequence[tuple[int, Seat]],
        outputs: Collection[str],
    ) -> StackResults:
        """Compute the outputs of some brains for some photos.

        Args:
            values: of the frontier, by hash: float32[N, ...], a row for each photo. What no output
                needs may be left out (see `Template.needs`).
            pairs: a photo's row and a seat; seats that were removed since can be run as well.
            outputs: names; those that a tail does not make are passed over.

        Returns:
            Values or an error for each pair. Nothing is raised, as no pair may fail another.
        """
        return self.run_together(values, [(row, Seats([seat])) for row, seat in pairs], outputs)

    def run_together(
        self,
        values: Mapping[str, Array],
        asked: Sequence[tuple[int, Seats]],
        outputs: Collection[str],
    ) -> StackResults:
        """As `run`, for several seats at a time.

        Args:
            values: as in `run`.
            asked: a photo's row, and the seats that are asked about it. In the results their pairs
                come one after the other.
            outputs: as in `run`.
        """
        names = frozenset(outputs)
        groups: dict[Section, tuple[list[Slots], list[Slots], list[Slots]]] = {}
        num_pairs = 0
        for row, seats in asked:
            for section, places, slots in seats.by_section:
                of_pairs, of_photos, of_seats = groups.setdefault(section, ([], [], []))
                of_pairs.append(places + num_pairs)
                of_photos.append(np.full(len(slots), row, np.intp))
                of_seats.append(slots)
            num_pairs += len(seats)
        results = StackResults(num_pairs)
        shared = Shared(values)
        with np.errstate(all="ignore"):
            for section, parts in groups.items():
                indices, rows, slots = map(_joined, parts)
                try:
                    results.put(indices, *answer(section, rows, slots, shared, names))
                except Exception as error:  # noqa: BLE001 - whatever it is, others must not see it
                    results.put(indices, f"its head failed: {error}")
        return results

    @contextmanager
    def _changing(self) -> Iterator[None]:
        with self._lock:
            yield
        self._sweep()

    def _release(self, section: Section, slot: int) -> None:
        """Called when nobody holds a seat any more: in any thread, in the midst of anything."""
        self._released.append((section, slot))
        self._sweep()

    def _sweep(self) -> None:
        """Free released slots, unless the lock is taken: who holds it sweeps after letting go.

        Waiting for it could last forever, as a seat may vanish while its own thread is in `add`.
        """
        while self._released and self._lock.acquire(blocking=False):
            try:
                while self._released:
                    section, slot = self._released.popleft()
                    section.free(slot)
                    if not section.num_seats:
                        self._sections.pop(section.template.hash, None)
            finally:
                self._lock.release()


def _joined(parts: Sequence[Slots]) -> Slots:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
