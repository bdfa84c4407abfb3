"""`Catalog`: looks at the folders, loads what is wanted, lets go of what is not any more.

    folders ─► scan ─► settled? ─► wanted? ─► admitted: every byte, canary photo ─► ready ─► traffic

A version is made ready beside those that are serving, and only then known to the traffic. One that
cannot be loaded is refused, with its reason; nothing else changes. What is no longer wanted leaves
in steps, each a look apart: it stays as it was while the traffic takes note of the new one, then
nobody is sent to it any more, then its memory goes with the last request that it was asked by.

A folder that is deleted takes its version with it, also the last one of a name, as in TensorFlow
Serving. A folder that cannot be read, such as a network drive that hangs, changes nothing.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ninebrains.errors import MissingError, RequestError
from ninebrains.serving.catalog import storing
from ninebrains.serving.catalog.lineup import Lineup
from ninebrains.serving.catalog.policies import unmet
from ninebrains.serving.catalog.version import State, Version, Versions
from ninebrains.serving.catalog.wishes import Wishes
from ninebrains.serving.repository import NOTHING, Found, Look, Problem, scan

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ninebrains.mind import Mind
    from ninebrains.serving.ledger import Ledger
    from ninebrains.serving.settings import Policy, Settings

_log = logging.getLogger("ninebrains.serving")


class Catalog:
    """The versions that a host knows.

    Whatever changes them happens under one lock, in the thread that asks for it, and may take as
    long as compiling does; looking something up never waits.

    Args:
        mind: where ready versions are, as `name@number`.
        settings: sources, policies and whom to trust.
        ledger: where it is kept what people asked to load and unload.

    Attributes:
        settings: as they are now.
        held: gives the versions of a name that the traffic needs whatever the policy says; the
            traffic sets it.
        deleting: is told in a transaction of a version that is about to be deleted, and raises a
            RequestError where it must not be; the traffic sets it.
        answering: gives the versions of a name that requests are sent to, which must not be
            deleted; by default the newest that is ready.
    """

    def __init__(self, mind: Mind, settings: Settings, ledger: Ledger) -> None:
        self.settings = settings
        self.held: Callable[[str], frozenset[int]] = lambda _: frozenset()
        self.deleting: Callable[[sqlite3.Connection, str, int], None] = lambda *_: None
        self.answering: Callable[[str], frozenset[int]] = lambda name: frozenset(
            self.ready(name)[-1:]
        )
        self._ledger = ledger
        self._wishes = Wishes(ledger)
        self._lineup = Lineup(mind)
        self._changing = threading.RLock()
        self._look = NOTHING
        self._data_version: int | None = None
        self._told: frozenset[Problem] = frozenset()

    @property
    def versions(self) -> Versions:
        """All versions that lie there, by name and number: a snapshot that never changes."""
        return self._lineup.now.versions

    @property
    def names(self) -> tuple[str, ...]:
        """Names of which some version can be asked."""
        return tuple(self._lineup.now.ready)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What lies there and is no version, and what policies name and does not lie there."""
        return self._look.problems

    @property
    def has_looked(self) -> bool:
        """Whether the first look is over: what can be served when starting is ready."""
        return self._lineup.has_begun

    def ready(self, name: str) -> tuple[int, ...]:
        """Numbers of a name's versions that can be asked, the newest last; none if unknown."""
        return self._lineup.now.ready.get(name, ())

    def find(self, name: str, number: int) -> Version:
        """A version that is known.

        Raises:
            MissingError: there is none.
        """
        return self._lineup.find(name, number)

    def stage(self, version: Version) -> str:
        """Where a version is, as other protocols have it.

        Returns:
            Its state; of one that is known, `waiting` if it is about to be loaded, else `unloaded`.
        """
        if version.state is not State.KNOWN:
            return version.state.value
        return "waiting" if version.reason or not self.has_looked else "unloaded"

    def adopt(self, settings: Settings) -> None:
        """Go by other sources, policies and keys from the next look on."""
        self.settings = settings

    def refresh(self) -> None:
        """Look at the folders, load what is wanted, let go of what is not any more.

        Raises:
            MissingError: at the first look, a source is not there or is none.
            OutputError: the ledger cannot be read.
        """
        with self._changing:
            self._look_again()
            for name in sorted({*self._look.shelf, *self.versions}):
                self._arrange(name)
            self._lineup.has_begun = True

    def follow(self) -> None:
        """Take over at once what another worker was asked to load or take in. Cheap if nothing."""
        data_version = self._ledger.data_version()
        if data_version == self._data_version:
            return
        self._data_version = data_version
        with self._changing:
            has_changed = self._wishes.read()
        if has_changed:
            self.refresh()

    def load(self, name: str, number: int | None = None) -> Version:
        """Load a version in any case, here at once and soon in all workers, also after a restart.

        Args:
            name: of the brain.
            number: of the version; None to go back to what the policy says, and try that again.

        Returns:
            It, ready; the newest that is ready where no number was given.

        Raises:
            MissingError: there is no such version.
            BrainError: it was refused, with the reason. All is as it was.
            OutputError: it cannot be kept that it is wanted.
        """
        with self._changing:
            self._look_again()
            chosen = self._first_by_policy(name) if number is None else [number]
            found = {one: self._found(name, one) for one in chosen}
            for one in chosen:
                self._lineup.insist(name, one, found[one])
            self._wishes.load(name, number, {one: found[one].mark for one in chosen})
            self._arrange(name)
            return self.find(name, self.ready(name)[-1] if number is None else number)

    def unload(self, name: str, number: int | None = None) -> None:
        """Let a version go in any case, here and in all workers, until it is loaded by `load`.

        Args:
            name: of the brain.
            number: of the version; None for all versions of the name.

        Raises:
            MissingError: there is no such version.
            OutputError: it cannot be kept that it is not wanted.
        """
        with self._changing:
            if name not in self.versions:
                raise MissingError(f"there is no brain {name!r} here")
            if number is not None:
                self.find(name, number)
            self._wishes.unload(name, number)
            self._arrange(name)

    def upload(self, name: str, number: int | None, file: Path) -> Version:
        """Take in a brain: checked in full, moved into the first folder, loaded and tried.

        Args:
            name: that it is to have here.
            number: of the version; None for the next one.
            file: a `.brain` file; stays where it is.

        Returns:
            The version, ready; whether it goes on to be is up to the policy.

        Raises:
            RequestError: the name or number cannot be, is taken (`status` 409), the file is too
                large (413), or there is no folder to put it into (409).
            BrainError: it is refused, with the reason; nothing is left of it.
            OutputError: it cannot be written.
        """
        brain = storing.read_upload(name, number, file, self.settings)
        with self._changing, storing.one_at_a_time(self._ledger.path.parent):
            self._look_again()
            taken = {*self._look.shelf.get(name, {}), *self.versions.get(name, {})}
            place = storing.put(brain, self.settings.sources, name, number, taken)
            chosen = int(place.stem)
            try:
                self._look_again()
                found = self._found(name, chosen)
                self._lineup.insist(name, chosen, found)
                self._wishes.prove(name, chosen, found.mark)
            except BaseException:
                storing.take_back(place)
                self._look_again()
                self._lineup.note(name, chosen, None)
                raise
            self._arrange(name)
            return self.find(name, chosen)

    def delete(self, name: str, number: int) -> None:
        """Delete a version's files. From now on nobody is sent to it.

        Raises:
            MissingError: there is no such version.
            RequestError: it is serving, a route speaks of it, or it was named as a source by itself
                (`status` 409).
            OutputError: it cannot be deleted; it is still there.
        """
        with self._changing, storing.one_at_a_time(self._ledger.path.parent):
            self._look_again()
            found = self._found(name, number)
            if number in self.answering(name):
                told = f"{name}@{number} is serving; send the traffic to another version first"
                raise RequestError(told, 409)
            if found.is_single:
                told = (
                    f"{found.place} was named as a source by itself, and is not deleted from here"
                )
                raise RequestError(told, 409)
            with self._ledger.writing() as rows:
                self.deleting(rows, name, number)
                self._wishes.forget(rows, name, number)
                storing.take_back(found.place)
            self._look_again()
            self._lineup.note(name, number, None)
            if number in self.versions.get(name, {}):
                self._lineup.leave(name, number)
            self._arrange(name)

    def _look_again(self) -> None:
        look = scan(self.settings.sources, self._look.shelf, self.settings.name)
        look = replace(look, problems=(*look.problems, *unmet(self.settings, look.shelf)))
        missing = [problem for problem in look.problems if problem.is_source]
        if missing and not self.has_looked:
            told = "; ".join(f"{problem.path} {problem.reason}" for problem in missing)
            raise MissingError(f"{told}. Name folders of brains, or .brain or .onnx files.")
        self._tell(look)
        self._look = look
        self._lineup.trust(self.settings.trusted)
        self._lineup.steady.seconds = self.settings.watch_seconds / 2
        self._wishes.read()

    def _tell(self, look: Look) -> None:
        """Log what is not right twice in a row: what is being copied mostly is by then."""
        lasting = frozenset(look.problems) & frozenset(self._look.problems)
        for problem in look.problems:
            if problem in lasting - self._told:
                _log.warning("%s %s", problem.path, problem.reason)
        self._told = lasting

    def _found(self, name: str, number: int) -> Found:
        found = self._look.shelf.get(name, {}).get(number)
        if found is None:
            raise MissingError(f"there is no {name}@{number} in the folders of this host")
        return found

    def _policy(self, name: str) -> Policy:
        return self.settings.policies.get(name, self.settings.policy)

    def _first_by_policy(self, name: str) -> list[int]:
        """What the policy would want if all could be loaded, and nothing was asked for by hand."""
        policy, numbers = self._policy(name), sorted(self._look.shelf.get(name, {}), reverse=True)
        if policy.load == "latest":
            numbers = numbers[: policy.latest]
        elif policy.load == "these":
            numbers = [number for number in numbers if number in policy.numbers]
        if not numbers:
            raise MissingError(f"there is no version of {name!r} here that its policy would load")
        return numbers

    def _arrange(self, name: str) -> None:
        """Bring what is loaded of a name to what is wanted."""
        shelf = self._look.shelf.get(name, {})
        for number in sorted({*shelf, *self.versions.get(name, {})}):
            found = shelf.get(number)
            self._lineup.note(name, number, found)
            if found is not None and self._wishes.has_proven(name, number, found.mark):
                self._lineup.settle(name, number)
        wanted = self._make_ready(name, shelf)
        has_others = bool(wanted & set(self.ready(name)))
        wish = self._wishes.of(name)
        for number in tuple(self.versions.get(name, {})):
            if number in wanted:
                self._lineup.keep(name, number)
                continue
            if wish.refuses(number) and number in self.ready(name):
                self._lineup.leave(name, number)
                continue
            may_go = has_others or number not in shelf
            self._lineup.let_go(name, number, shelf.get(number), may_go=may_go)

    def _make_ready(self, name: str, shelf: Mapping[int, Found]) -> frozenset[int]:
        """Load what is wanted and can be loaded; gives all that is wanted."""
        wish, policy = self._wishes.of(name), self._policy(name)
        numbers = [number for number in shelf if not wish.refuses(number)]
        firm = {*wish.loaded, *self.held(name)} & set(numbers)
        if policy.load == "all":
            firm |= set(numbers)
        elif policy.load == "these":
            firm |= set(numbers) & set(policy.numbers)
        for number in sorted(firm, reverse=True):
            self._lineup.ensure(name, number, shelf[number])
        if policy.load == "latest":
            firm |= self._newest(name, {number: shelf[number] for number in numbers}, policy.latest)
        return frozenset(firm)

    def _newest(self, name: str, shelf: Mapping[int, Found], count: int) -> set[int]:
        """The newest versions of those that can be loaded."""
        chosen: set[int] = set()
        for number in sorted(shelf, reverse=True):
            if len(chosen) == count:
                break
            if self._lineup.ensure(name, number, shelf[number]):
                chosen.add(number)
        return chosen
