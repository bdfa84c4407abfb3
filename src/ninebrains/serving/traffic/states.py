"""Routes and what is remembered with them, as they are kept in the ledger; and their history."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping

from pydantic import ValidationError

from ninebrains.errors import OutputError
from ninebrains.serving.ledger import Ledger
from ninebrains.serving.settings import Group
from ninebrains.serving.traffic.gates import GateStatus, Verdict
from ninebrains.serving.traffic.route import Route

MOST_HAPPENINGS = 1_000
"""Kept of each name; the oldest go first."""


class State(Group):
    """A route and what is remembered with it.

    Attributes:
        route: how requests are shared.
        salt: another one for every canary, so that it is not always the same users who try.
        trial: another one for every canary and every gate; what was counted before is not evidence.
        began: when that trial did, in seconds since 1970.
        seen: the versions that have arrived; None: the name is new.
        verdict: what the gate decided on this trial.
        decided: how the goals stood then.
    """

    route: Route = Route()
    salt: int = 0
    trial: int = 0
    began: float = 0.0
    seen: frozenset[int] | None = None
    verdict: Verdict | None = None
    decided: GateStatus | None = None


class Happening(Group):
    """One change of a route.

    Attributes:
        seconds: when, since 1970, by the host's clock.
        by: who asked for it.
        what: what changed.
        why: why, where it was said.
    """

    seconds: float
    by: str
    what: str
    why: str


States = Mapping[str, State]


def prepare(ledger: Ledger) -> None:
    """Make the tables."""
    ledger.prepare(
        """
        CREATE TABLE IF NOT EXISTS traffic (
            name TEXT PRIMARY KEY, revision INTEGER NOT NULL, state TEXT NOT NULL
        );
        CREATE TABLE IF NOT EXISTS traffic_history (
            number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, seconds REAL NOT NULL,
            author TEXT NOT NULL, what TEXT NOT NULL, why TEXT NOT NULL
        );
        CREATE INDEX IF NOT EXISTS traffic_history_name ON traffic_history (name, number);
        """
    )


def revision_of(rows: sqlite3.Connection) -> int:
    """Of the last change of any route; each has a higher one."""
    (found,) = rows.execute("SELECT MAX(revision) FROM traffic").fetchone()
    return int(found or 0)


def read_all(rows: sqlite3.Connection) -> dict[str, State]:
    """Every name's state."""
    return {
        row["name"]: _parsed(row["name"], row["state"])
        for row in rows.execute("SELECT name, state FROM traffic")
    }


def read(rows: sqlite3.Connection, name: str) -> State:
    """One name's state."""
    row = rows.execute("SELECT state FROM traffic WHERE name = ?", (name,)).fetchone()
    return State() if row is None else _parsed(name, row["state"])


def write(rows: sqlite3.Connection, name: str, state: State) -> None:
    """Keep a name's state, with the next revision."""
    rows.execute(
        "INSERT OR REPLACE INTO traffic VALUES (?, ?, ?)",
        (name, revision_of(rows) + 1, state.model_dump_json(exclude_defaults=True)),
    )


def note(rows: sqlite3.Connection, name: str, by: str, what: str, why: str) -> None:
    """Add to a name's history."""
    rows.execute(
        "INSERT INTO traffic_history (name, seconds, author, what, why) VALUES (?, ?, ?, ?, ?)",
        (name, time.time(), by, what, why),
    )
    rows.execute(
        "DELETE FROM traffic_history WHERE name = ?1 AND number <= (SELECT number FROM "
        "traffic_history WHERE name = ?1 ORDER BY number DESC LIMIT 1 OFFSET ?2)",
        (name, MOST_HAPPENINGS),
    )


def history(rows: sqlite3.Connection, name: str) -> tuple[Happening, ...]:
    """What happened to a name, the latest first."""
    found = rows.execute(
        "SELECT seconds, author, what, why FROM traffic_history WHERE name = ? "
        "ORDER BY number DESC",
        (name,),
    )
    return tuple(
        Happening(seconds=row["seconds"], by=row["author"], what=row["what"], why=row["why"])
        for row in found
    )


def _parsed(name: str, text: str) -> State:
    try:
        return State.model_validate_json(text)
    except ValidationError as error:
        raise OutputError(
            f"the route of {name} in the ledger is none that this version understands: it was "
            f"written by a newer one, or changed by hand ({error.error_count()} problems)"
        ) from error
