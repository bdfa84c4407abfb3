"""The answers of a mind on one photo, made when they are looked at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ninebrains.brains import Inference
from ninebrains.errors import NinebrainsError
from ninebrains.mind.asked import Place

if TYPE_CHECKING:
    from ninebrains.mind.heads.stacking import StackResults
    from ninebrains.mind.segments import Array


@dataclass(eq=False)
class GroupAnswer:
    """What a group gave for one photo.

    Attributes:
        row: the photo's row in `values`.
        values: by hash, what segments gave.
        results: what the stack gave, or None where no member has a seat.
        first: place of the group's first seat in `results`.
        error: why there is no answer, for all of the group.
        timings: milliseconds by step.
    """

    row: int = 0
    values: Mapping[str, Array] = field(default_factory=dict)
    results: StackResults | None = None
    first: int = 0
    error: NinebrainsError | None = None
    timings: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _QuickAnswers:
    """The best label of every seat, and whether the photo is familiar to it."""

    largest: Sequence[int]
    is_strange: Sequence[bool]

    @classmethod
    def of(cls, results: StackResults | None) -> _QuickAnswers:
        if results is None:
            return cls((), ())
        strange = results.numbers("unfamiliar") > 1.0
        return cls(results.largest("scores").tolist(), strange.tolist())

    def of_seat(self, seat: int, labels: Sequence[str]) -> str | None:
        return None if self.is_strange[seat] else labels[self.largest[seat]]


class Inferences(Mapping[str, Inference]):
    """The answers of several brains on one photo, by the brains' names.

    An answer is made when it is first looked at, so asking hundreds of brains costs little.

    Attributes:
        errors: by name, why a brain has no answer; looking it up raises it.
        photo_size: (width, height) of the upright photo.
    """

    def __init__(
        self,
        places: Mapping[str, Place],
        answers: Sequence[GroupAnswer],
        errors: Mapping[str, NinebrainsError],
        photo_size: tuple[int, int],
    ) -> None:
        self._places = places
        self._answers = answers
        self._made: dict[str, Inference] = {}
        self.errors = errors
        self.photo_size = photo_size

    @property
    def timings(self) -> dict[str, float]:
        """Milliseconds by step: `queue_ms`, `decode_ms`, `network_ms`, `head_ms`.

        Of each the longest, where the brains asked went several ways.
        """
        found: dict[str, float] = {}
        for answer in self._answers:
            for name, value in answer.timings.items():
                found[name] = max(found.get(name, 0.0), value)
        return found

    @property
    def answers(self) -> dict[str, str | None]:
        """What each brain says: the name of a label, or None for "none of these".

        The same as every inference's `answer`, without making the inferences. Brains that failed
        and models without labels are left out.
        """
        found: dict[str, str | None] = {}
        quick = [_QuickAnswers.of(answer.results) for answer in self._answers]
        for name, place in self._places.items():
            if name in self.errors:
                continue
            if place.seat is not None and place.profile.has_ranking:
                seat = self._answers[place.group].first + place.seat
                found[name] = quick[place.group].of_seat(seat, place.profile.label_names)
            elif place.profile.label_names:
                found[name] = self[name].answer
        return found

    def __getitem__(self, name: str) -> Inference:
        made = self._made.get(name)
        if made is not None:
            return made
        place = self._places[name]
        if name in self.errors:
            raise self.errors[name]
        answer = self._answers[place.group]
        values = {output: answer.values[value][answer.row] for output, value in place.shown}
        if place.seat is not None and answer.results is not None:
            values.update(answer.results.values(answer.first + place.seat))
        made = place.profile.inference(values, self.photo_size, answer.timings)
        self._made[name] = made
        return made

    def __contains__(self, name: object) -> bool:
        """Whether a brain was asked; also if it failed."""
        return name in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def __repr__(self) -> str:
        return f"Inferences({', '.join(self)})"
