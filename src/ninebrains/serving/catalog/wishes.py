"""What people asked to load or unload, whatever the policy says: kept, and the same in all workers.

A row of `wishes` says of one version whether it is wanted. A row of number 0 says that of the name
nothing is wanted but what other rows name. A row of `proven` says that one worker has loaded these
very files by hand, so that the others need not wait for a copy to end.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass

from ninebrains.serving.ledger import Ledger
from ninebrains.serving.repository import Mark

_WHOLE_NAME = 0
_TABLES = """
CREATE TABLE IF NOT EXISTS wishes (
    name TEXT NOT NULL, number INTEGER NOT NULL, is_wanted INTEGER NOT NULL,
    PRIMARY KEY (name, number)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS proven (
    name TEXT NOT NULL, number INTEGER NOT NULL, mark TEXT NOT NULL, PRIMARY KEY (name, number)
) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for of one name.

    Attributes:
        loaded: numbers to load in any case.
        unloaded: numbers not to load in any case.
        is_off: load nothing but `loaded`.
    """

    loaded: frozenset[int] = frozenset()
    unloaded: frozenset[int] = frozenset()
    is_off: bool = False

    def refuses(self, number: int) -> bool:
        """Whether a version was asked to go."""
        return number in self.unloaded or (self.is_off and number not in self.loaded)


NONE = Wish()


class Wishes:
    """The wishes of all names, as they were when they were last read.

    Args:
        ledger: where they are kept.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._wishes: dict[str, Wish] = {}
        self._proven: dict[tuple[str, int], str] = {}
        ledger.prepare(_TABLES)

    def of(self, name: str) -> Wish:
        """What was asked for of a name."""
        return self._wishes.get(name, NONE)

    def has_proven(self, name: str, number: int, mark: Mark) -> bool:
        """Whether a worker has loaded these files by hand."""
        proven = self._proven.get((name, number))
        return proven is not None and proven == _digest(mark)

    def read(self) -> bool:
        """Read them again; whether any changed.

        Raises:
            OutputError: the ledger cannot be read.
        """
        with self._ledger.reading() as rows:
            found = rows.execute("SELECT name, number, is_wanted FROM wishes").fetchall()
            marks = rows.execute("SELECT name, number, mark FROM proven").fetchall()
        numbers: dict[str, dict[int, bool]] = {}
        for name, number, is_wanted in found:
            numbers.setdefault(name, {})[number] = bool(is_wanted)
        wishes = {name: _wish(rows) for name, rows in numbers.items()}
        proven = {(name, number): mark for name, number, mark in marks}
        has_changed = (wishes, proven) != (self._wishes, self._proven)
        self._wishes, self._proven = wishes, proven
        return has_changed

    def load(self, name: str, number: int | None, proven: Mapping[int, Mark]) -> None:
        """Ask for a version in any case; None: for what the policy says, and nothing else.

        Args:
            name: of the brain.
            number: of the version.
            proven: marks of the files that have been loaded for that, by number.

        Raises:
            OutputError: that cannot be kept.
        """
        self._put(name, number, is_wanted=True, proven=proven)

    def prove(self, name: str, number: int, mark: Mark) -> None:
        """Tell the other workers that these files can be loaded, without asking for that.

        Raises:
            OutputError: that cannot be kept.
        """
        with self._ledger.writing() as rows:
            row = (name, number, _digest(mark))
            rows.execute("INSERT OR REPLACE INTO proven VALUES (?, ?, ?)", row)
        self.read()

    def unload(self, name: str, number: int | None) -> None:
        """Ask for a version to go; None: for all of the name.

        Raises:
            OutputError: that cannot be kept.
        """
        self._put(name, number, is_wanted=False)

    def _put(
        self,
        name: str,
        number: int | None,
        *,
        is_wanted: bool,
        proven: Mapping[int, Mark] | None = None,
    ) -> None:
        with self._ledger.writing() as rows:
            if number is None:
                rows.execute("DELETE FROM wishes WHERE name = ?", (name,))
            if number is not None or not is_wanted:
                row = (name, _WHOLE_NAME if number is None else number, is_wanted)
                rows.execute("INSERT OR REPLACE INTO wishes VALUES (?, ?, ?)", row)
            marks = [(name, one, _digest(mark)) for one, mark in (proven or {}).items()]
            rows.executemany("INSERT OR REPLACE INTO proven VALUES (?, ?, ?)", marks)
        self.read()

    def forget(self, rows: sqlite3.Connection, name: str, number: int) -> None:
        """Drop the wish for a version in the transaction that deletes it; `read` then knows."""
        rows.execute("DELETE FROM wishes WHERE name = ? AND number = ?", (name, number))
        rows.execute("DELETE FROM proven WHERE name = ? AND number = ?", (name, number))


def _digest(mark: Mark) -> str:
    return hashlib.sha256(repr(mark).encode(errors="surrogateescape")).hexdigest()


def _wish(numbers: dict[int, bool]) -> Wish:
    is_off = not numbers.pop(_WHOLE_NAME, True)
    return Wish(
        frozenset(number for number, is_wanted in numbers.items() if is_wanted),
        frozenset(number for number, is_wanted in numbers.items() if not is_wanted),
        is_off,
    )
