"""What differs between two brains, for people and for programs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ninebrains.brains.brain import Brain
from ninebrains.brains.manifest import Label

_PARTS = ("name", "version", "task", "contract", "trunk", "training", "metrics")


@dataclass(frozen=True)
class Change:
    """One difference: where (`metrics.accuracy.value`), before and after; None where absent."""

    place: str
    before: str | None
    after: str | None

    def __str__(self) -> str:
        if self.before is None:
            return f"{self.place}: added {self.after}"
        if self.after is None:
            return f"{self.place}: removed {self.before}"
        return f"{self.place}: {self.before} -> {self.after}"


@dataclass(frozen=True)
class Difference:
    """How two brains differ.

    Attributes:
        before: `name@version` of the first.
        after: of the second.
        changes: in the order of `brain.json`, labels before the rest.
        shared_bytes: of weights that both have.
        before_bytes: of weights that only the first has.
        after_bytes: of weights that only the second has.
    """

    before: str
    after: str
    changes: tuple[Change, ...]
    shared_bytes: int
    before_bytes: int
    after_bytes: int

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def diff(before: Brain, after: Brain) -> Difference:
    """Compare two brains: labels, contract, trunk, training, metrics, graph and weights."""
    changes = list(_label_changes(before.labels, after.labels))
    for part in _PARTS:
        plain = [
            dict(
                _flatten(part, brain.manifest.model_dump(mode="json", exclude_none=True).get(part))
            )
            for brain in (before, after)
        ]
        changes += _changes(plain[0], plain[1])
    changes += _changes(_hashes(before), _hashes(after))
    mine, theirs = before.graph.weights, after.graph.weights
    return Difference(
        before=f"{before.name}@{before.version}",
        after=f"{after.name}@{after.version}",
        changes=tuple(changes),
        shared_bytes=sum(len(data) for name, data in mine.items() if name in theirs),
        before_bytes=sum(len(data) for name, data in mine.items() if name not in theirs),
        after_bytes=sum(len(data) for name, data in theirs.items() if name not in mine),
    )


def _hashes(brain: Brain) -> dict[str, str]:
    found = {str(name): digest for name, digest in brain.manifest.files.items()}
    if brain.signature:
        found["signature"] = f"ed25519:{brain.signature.public_key}"
    return found


def _label_changes(before: Sequence[Label], after: Sequence[Label]) -> Iterator[Change]:
    """Labels are compared by id, which never changes."""
    old = {label.id: label for label in before}
    new = {label.id: label for label in after}
    for key in [*old, *(key for key in new if key not in old)]:
        mine, theirs = old.get(key), new.get(key)
        place = f"label {key}"
        if mine is None or theirs is None:
            yield Change(place, mine.name if mine else None, theirs.name if theirs else None)
            continue
        if mine.name != theirs.name:
            yield Change(f"{place} name", mine.name, theirs.name)
        if mine.index != theirs.index:
            yield Change(f"{place} index", str(mine.index), str(theirs.index))


def _flatten(place: str, value: object) -> Iterator[tuple[str, str]]:
    """Each single value with its path; the long lists, such as the confusion matrix, as one."""
    if isinstance(value, Mapping):
        for key in value:
            yield from _flatten(f"{place}.{key}", value[key])
    elif isinstance(value, list) and value and isinstance(value[0], (Mapping, list)):
        named = [item.get("label_id") if isinstance(item, Mapping) else None for item in value]
        if all(named):
            for name, item in zip(named, value, strict=True):
                yield from _flatten(f"{place}[{name}]", {**item, "label_id": name})
        else:
            digest = hashlib.sha256(repr(value).encode()).hexdigest()
            yield place, f"{len(value)} entries ({digest[:8]})"
    elif value is not None:
        yield place, f"{value:.6g}" if isinstance(value, float) else str(value)


def _changes(before: Mapping[str, str], after: Mapping[str, str]) -> list[Change]:
    places = [*before, *(place for place in after if place not in before)]
    return [
        Change(place, before.get(place), after.get(place))
        for place in places
        if before.get(place) != after.get(place)
    ]
