"""`Traffic`: which version answers a request, and how that is changed.

Routes are in the ledger; each worker holds a copy, takes over what others changed within one
`refresh`, and never asks the ledger for a request. A change is one transaction: a request is
answered by the old route or by the new one, in every worker.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from ninebrains.errors import MissingError, RequestError
from ninebrains.serving.asking import Asker, Chosen
from ninebrains.serving.catalog import Catalog, Versions
from ninebrains.serving.catalog import State as VersionState
from ninebrains.serving.ledger import Ledger
from ninebrains.serving.traffic import states
from ninebrains.serving.traffic.changes import (
    arrived,
    changed,
    difference,
    promoted,
    rolled_back,
)
from ninebrains.serving.traffic.choosing import Plan, plan, stable_of
from ninebrains.serving.traffic.route import Route
from ninebrains.serving.traffic.states import Happening, State, States

HOST = "host"
"""Who changed a route where nobody asked for it."""

_log = logging.getLogger("ninebrains.serving")

_NO_STATE = State()
_MOST_DIGITS = 18


@dataclass(frozen=True, slots=True)
class _Book:
    """Plans for the names, made when first asked for, while neither versions nor routes change."""

    versions: Versions
    states: States
    plans: dict[str, Plan] = field(default_factory=dict)


class Traffic:
    """Which version answers a request. May be used from any thread.

    All methods but `choose`, `shadows`, `state`, `route` and `held` use the ledger and may
    block.

    Args:
        ledger: where routes are kept.
        catalog: which versions can be asked here.
    """

    def __init__(self, ledger: Ledger, catalog: Catalog) -> None:
        self._ledger = ledger
        self._catalog = catalog
        self._states: States = {}
        self._revision = -1
        self._book = _Book({}, self._states)
        self._looked_at: Versions | None = None
        self._own = threading.local()
        self._taking = threading.Lock()
        states.prepare(ledger)
        catalog.held = self.held
        catalog.answering = self.answering
        catalog.deleting = self.forget_version

    def choose(self, wanted: str, asker: Asker) -> Chosen:
        """The version that answers.

        Args:
            wanted: a name; or `name@number`, or `name@stable`, `name@canary`, `name@shadow`.
            asker: whose request it is.

        Raises:
            MissingError: no such brain, version or alias is ready.
        """
        found = self._newest_book().plans.get(wanted)
        if found is not None:
            return found.choose(asker)
        name, at, which = wanted.partition("@")
        found = self._plan(name)
        if found is None:
            raise MissingError(_nothing(name, self._catalog.versions))
        if not at:
            return found.choose(asker)
        return _exact(found, which, self._catalog.ready(name))

    def shadows(self, chosen: Chosen) -> tuple[Chosen, ...]:
        """Who is to run along unseen with an answer, this time."""
        found = self._plan(chosen.name)
        return () if found is None else found.unseen(chosen)

    def held(self, name: str) -> frozenset[int]:
        """Versions that the route of a name speaks of, so that they have to be loaded."""
        state = self.state(name)
        route = state.route
        numbers = {route.stable, route.canary, route.shadow}
        if route.stable is not None:
            numbers.add(route.previous)
        elif route.arrival != "stable":
            numbers.add(max(state.seen or (), default=None))
        return frozenset(number for number in numbers if number is not None)

    def answering(self, name: str) -> frozenset[int]:
        """Versions that requests for a name may be sent to just now, so that they must stay."""
        state = self.state(name)
        numbers = {stable_of(state, self._catalog.ready(name)), state.route.canary}
        return frozenset(number for number in numbers if number is not None)

    def state(self, name: str) -> State:
        """A name's route as this worker knows it, and what is remembered with it."""
        return self._states.get(name, _NO_STATE)

    def route(self, name: str) -> Route:
        """How the requests for a name are shared.

        Raises:
            MissingError: there is no such name.
        """
        self._check_name(name)
        return self.state(name).route

    def history(self, name: str) -> tuple[Happening, ...]:
        """What happened to a name's route, the latest first.

        Raises:
            MissingError: there is no such name.
        """
        self._check_name(name)
        with self._ledger.reading() as rows:
            return states.history(rows, name)

    def change(self, name: str, by: str, *, why: str = "", **fields: object) -> Route:
        """Change some fields of a name's route, all at once.

        While a canary or a shadow is given and `stable` is None, stable is pinned to the version
        that it is.

        Args:
            name: of the brain.
            by: who asks for it, for the history.
            why: for the history.
            fields: of Route, but `previous`.

        Returns:
            The whole route as it is now.

        Raises:
            MissingError: there is no such name, or a version is not known.
            RequestError: a field or value makes no sense.
            OutputError: it could not be written. Nothing has changed then.
        """
        for alias in ("stable", "canary", "shadow"):
            self._check_version(name, fields.get(alias))
        return self._apply(
            name, by, "change", why, lambda state: changed(name, state, fields, self._ready(name))
        )

    def promote(self, name: str, by: str, number: int | None = None, *, why: str = "") -> Route:
        """Make the canary, or that version, stable; what was stable is remembered.

        Whatever is being tried ends with it. A version that is stable already stays so.

        Raises:
            MissingError: there is no such name or version.
            RequestError: there is no canary, and no number was given.
            OutputError: it could not be written. Nothing has changed then.
        """
        self._check_version(name, number)
        return self._apply(
            name, by, "promote", why, lambda state: promoted(name, state, number, self._ready(name))
        )

    def roll_back(self, name: str, by: str, *, why: str = "") -> Route:
        """End the canary, if one is being tried; otherwise make stable what was stable before.

        So a roll-back undoes the last promotion, and another one undoes the roll-back.

        Raises:
            MissingError: there is no such name, or the version before is not known any more.
            RequestError: there is nothing to go back to.
            OutputError: it could not be written. Nothing has changed then.
        """
        self._check_name(name)
        return self._apply(
            name, by, "roll back", why, lambda state: rolled_back(name, state, self._ready(name))
        )

    def decide(self, name: str, look: Callable[[State], tuple[State, str, str]]) -> None:
        """Let the host itself change a name's state, in a transaction.

        Args:
            name: of the brain.
            look: gives the new state, what changed and why; the same state for no change.
        """
        with self._ledger.writing() as rows:
            old = states.read(rows, name)
            new, what, why = look(old)
            if new != old:
                states.write(rows, name, new)
            if what:
                states.note(rows, name, HOST, what, why)
        if new != old:
            self._take()
        _tell(name, HOST, what, why)

    def forget_version(self, rows: sqlite3.Connection, name: str, number: int) -> None:
        """Let a version be deleted, in a transaction; one that comes under its number is new.

        Raises:
            RequestError: the route speaks of it (`status` 409).
        """
        state = states.read(rows, name)
        route = state.route
        aliases = {"stable": route.stable, "canary": route.canary, "shadow": route.shadow}
        named = [alias for alias, version in aliases.items() if version == number]
        if named:
            raise RequestError(
                f"{name}@{number} is {' and '.join(named)} in the route of {name}; name another "
                "version there first, or null",
                409,
            )
        seen = None if state.seen is None else state.seen - {number}
        previous = None if route.previous == number else route.previous
        route = route.model_copy(update={"previous": previous})
        new = state.model_copy(update={"route": route, "seen": seen})
        if new != state:
            states.write(rows, name, new)
            self._own.version = None  # nobody tells a connection of its own changes

    def refresh(self) -> None:
        """Take over what other workers changed, and see which versions arrived."""
        versions = self._catalog.versions  # before the routes: of what is seen, all may have left
        version = self._ledger.data_version()
        if version != getattr(self._own, "version", None):
            self._take()
            # The number is that of this thread's own connection to the ledger.
            self._own.version = version
        if versions is not self._looked_at:
            for name in versions:
                self._look_for_arrivals(name, versions)
            self._looked_at = versions

    def _look_for_arrivals(self, name: str, versions: Versions) -> None:
        ready = self._catalog.ready(name)
        seen = self.state(name).seen
        if not ready or (seen is not None and seen.issuperset(ready)):
            return
        known = [n for n, v in versions[name].items() if v.state is not VersionState.FAILED]

        def arrive(state: State) -> tuple[State, str, str]:
            return (*arrived(name, state, ready, known), "")

        self.decide(name, arrive)

    def _apply(
        self, name: str, by: str, verb: str, why: str, step: Callable[[State], State]
    ) -> Route:
        with self._ledger.writing() as rows:
            old = states.read(rows, name)
            new, told = step(old), ""
            if new.route.stable != old.route.stable:
                self._check_version(name, new.route.stable)
            if new != old:
                states.write(rows, name, new)
                told = f"{verb}: {difference(old.route, new.route)}"
                states.note(rows, name, by, told, why)
        self._take()
        _tell(name, by, told, why)
        return new.route

    def _take(self) -> None:
        """Read all routes anew, unless they are known already."""
        with self._taking, self._ledger.reading() as rows:
            revision = states.revision_of(rows)
            if revision > self._revision:
                self._states = states.read_all(rows)
                self._revision = revision

    def _plan(self, name: str) -> Plan | None:
        """The plan for a name; None where nothing of it is ready."""
        book = self._newest_book()
        found = book.plans.get(name)
        if found is None:
            ready = self._catalog.ready(name)
            if not ready:
                return None
            found = book.plans[name] = plan(name, book.states.get(name, _NO_STATE), ready)
        return found

    def _newest_book(self) -> _Book:
        book, versions, held = self._book, self._catalog.versions, self._states
        if book.versions is not versions or book.states is not held:
            book = self._book = _Book(versions, held)
        return book

    def _ready(self, name: str) -> tuple[int, ...]:
        return self._catalog.ready(name)

    def _check_name(self, name: str) -> None:
        if name not in self._catalog.versions:
            raise MissingError(_nothing(name, self._catalog.versions))

    def _check_version(self, name: str, number: object) -> None:
        self._check_name(name)
        if type(number) is not int or number < 1:
            return  # none, or nonsense that the route itself refuses
        if self._catalog.find(name, number).state is VersionState.FAILED:
            raise RequestError(
                f"{name}@{number} could not be loaded: {self._catalog.find(name, number).reason}",
                409,
            )


def _tell(name: str, by: str, what: str, why: str) -> None:
    """Log a change of a route; the history has the same."""
    if what:
        told = {"brain": name, "what": what, "by": by} | ({"why": why} if why else {})
        _log.info("route", extra=told)


def _exact(found: Plan, which: str, ready: tuple[int, ...]) -> Chosen:
    """The version or alias that was asked for after the `@`."""
    name = found.stable.name
    if which == "stable":
        return found.stable
    if which == "canary" and found.canary is not None:
        return found.canary
    if which == "shadow" and found.shadow is not None:
        return found.shadow
    if which.isdecimal() and len(which) <= _MOST_DIGITS and int(which) in ready:
        return Chosen(name, int(which), "version")
    there = [*map(str, ready), "stable"]
    there += [alias.variant for alias in (found.canary, found.shadow) if alias is not None]
    raise MissingError(
        f"there is no {name}@{which[:40]} that is ready; there is "
        f"{', '.join(f'{name}@{one}' for one in there)}"
    )


def _nothing(name: str, versions: Versions) -> str:
    if name in versions:
        reasons = [v.reason for v in versions[name].values() if v.reason]
        return f"no version of {name} is ready" + (f": {reasons[-1]}" if reasons else "")
    there = ", ".join(sorted(versions)[:20])
    return f"there is no brain {name[:80]!r} here; there is {there or 'none yet'}"
