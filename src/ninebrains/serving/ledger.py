"""The ledger: what the workers of a host share, and what outlives them, in one SQLite file.

Every writer of a kind of row makes its own tables through `Ledger.prepare`. A change is in the
file, synced, before `writing` ends; a killed process leaves the change whole or not at all.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ninebrains.errors import OutputError

_BUSY_SECONDS = 10.0
_SETTLING_TRIES = 20
_SETTLING_SECONDS = 0.05


class Ledger:
    """One SQLite file, open in several processes and threads.

    Args:
        path: of the file; it and its folder are made when missing.

    Raises:
        OutputError: it cannot be made or read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._own = threading.local()
        self._all: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        with self._blaming():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)  # it holds the host's secret; SQLite's other files follow it
            self._connection()

    def prepare(self, statements: str) -> None:
        """Make tables and indices that are not there yet (`CREATE … IF NOT EXISTS`).

        Raises:
            OutputError: the file cannot be written.
        """
        with self._blaming():
            self._connection().executescript(statements)

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that may change rows: all of it happens, or nothing.

        Raises:
            OutputError: it cannot be written, such as on a full disk. Nothing has changed then.
        """
        with self._blaming():
            connection = self._connection()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A view of the rows as they are at one moment.

        Raises:
            OutputError: it cannot be read.
        """
        with self._blaming():
            connection = self._connection()
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def data_version(self) -> int:
        """A number that changes when another connection has changed something."""
        with self._blaming():
            row = self._connection().execute("PRAGMA data_version").fetchone()
        return int(row[0])

    def settle(self) -> None:
        """Empty the journal, so that nothing of what was deleted is left in it.

        Raises:
            OutputError: somebody is reading an older state; what was deleted is so all the same.
        """
        with self._blaming():
            connection = self._connection()
            for _ in range(_SETTLING_TRIES):
                (is_busy, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                if not is_busy:
                    return
                time.sleep(_SETTLING_SECONDS)
        raise OutputError(
            f"what was deleted is gone from {self.path}, but traces of it are left in its journal "
            "because another program is reading. Do the same once more."
        )

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            for connection in self._all:
                connection.close()
            self._all.clear()
        self._own = threading.local()

    def _connection(self) -> sqlite3.Connection:
        """This thread's own connection."""
        found: sqlite3.Connection | None = getattr(self._own, "connection", None)
        if found is None:
            found = sqlite3.connect(
                self.path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            found.row_factory = sqlite3.Row
            found.execute("PRAGMA journal_mode = WAL")
            found.execute("PRAGMA synchronous = FULL")
            found.execute("PRAGMA secure_delete = ON")  # what is deleted is overwritten
            self._own.connection = found
            with self._lock:
                self._all.append(found)
        return found

    @contextmanager
    def _blaming(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise OutputError(
                f"could not use {self.path}: {error}. Nothing was changed; free some space, or "
                "choose another place for the state."
            ) from error
