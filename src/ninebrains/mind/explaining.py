"""What a mind looks like from inside: the tree, who shares what, what it costs and holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from ninebrains.images import Contract
    from ninebrains.mind.company import Company
    from ninebrains.mind.members import Member
    from ninebrains.mind.segments import Segment

_MOST_NAMES = 6


@dataclass(frozen=True)
class Branch:
    """One node of the tree.

    Attributes:
        kind: `photos`, `segment`, or `heads` that are run as one product.
        title: for people.
        hash: of a segment: the same on every machine.
        brains: the names of those who share it.
        multiplications: for one photo.
        run_ms: what one photo takes as learned from traffic; None before any.
        num_bytes: of weights.
        backend: what runs a segment.
        below: what reads its result.
    """

    kind: Literal["photos", "segment", "heads"]
    title: str
    hash: str
    brains: tuple[str, ...]
    multiplications: float
    run_ms: float | None
    num_bytes: int
    backend: str
    below: tuple[Branch, ...]


@dataclass(frozen=True)
class Explanation:
    """The tree of a mind at one moment; `str()` shows it.

    Attributes:
        roots: one for each contract.
        parked: names of brains whose weights are on disk at present.
        num_brains: ready ones.
        num_bytes: of all weights that are ready.
        num_bytes_alone: what each brain would hold for itself, in sum.
        multiplications: for one photo through all that are ready.
        multiplications_alone: the same if nothing were shared.
    """

    roots: tuple[Branch, ...]
    parked: tuple[str, ...]
    num_brains: int
    num_bytes: int
    num_bytes_alone: int
    multiplications: float
    multiplications_alone: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    def to_svg(self) -> str:
        """The tree as a picture."""
        from ninebrains.mind.picture import draw

        return draw(self)

    def __str__(self) -> str:
        lines: list[str] = []
        for root in self.roots:
            lines.append(root.title)
            lines.extend(_lines(root.below, ""))
        if self.parked:
            lines.append(f"parked on disk: {_some(self.parked)}")
        lines.append(self.summary)
        return "\n".join(lines)

    @property
    def summary(self) -> str:
        """What sharing brings, in one sentence."""
        if not self.num_brains:
            return "nobody is here"
        work = self.multiplications_alone / max(self.multiplications, 1.0)
        memory = self.num_bytes_alone / max(self.num_bytes, 1)
        brains = "1 brain" if self.num_brains == 1 else f"{self.num_brains} brains"
        return (
            f"{brains}: {_short(self.multiplications)} multiplications a photo and "
            f"{self.num_bytes / 1e6:.1f} MB of weights; alone they would take {work:.1f} times the "
            f"work and {memory:.1f} times the memory"
        )


def explain(company: Company) -> Explanation:
    """Look at the members of a mind and how they are placed."""
    members = company.members
    ready = [member for member in members.values() if not member.is_parked]
    by_contract: dict[Contract, list[Member]] = {}
    for member in ready:
        by_contract.setdefault(member.contract, []).append(member)
    roots = tuple(_root(contract, own) for contract, own in by_contract.items())
    alone = [(_work(member), _bytes(member)) for member in ready]
    every = [branch for root in roots for branch in _walk(root)]
    return Explanation(
        roots=roots,
        parked=tuple(name for name, member in members.items() if member.is_parked),
        num_brains=len(ready),
        num_bytes=sum(branch.num_bytes for branch in every),
        num_bytes_alone=sum(num_bytes for _, num_bytes in alone),
        multiplications=sum(branch.multiplications for branch in every),
        multiplications_alone=sum(work for work, _ in alone),
    )


def _root(contract: Contract, members: Sequence[Member]) -> Branch:
    title = f"photos {contract.width} x {contract.height}, {contract.fit}"
    names = tuple(member.name for member in members)
    return Branch("photos", title, "", names, 0.0, None, 0, "", _below(members, 0))


def _below(members: Sequence[Member], depth: int) -> tuple[Branch, ...]:
    by_segment: dict[Segment, list[Member]] = {}
    for member in members:
        if len(member.route) > depth:
            by_segment.setdefault(member.route[depth], []).append(member)
    branches = [_segment(segment, own, depth) for segment, own in by_segment.items()]
    seated = [
        member for member in members if len(member.route) == depth and member.seat is not None
    ]
    if seated:
        branches.append(_heads(seated))
    return tuple(branches)


def _segment(segment: Segment, members: Sequence[Member], depth: int) -> Branch:
    names = tuple(member.name for member in members)
    learned = segment.cost.predict(1) * 1000 if segment.num_runs else None
    return Branch(
        "segment",
        f"segment {segment.hash[:8]}",
        segment.hash,
        names,
        segment.multiplications,
        None if learned is None else round(learned, 3),
        segment.num_bytes,
        segment.choice.backend,
        _below(members, depth + 1),
    )


def _heads(members: Sequence[Member]) -> Branch:
    names = tuple(member.name for member in members)
    held = sum(member.seat.num_bytes for member in members if member.seat is not None)
    title = "1 head" if len(names) == 1 else f"{len(names)} heads in one product"
    return Branch("heads", title, "", names, held / 4, None, held, "numpy", ())


def _work(member: Member) -> float:
    heads = member.seat.num_bytes / 4 if member.seat is not None else 0.0
    return heads + sum(segment.multiplications for segment in member.route)


def _bytes(member: Member) -> int:
    heads = member.seat.num_bytes if member.seat is not None else 0
    return heads + sum(segment.num_bytes for segment in member.route)


def _walk(branch: Branch) -> Iterator[Branch]:
    yield branch
    for below in branch.below:
        yield from _walk(below)


def _lines(branches: Sequence[Branch], indent: str) -> Iterator[str]:
    for place, branch in enumerate(branches):
        is_last = place + 1 == len(branches)
        yield f"{indent}{'└─' if is_last else '├─'} {branch.title}: {', '.join(facts(branch))}"
        yield from _lines(branch.below, indent + ("   " if is_last else "│  "))


def facts(branch: Branch) -> tuple[str, ...]:
    """What there is to say about a branch, in short pieces."""
    size = f"{branch.num_bytes / 1e6:.1f} MB"
    if branch.kind == "heads":
        return (size, _some(branch.brains))
    took = () if branch.run_ms is None else (f"{branch.run_ms:.1f} ms a photo",)
    users = branch.brains
    shared = f"shared by {len(users)}" if len(users) > 1 else f"only {users[0]}"
    return (f"{_short(branch.multiplications)} multiplications", *took, size, shared)


def _some(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _short(number: float) -> str:
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= size:
            return f"{number / size:.1f} {unit}"
    return f"{number:.0f}"
