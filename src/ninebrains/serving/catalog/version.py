"""A version as the catalog knows it: plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from ninebrains.serving.repository import Found

if TYPE_CHECKING:
    from ninebrains.brains import Manifest
    from ninebrains.mind import Guest


class State(StrEnum):
    """Where a version is on its way.

    `known`: it lies there and is not loaded, since nobody wants it or it is still being copied.
    `loading`: it is being compiled and tried. `ready`: it can be asked. `failed`: it was refused.
    `leaving`: nobody is sent to it any more; those who were are being answered.
    """

    KNOWN = "known"
    LOADING = "loading"
    READY = "ready"
    FAILED = "failed"
    LEAVING = "leaving"


@dataclass(frozen=True, slots=True)
class Version:
    """One version of one name.

    Attributes:
        name: of the brain, as its folder is called.
        number: of the version, as its folder is called.
        found: where it lies. Where it was replaced and the new content refused: what is serving.
        state: whether it can be asked.
        reason: why not. Of one that is ready: why what has taken its place on disk was refused; it
            goes on with what it was.
        facts: what it says about itself, under its own name and version, once it was loaded.
        digest: of all it holds, once it was loaded.
    """

    name: str
    number: int
    found: Found
    state: State = State.KNOWN
    reason: str = ""
    facts: Manifest | Guest | None = None
    digest: str = ""

    @property
    def member(self) -> str:
        """What the mind calls it."""
        return f"{self.name}@{self.number}"

    @property
    def is_loaded(self) -> bool:
        """Whether the mind has it."""
        return self.state in (State.READY, State.LEAVING)


Versions = Mapping[str, Mapping[int, Version]]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All versions at one moment; never changes.

    Attributes:
        versions: by name and number.
        ready: numbers that can be asked, by name, the newest last.
    """

    versions: Versions = field(default_factory=dict)
    ready: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def with_numbers(self, name: str, numbers: Mapping[int, Version]) -> Snapshot:
        """The same with other versions of one name; without the name where there are none."""
        versions, ready = dict(self.versions), dict(self.ready)
        versions.pop(name, None)
        ready.pop(name, None)
        if numbers:
            versions[name] = dict(sorted(numbers.items()))
        askable = [n for n, version in numbers.items() if version.state is State.READY]
        if askable:
            ready[name] = tuple(sorted(askable))
        return Snapshot(dict(sorted(versions.items())), dict(sorted(ready.items())))
