"""Who is in a mind, and how they are placed: members, the tree, the stack.

Changing it takes a lock of its own and may take long, since it compiles; asking who is there only
ever waits for the moment in which a change is made known. What a request was given before a change
stays valid: it holds the segments and seats that it needs, and their memory goes with the last of
those requests.
"""

from __future__ import annotations

import itertools
import re
import threading
import warnings
import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from ninebrains.brains.graph import Graph
from ninebrains.brains.manifest import NAME_PATTERN
from ninebrains.errors import BrainError, ClosedError, NinebrainsError
from ninebrains.images import Contract
from ninebrains.mind.asked import AnyLane, Asked
from ninebrains.mind.forms.canonical import read_form
from ninebrains.mind.forms.cutting import steps
from ninebrains.mind.forms.form import Form
from ninebrains.mind.heads import tails
from ninebrains.mind.heads.stacking import Stack
from ninebrains.mind.members import Member, Source, newcomer, read_source
from ninebrains.mind.segments import Segment
from ninebrains.mind.shelf import Shelf
from ninebrains.mind.tree import Network, Placing, Tree
from ninebrains.mind.tuning.choices import Choice
from ninebrains.mind.yielding import yielding

MakeLane = Callable[[Segment, Contract], AnyLane]


class Company:
    """The members of a mind.

    Args:
        make_lane: makes the queue of a segment that reads photos.
        threads: that one run of a segment may use.
        choices: how to compile networks, by their hash as one segment.
        max_memory: bytes of weights to keep ready; None for no limit.
    """

    def __init__(
        self,
        make_lane: MakeLane,
        *,
        threads: int | None,
        choices: Mapping[str, Choice],
        max_memory: int | None,
    ) -> None:
        self.stack = Stack()
        self.tree = Tree(self._recall, threads, choices)
        self.max_memory = max_memory
        self._make_lane = make_lane
        # A lane lives as long as its segment, which those who were asked may hold alone.
        self._lanes: weakref.WeakKeyDictionary[Segment, AnyLane] = weakref.WeakKeyDictionary()
        self._members: dict[str, Member] = {}
        self._asked: dict[tuple[tuple[str, ...] | None, bool], Asked] = {}
        self._last_used: dict[str, int] = {}
        self._uses = itertools.count()
        self._shelf = Shelf()
        self._is_closed = False
        self._changing = threading.RLock()
        self._knowing = threading.Lock()

    @property
    def members(self) -> Mapping[str, Member]:
        """Those who are there now, by name, in the order they came."""
        with self._knowing:
            return dict(self._members)

    @property
    def num_bytes(self) -> int:
        """Of the weights that are ready."""
        return self.stack.num_bytes + sum(item.num_bytes for item in self.tree.segments)

    def add(self, source: Source, name: str | None = None) -> str:
        """Let one join, or a new version take the place of the old one; see `Mind.add`."""
        with yielding():
            return self._add(source, name)

    def _add(self, source: Source, name: str | None) -> str:
        found = read_source(source)
        member = newcomer(found, source, _checked(found.name if name is None else name))
        with self._changing:
            self._check_open()
            there = self._members.get(member.name)
            is_there = there is not None and there.origin.digest == member.origin.digest
            if there is not None and is_there and not there.is_parked:
                return member.name
            ready, placing = self._prepared(member, read_form(found.graph, found.contract))
            self._make_known(ready, placing)
            self._park_beyond(keep={member.name})
        return member.name

    def remove(self, name: str) -> None:
        """Let one go; see `Mind.remove`."""
        with self._changing:
            self._check_open()
            old = self.members.get(name) if isinstance(name, str) else None
            if old is None:
                raise BrainError(f"there is no {name!r} to remove; {self._who()}")
            with self._knowing:
                del self._members[name]
                self._last_used.pop(name, None)
                self._asked.clear()
            self._leave(old)

    def wake(self, asked: Asked, *, heatmaps: bool) -> Asked:
        """Make those ready who were asked while their weights were put away.

        A request is answered by those whom it was for, also if they have left or there are newer
        versions by now: such are made ready for this request alone.

        Raises:
            BrainError: one cannot be brought back.
        """
        with self._changing, yielding():
            self._check_open()
            ready = {
                name: self._woken(member) if member.is_parked else member
                for name, member in asked.members.items()
            }
            with self._knowing:
                found = Asked.of(ready, (), self._lanes, heatmaps=heatmaps)
            self._park_beyond(keep=set(ready))
        return found

    def _woken(self, member: Member) -> Member:
        there = self._members.get(member.name)
        is_there = there is not None and there.origin.digest == member.origin.digest
        if there is not None and is_there and not there.is_parked:
            return there
        ready, placing = self._prepared(member, read_form(_graph_of(member), member.contract))
        if is_there:
            self._make_known(ready, placing)
        return ready

    def asked(self, names: Sequence[str] | None, *, heatmaps: bool) -> Asked:
        """What a request to some members, or to all, comes to.

        Raises:
            BrainError: there is no such member, or nobody at all.
        """
        key = (None if names is None else tuple(names), heatmaps)
        with self._knowing:
            self._check_open()
            found = self._asked.get(key)
            if found is None:
                found = self._ask(key[0], heatmaps=heatmaps)
                if len(self._asked) > 10_000:  # any of the many ways to ask for several
                    self._asked.clear()
                self._asked[key] = found
            if self.max_memory is not None:
                self._last_used.update(dict.fromkeys(found.members, next(self._uses)))
        return found

    def _ask(self, names: tuple[str, ...] | None, *, heatmaps: bool) -> Asked:
        missing = [name for name in names or () if name not in self._members]
        if missing:
            raise BrainError(f"there is no {missing[0]!r} in this mind; {self._who()}")
        chosen = {name: self._members[name] for name in (self._members if names is None else names)}
        if not chosen:
            raise BrainError("nobody was asked; add brains first, or name some that are there")
        asleep = tuple(name for name, member in chosen.items() if member.is_parked)
        return Asked.of(chosen, asleep, self._lanes, heatmaps=heatmaps)

    def _check_open(self) -> None:
        if self._is_closed:
            raise ClosedError("this mind has been closed; make a new one")

    def _who(self) -> str:
        names = list(self._members)
        more = f" and {len(names) - 20} more" if len(names) > 20 else ""
        return f"here are {', '.join(names[:20])}{more}" if names else "nobody is here"

    def _prepared(self, member: Member, form: Form) -> tuple[Member, Placing]:
        """Compile what is new about a member beside what is there. Nobody knows of it yet."""
        split = tails.split(form)
        wanted = [name for name in split.stem_outputs if name != form.source]
        placing = self.tree.place(Network(form, steps(form, wanted), member.at_once))
        ready = replace(
            member,
            outputs=form.outputs,
            template=split.tail.template if split.tail is not None else None,
            route=placing.route,
            seat=self.stack.add(split.tail) if split.tail is not None else None,
        )
        lanes = {
            segment: self._make_lane(segment, member.contract)
            for segment in placing.added
            if segment.start == form.source
        }
        with self._knowing:
            self._lanes.update(lanes)
        return ready, placing

    def _make_known(self, ready: Member, placing: Placing) -> None:
        """Let a member take its name, from one moment to the next."""
        old = self._members.get(ready.name)
        self.tree.apply(placing)
        with self._knowing:
            self._reroute(placing)
            self._members[ready.name] = ready
            self._asked.clear()
        if old is not None:
            self._leave(old)

    def _reroute(self, placing: Placing) -> None:
        """Lead the members of segments that fell in two through the pieces."""
        if not placing.replaced:
            return
        for name, member in self._members.items():
            route = [
                piece
                for segment in member.route
                for piece in placing.replaced.get(segment, (segment,))
            ]
            self._members[name] = replace(member, route=tuple(route))

    def _leave(self, old: Member) -> None:
        """Let go of what only a former member needed."""
        if old.seat is not None:
            self.stack.remove(old.seat)
        used = {segment for member in self._members.values() for segment in member.route}
        self.tree.keep_only(used)
        self._shelf.sweep()

    def _park_beyond(self, keep: set[str]) -> None:
        """Put the weights away that were not used for longest, until the rest is small enough.

        Where that cannot be done, the limit is passed and a warning says why: brains that answer
        are worth more than the limit.
        """
        while self.max_memory is not None and self.num_bytes > self.max_memory:
            ready = [
                name
                for name, member in self._members.items()
                if not member.is_parked and name not in keep
            ]
            oldest = min(ready, key=lambda name: self._last_used.get(name, -1), default=None)
            if oldest is None:
                return
            try:
                self._park(self._members[oldest])
            except NinebrainsError as error:
                keep = keep | {oldest}
                warnings.warn(
                    f"{oldest} cannot be parked, so max_memory may be exceeded: {error}",
                    RuntimeWarning,
                    stacklevel=2,
                )

    def _park(self, member: Member) -> None:
        """Put one member's weights on the shelf.

        Raises:
            BrainError: they cannot be had any more.
            OutputError: they cannot be written.
        """
        parked = member.parked
        if parked is None:
            parked = self._shelf.put(member.origin.digest, member.origin.recall())
        away = replace(member, route=(), seat=None, template=None, parked=parked)
        with self._knowing:
            self._members[member.name] = away
            self._asked.clear()
        self._leave(member)

    def _recall(self, segment: Segment) -> Form | None:
        """The form that a segment was made from, by any member that goes through it."""
        for member in self.members.values():
            if segment in member.route:
                with suppress(BrainError):  # its file is gone: another's may be there
                    return read_form(member.origin.recall(), member.contract)
        return None

    def close(self) -> None:
        """Let everybody go."""
        with self._changing:
            with self._knowing:
                self._is_closed = True
                members = list(self._members.values())
                self._members = {}
                self._asked.clear()
            for member in members:
                if member.seat is not None:
                    self.stack.remove(member.seat)
            self.tree.keep_only(set())
            self._shelf.close()


def _graph_of(member: Member) -> Graph:
    """A parked member's graph: from the shelf, or where that was damaged from where it came from.

    Raises:
        BrainError: neither has it.
    """
    assert member.parked is not None, "who is parked is on the shelf"
    try:
        return member.parked.get()
    except BrainError as error:
        with suppress(BrainError):
            return member.origin.recall()
        raise error from None


def _checked(name: str) -> str:
    if not isinstance(name, str) or not all(
        re.fullmatch(NAME_PATTERN, part) for part in name.split("@", 1)
    ):
        raise BrainError(
            f"{name!r} cannot be a name; expected 1 to 100 letters, digits, '.', '_' or '-', "
            "beginning with a letter or digit, and after an '@' the version where several of one "
            "name are to be here"
        )
    return name
