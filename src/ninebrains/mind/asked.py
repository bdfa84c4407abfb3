"""Who is asked, made ready to run: sorted by the way that they go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ninebrains.images import Contract
from ninebrains.mind.heads.stacking import Seat, Seats
from ninebrains.mind.scheduling.scheduler import Lane

if TYPE_CHECKING:
    from ninebrains.mind.members import Member, Profile
    from ninebrains.mind.segments import Segment
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
    seats: Seats
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
        Seats(seats),
        tuple(places),
        frozenset(wanted),
        frozenset(shown),
        outputs,
    )
