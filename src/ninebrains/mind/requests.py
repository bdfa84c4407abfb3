"""What a mind is asked, and its answers."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ninebrains.brains import Inference
from ninebrains.errors import BrainError, NinebrainsError
from ninebrains.images import Contract, PhotoSource
from ninebrains.mind.scheduling.scheduler import Lane

if TYPE_CHECKING:
    from ninebrains.mind.heads.stacking import Seat, StackResults
    from ninebrains.mind.members import Member, Profile
    from ninebrains.mind.scheduling.scheduler import Ticket
    from ninebrains.mind.segments import Array, Segment
    from ninebrains.mind.tree import Route

AnyLane = Lane[Any, Any]


@dataclass(frozen=True, eq=False)
class Group:
    """Members that take the same route and are asked for the same kind of answer.

    Whoever holds it keeps their segments and seats alive.

    Attributes:
        route: of all of them.
        members: in the order they are answered in.
        seats: the seats of those that have one, in their order.
        places: for each member, the place of its seat in `seats`, or None.
        wanted: hashes of the values that segments have to give for them.
        shown: hashes of those of them that are answers themselves.
        outputs: names of what the stack has to give.
    """

    route: Route
    members: tuple[Member, ...]
    seats: tuple[Seat, ...]
    places: tuple[int | None, ...]
    wanted: frozenset[str]
    shown: frozenset[str]
    outputs: frozenset[str]


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """Where the answer of one name is. It holds no weights, as people keep answers.

    Attributes:
        profile: who answers.
        group: the number of its group.
        seat: the place of its seat among the group's, or None.
        shown: names and hashes of the outputs that segments give.
    """

    profile: Profile
    group: int
    seat: int | None
    shown: tuple[tuple[str, str], ...]


@dataclass(frozen=True, eq=False)
class Start:
    """Where the groups of one contract begin: in a lane each, by their numbers."""

    contract: Contract
    lanes: tuple[tuple[AnyLane, tuple[int, ...]], ...]


@dataclass(frozen=True, eq=False)
class Asked:
    """Which members a request is for, made ready to run.

    Attributes:
        members: by name.
        groups: those who go the same way.
        places: where each name's answer is.
        starts: what to decode, and where it goes from there.
        asleep: names of those whose weights have been put away; while there are any, there are no
            groups.
    """

    members: Mapping[str, Member]
    groups: tuple[Group, ...]
    places: Mapping[str, Place]
    starts: tuple[Start, ...]
    asleep: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        members: Mapping[str, Member],
        asleep: tuple[str, ...],
        lanes: Mapping[Segment, AnyLane],
        *,
        heatmaps: bool,
    ) -> Asked:
        """Sort members by the way they go.

        Args:
            members: by name.
            asleep: names of those that have no route now.
            lanes: of the segments that read photos.
            heatmaps: whether heat maps are wanted, too.
        """
        if asleep:
            return cls(members, (), {}, (), asleep)
        by_route: dict[tuple[Route, frozenset[str]], list[Member]] = {}
        for member in members.values():
            outputs = member.wanted_outputs(heatmaps=heatmaps)
            by_route.setdefault((member.route, outputs), []).append(member)
        groups = tuple(_group(route, names, own) for (route, names), own in by_route.items())
        places = {
            member.name: Place(
                member.profile,
                number,
                seat,
                tuple(item for item in member.outputs.items() if item[1] in group.shown),
            )
            for number, group in enumerate(groups)
            for member, seat in zip(group.members, group.places, strict=True)
        }
        starts: dict[Contract, dict[AnyLane, list[int]]] = {}
        for number, group in enumerate(groups):
            contract = group.members[0].contract
            own = starts.setdefault(contract, {})
            own.setdefault(lanes[group.route[0]], []).append(number)
        return cls(
            members,
            groups,
            {name: places[name] for name in members},
            tuple(
                Start(contract, tuple((lane, tuple(own)) for lane, own in found.items()))
                for contract, found in starts.items()
            ),
        )

    @property
    def lanes(self) -> tuple[AnyLane, ...]:
        """Every lane that a request passes after decoding."""
        return tuple(lane for start in self.starts for lane, _ in start.lanes)


def _group(route: Route, outputs: frozenset[str], members: Sequence[Member]) -> Group:
    seats: list[Seat] = []
    places: list[int | None] = []
    wanted: set[str] = set()
    shown: set[str] = set()
    given = {name for segment in route for name in segment.outputs}
    for member in members:
        by_segments = {member.outputs[name] for name in outputs} & given
        shown |= by_segments
        wanted |= by_segments
        if member.seat is None or member.template is None:
            places.append(None)
            continue
        wanted |= member.template.needs(outputs)
        places.append(len(seats))
        seats.append(member.seat)
    return Group(
        route,
        tuple(members),
        tuple(seats),
        tuple(places),
        frozenset(wanted),
        frozenset(shown),
        outputs,
    )


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


@dataclass(frozen=True, slots=True)
class Timings:
    """How a photo got to its first segment, in seconds.

    Attributes:
        queue: waiting to be decoded.
        decode: decoding.
        decoded: when it was decoded, on time.perf_counter(); from then on it waits for a batch.
    """

    queue: float
    decode: float
    decoded: float


@dataclass(eq=False)
class Request:
    """One photo on its way.

    Attributes:
        ticket: its place in the scheduler.
        photo: as it was given; nothing once it is decoded.
        asked: who is to answer.
        heatmaps: whether heat maps are wanted, too.
        keep_errors: answer although some brains failed.
        submitted: when, on time.perf_counter().
        photo_size: (width, height) of the upright photo, once it is decoded.
        answers: of each group, as far as they have come.
    """

    ticket: Ticket[Inferences]
    photo: PhotoSource
    asked: Asked
    heatmaps: bool
    keep_errors: bool
    submitted: float = field(default_factory=time.perf_counter)
    photo_size: tuple[int, int] = (0, 0)
    answers: list[GroupAnswer] = field(default_factory=list)
    _missing: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def expect_answers(self) -> None:
        """Set out for the answers of every group."""
        self._missing = len(self.asked.groups)
        self.answers = [GroupAnswer() for _ in self.asked.groups]

    def answered(self, number: int, answer: GroupAnswer) -> None:
        """Take the answer of a group; the last one settles the ticket."""
        self.answers[number] = answer
        with self._lock:
            self._missing -= 1
            is_last = not self._missing
        if is_last:
            self._settle()

    def _settle(self) -> None:
        errors = self._errors()
        if errors and not self.keep_errors:
            self.ticket.fail(next(iter(errors.values())))
            return
        self.ticket.succeed(Inferences(self.asked.places, self.answers, errors, self.photo_size))

    def _errors(self) -> dict[str, NinebrainsError]:
        found: dict[str, NinebrainsError] = {}
        for group, answer in zip(self.asked.groups, self.answers, strict=True):
            has_errors = answer.results is not None and answer.results.has_errors
            if answer.error is None and not has_errors:
                continue  # as almost always: nobody is looked at one by one
            for place, member in enumerate(group.members):
                error = answer.error or _error_of_seat(group, answer, place)
                if error is not None:
                    found[member.name] = _blaming(member.profile, error)
        return found


def _error_of_seat(group: Group, answer: GroupAnswer, place: int) -> NinebrainsError | None:
    seat = group.places[place]
    if seat is None or answer.results is None:
        return None
    text = answer.results.error(answer.first + seat)
    return BrainError(text) if text else None


def _blaming(profile: Profile, error: NinebrainsError) -> NinebrainsError:
    """Say whose fault it is; every request gets an exception of its own to raise."""
    made = BrainError(f"{profile.title} gave no answer: {error}")
    made.__cause__ = error
    return made
