"""The versions of all brains that a host knows: which are there, which are loaded, which failed.

    folders ─► scan ─► wanted by policy or traffic? ─► load ─► canary photo ─► ready ─► traffic

A version is made ready beside those that are serving, and only then known to the traffic. One that
cannot be loaded is refused, with its reason; nothing else changes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from ninebrains.brains import Brain
from ninebrains.errors import MissingError, NinebrainsError
from ninebrains.mind.members import digest_of, read_source
from ninebrains.serving.repository import Found, scan
from ninebrains.serving.settings import Settings

if TYPE_CHECKING:
    from ninebrains.brains import Manifest
    from ninebrains.mind import Guest, Mind


class State(StrEnum):
    """Where a version is on its way."""

    KNOWN = "known"
    LOADING = "loading"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Version:
    """One version of one name.

    Attributes:
        name: of the brain, as its folder is called.
        number: of the version, as its folder is called.
        found: where it lies.
        state: whether it can be asked.
        reason: why not, where it failed.
        facts: what it says about itself, once it was loaded.
        digest: of all it holds, once it was loaded.
    """

    name: str
    number: int
    found: Found
    state: State = State.KNOWN
    reason: str = ""
    facts: Manifest | Guest | None = None
    digest: str = ""


Versions = Mapping[str, Mapping[int, Version]]


class Catalog:
    """The versions that a host knows.

    `versions` is a snapshot that never changes; a new one takes its place. `held` gives the
    versions of a name that the traffic needs whatever the policy says; the traffic sets it.

    Args:
        mind: where ready versions are, as `name@number`.
        settings: sources, policies and whom to trust.
    """

    def __init__(self, mind: Mind, settings: Settings) -> None:
        self._mind = mind
        self._settings = settings
        self._changing = threading.Lock()
        self.versions: Versions = {}
        self.held: Callable[[str], frozenset[int]] = lambda _: frozenset()

    def ready(self, name: str) -> tuple[int, ...]:
        """Numbers of a name's versions that can be asked, the newest last; none if unknown."""
        found = self.versions.get(name, {})
        return tuple(sorted(n for n, version in found.items() if version.state is State.READY))

    def find(self, name: str, number: int) -> Version:
        """A version that is known.

        Raises:
            MissingError: there is none.
        """
        try:
            return self.versions[name][number]
        except KeyError:
            raise MissingError(f"there is no {name}@{number} here") from None

    def refresh(self) -> None:
        """Look at the folders, load what is wanted, let go of what is not any more."""
        with self._changing:
            shelf = scan(self._settings.sources)
            for name, numbers in shelf.items():
                for number, found in numbers.items():
                    known = self.versions.get(name, {}).get(number)
                    if known is None or known.found != found:
                        self._load(Version(name, number, found))

    def _load(self, version: Version) -> None:
        self._put(replace(version, state=State.LOADING))
        try:
            thing = read_source(version.found.path)
            member = self._mind.add(thing, f"{version.name}@{version.number}")
            height, width, _ = thing.contract.shape
            self._mind.run(np.zeros((height, width, 3), np.uint8), member)
        except NinebrainsError as error:
            self._put(replace(version, state=State.FAILED, reason=str(error)))
            return
        facts = thing.manifest if isinstance(thing, Brain) else thing
        self._put(replace(version, state=State.READY, facts=facts, digest=digest_of(thing)))

    def _put(self, version: Version) -> None:
        numbers = dict(self.versions.get(version.name, {}))
        numbers[version.number] = version
        self.versions = {**self.versions, version.name: numbers}
