"""Who was forgotten just now, so that no other worker writes down what it still holds of them."""

from __future__ import annotations

import hashlib
import sqlite3
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ninebrains.serving.ledger import Ledger

_SECONDS = 120
"""Far longer than an answer is on its way to the disk."""

_TABLES = "CREATE TABLE IF NOT EXISTS tombs (mark TEXT PRIMARY KEY, seconds INTEGER NOT NULL)"


class Tombs:
    """Marks of users whose photos were deleted, for two minutes. A mark leads to nobody.

    Args:
        ledger: where they are.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        ledger.prepare(_TABLES)

    @staticmethod
    def put(rows: sqlite3.Connection, user: str) -> None:
        """Remember, for a while, that a user was forgotten."""
        rows.execute("INSERT OR REPLACE INTO tombs VALUES (?, ?)", (_mark(user), int(time.time())))

    @staticmethod
    def all(rows: sqlite3.Connection) -> Mapping[str, int]:
        """When each was forgotten, by mark."""
        return {row["mark"]: row["seconds"] for row in rows.execute("SELECT * FROM tombs")}

    @staticmethod
    def covers(tombs: Mapping[str, int], user: str, answered_at: int) -> bool:
        """Whether an answer was given to somebody who was forgotten since."""
        return bool(tombs) and answered_at <= tombs.get(_mark(user), -1)

    def clear(self) -> None:
        """Remove the marks that are no longer needed."""
        old = int(time.time()) - _SECONDS
        with self._ledger.reading() as rows:
            is_old = any(seconds < old for seconds in self.all(rows).values())
        if is_old:
            with self._ledger.writing() as rows:
                rows.execute("DELETE FROM tombs WHERE seconds < ?", (old,))


def _mark(user: str) -> str:
    return hashlib.sha256(f"tomb {user}".encode()).hexdigest()[:12]
