"""`Lineup`: versions on their way into the mind and out of it."""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING

from ninebrains.errors import BrainError, ClosedError, MissingError, NinebrainsError
from ninebrains.serving.catalog.admitting import admit
from ninebrains.serving.catalog.patience import Refusal, Steady, refusal
from ninebrains.serving.catalog.version import Snapshot, State, Version
from ninebrains.serving.repository import Found

if TYPE_CHECKING:
    from ninebrains.mind import Mind

_log = logging.getLogger("ninebrains.serving")


class Lineup:
    """The versions that are known, and how far each of them is.

    Only one thread at a time may change it; `now` may be read in any.

    Args:
        mind: where ready versions are, as `name@number`.

    Attributes:
        now: the versions at this moment.
        steady: tells what has been as it is for long enough.
        has_begun: whether files must have settled before they are loaded; when starting, what
            lies there is loaded at once.
    """

    def __init__(self, mind: Mind) -> None:
        self.now = Snapshot()
        self.steady = Steady(0.0)
        self.has_begun = False
        self._mind = mind
        self._trusted: Collection[str] | None = None
        self._doubted: set[tuple[str, int]] = set()
        self._refusals: dict[tuple[str, int], Refusal] = {}
        self._settled: set[tuple[str, int]] = set()

    def find(self, name: str, number: int) -> Version:
        """A version that is known.

        Raises:
            MissingError: there is none.
        """
        try:
            return self.now.versions[name][number]
        except KeyError:
            raise MissingError(f"there is no {name}@{number} here") from None

    def trust(self, trusted: Collection[str] | None) -> None:
        """Go by other keys: what is loaded and wanted is looked at anew, what was refused too."""
        if trusted != self._trusted:
            self._trusted = trusted
            self._refusals.clear()
            known = [version for some in self.now.versions.values() for version in some.values()]
            self._doubted = {(v.name, v.number) for v in known if v.is_loaded}

    def note(self, name: str, number: int, found: Found | None) -> None:
        """Take note, once a look, of files that are there, have changed, or (None) have gone."""
        known = self.now.versions.get(name, {}).get(number)
        if found is not None and self.steady.holds(("files", name, number), found.mark):
            self._settled.add((name, number))
        else:
            self._settled.discard((name, number))
        if known is not None and known.is_loaded:
            return  # it goes on with what it is until that is replaced or leaves
        if found is not None and (known is None or known.found != found):
            self._put(Version(name, number, found))
        elif found is None and known is not None:
            self._forget(known)

    def settle(self, name: str, number: int) -> None:
        """Files that were noted are whole, as somebody knows who has loaded them."""
        self._settled.add((name, number))

    def ensure(self, name: str, number: int, found: Found) -> bool:
        """Load a version if it is time for that; whether it can be asked then."""
        version = self.find(name, number)
        if (name, number) in self._doubted:
            return self._look_anew(version)
        if version.is_loaded and version.found == found:
            self._put(replace(version, state=State.READY, reason=""))
            return True
        # The first look cannot tell whether something is being copied.
        is_settled = (name, number) in self._settled or not self.has_begun
        refused = self._refusals.get((name, number))
        if is_settled and (refused is None or not refused.stands(found.mark)):
            self._load(version, found)
        elif version.state is State.LEAVING:
            self._put(replace(version, state=State.READY))
        elif version.state is State.KNOWN and not is_settled:
            self._put(replace(version, reason="waiting until it has been copied"))
        return self.find(name, number).is_loaded

    def _look_anew(self, version: Version) -> bool:
        """Check what is loaded by the keys that are trusted now; what they refuse ends at once."""
        self._doubted.discard((version.name, version.number))
        error = self._load(version, version.found)
        if error is not None:
            self._mind.remove(version.member)
            state, reason = State.FAILED, str(error) or type(error).__name__
            self._put(Version(version.name, version.number, version.found, state, reason))
        return error is None

    def insist(self, name: str, number: int, found: Found) -> None:
        """Load a version now, whether or not it was refused or is being copied.

        Raises:
            BrainError: it was refused.
        """
        self.note(name, number, found)
        version = self.find(name, number)
        if version.is_loaded and version.found == found:
            return
        error = self._load(version, found)
        if error is not None:
            reason = self.find(name, number).reason
            raise BrainError(f"{name}@{number} was refused: {reason}") from error

    def let_go(self, name: str, number: int, found: Found | None, *, may_go: bool) -> None:
        """One step on the way out for a version that is not wanted.

        Args:
            name: of the brain.
            number: of the version.
            found: its files, if there are any still.
            may_go: whether the traffic has something else to go to.
        """
        version, step = self.find(name, number), ("leaves", name, number)
        if (name, number) in self._doubted and version.state is State.READY:
            self._look_anew(version)
        elif version.state is State.LEAVING and self.steady.holds(step, "leaving"):
            if version.member in self._mind:
                self._mind.remove(version.member)
            self._forget(version)
            self.note(name, number, found)
        elif version.state is State.READY and may_go and self.steady.holds(step, "idle"):
            self.leave(name, number)

    def leave(self, name: str, number: int) -> None:
        """Let nobody be sent to a version any more; what was begun is answered."""
        version = self.find(name, number)
        if version.state is State.READY:
            self.steady.holds(("leaves", name, number), "leaving")
            self._put(replace(version, state=State.LEAVING))

    def keep(self, name: str, number: int) -> None:
        """A version is wanted: it starts from the beginning should it ever leave."""
        self.steady.forget(("leaves", name, number))

    def _load(self, version: Version, found: Found) -> Exception | None:
        """Load a version; what stood against it, if anything."""
        key = (version.name, version.number)
        if not version.is_loaded:
            version = Version(*key, found, State.LOADING)
            self._put(version)
        try:
            facts, digest = admit(self._mind, found.path, version.member, self._trusted)
        except ClosedError:
            if not version.is_loaded:
                self._put(replace(version, state=State.KNOWN))
            raise
        # A file can make the machinery below fail in any way; that must stop neither the thread
        # that loads nor the versions that are serving.
        except Exception as error:  # noqa: BLE001
            self._refuse(version, found, error)
            return error
        self._refusals.pop(key, None)
        self._put(Version(*key, found, State.READY, "", facts, digest))
        _log.info("%s is ready", version.member)
        return None

    def _refuse(self, version: Version, found: Found, error: Exception) -> None:
        """Write down why a load failed. What was ready goes on with what it was."""
        key, is_known = (version.name, version.number), isinstance(error, NinebrainsError)
        self._refusals[key] = refusal(found.mark, error, self._refusals.get(key))
        reason = str(error) if is_known else f"{type(error).__name__}: {error}".removesuffix(": ")
        _log.warning(
            "%s was refused: %s", version.member, reason, exc_info=None if is_known else error
        )
        state = State.FAILED
        if version.is_loaded:
            state = State.READY
            reason = f"what has taken its place on disk was refused: {reason}"
        self._put(replace(version, state=state, reason=reason))

    def _put(self, version: Version) -> None:
        there = self.now.versions.get(version.name, {})
        if there.get(version.number) != version:
            numbers = {**there, version.number: version}
            self.now = self.now.with_numbers(version.name, numbers)

    def _forget(self, version: Version) -> None:
        name, number = version.name, version.number
        numbers = {n: other for n, other in self.now.versions[name].items() if n != number}
        self.now = self.now.with_numbers(name, numbers)
        self._refusals.pop((name, number), None)
        self._settled.discard((name, number))
        self._doubted.discard((name, number))
        for kind in ("files", "leaves"):
            self.steady.forget((kind, name, number))
