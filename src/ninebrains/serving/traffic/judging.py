"""`Judge`: looks at the trials that have a gate, each second, and acts where it is told to.

Any worker may look. What follows from it is decided once, in one transaction that checks that the
trial is still the same; whoever comes second finds it done.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from ninebrains.errors import RequestError
from ninebrains.serving.catalog import Catalog
from ninebrains.serving.ledger import Ledger
from ninebrains.serving.traffic import counts
from ninebrains.serving.traffic.changes import difference, promoted, rolled_back
from ninebrains.serving.traffic.choosing import stable_of
from ninebrains.serving.traffic.gates import Evidence, GateStatus, assess
from ninebrains.serving.traffic.states import State
from ninebrains.serving.traffic.tallies import Key, Tally
from ninebrains.serving.traffic.traffic import Traffic


class Judge:
    """Decides on canaries by what was counted of them.

    Args:
        ledger: where the counts of all workers are.
        catalog: which versions there are.
        traffic: where trials are, and decisions go.
    """

    def __init__(self, ledger: Ledger, catalog: Catalog, traffic: Traffic) -> None:
        self._ledger = ledger
        self._catalog = catalog
        self._traffic = traffic

    def status(self, name: str) -> GateStatus | None:
        """How the trial of a name stands; None where there is none that has a gate.

        Once the gate has decided, that is how things stood then.

        Raises:
            MissingError: there is no such name.
            OutputError: the ledger cannot be read.
        """
        self._traffic.route(name)
        state = self._traffic.state(name)
        if state.decided is not None:
            return state.decided
        with self._ledger.reading() as rows:
            return self._assessed(rows, name, state)

    def look(self) -> None:
        """Look at all trials; promote or roll back where a gate says so and may.

        Raises:
            OutputError: the ledger cannot be used; the next look makes up for it.
        """
        for name in self._catalog.versions:
            state = self._traffic.state(name)
            if state.route.gate is None or state.route.canary is None or state.verdict is not None:
                continue
            with self._ledger.reading() as rows:
                status = self._assessed(rows, name, state)
            if status is not None and status.standing != "undecided":
                self._decide(name, state.trial, status)

    def _decide(self, name: str, trial: int, status: GateStatus) -> None:
        ready = self._catalog.ready(name)

        def step(state: State) -> tuple[State, str, str]:
            if state.trial != trial or state.verdict is not None:
                return state, "", ""
            is_good = status.standing == "passing"
            marked = state.model_copy(
                update={"verdict": "passed" if is_good else "failed", "decided": status}
            )
            gate = state.route.gate
            verb = "promote" if is_good else "roll back"
            if gate is None or not gate.act:
                return marked, f"gate: {status.number} {marked.verdict}, so {verb} it", status.why
            try:
                new = (
                    promoted(name, marked, None, ready)
                    if is_good
                    else rolled_back(name, marked, ready)
                )
            except RequestError as error:
                return marked, f"gate: cannot {verb} {status.number}: {error}", status.why
            # The trial is over; how it ended stays to be seen until the next one begins.
            new = new.model_copy(update={"verdict": marked.verdict, "decided": status})
            return new, f"{verb}: {difference(state.route, new.route)}", status.why

        self._traffic.decide(name, step)

    def _assessed(self, rows: sqlite3.Connection, name: str, state: State) -> GateStatus | None:
        route = state.route
        if route.gate is None or route.canary is None:
            return None
        found = counts.of_trial(rows, name, state.trial)
        stable = stable_of(state, self._catalog.ready(name))
        return assess(
            route.gate,
            route.canary,
            _evidence(found, [Key(name, route.canary, "canary")]),
            _evidence(found, [Key(name, stable, "stable")] if stable is not None else []),
        )


def _evidence(found: dict[Key, Tally], keys: Iterable[Key]) -> Evidence:
    return next((found[key].evidence() for key in keys if key in found), Evidence())
