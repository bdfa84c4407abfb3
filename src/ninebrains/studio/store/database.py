"""The project's SQLite file: one transaction a change, readers beside the writer, nothing lost."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ninebrains.errors import DataError, OutputError
from ninebrains.studio.store.schema import MIGRATIONS

_WAIT_SECONDS = 10.0


class Database:
    """A project's index; threads and processes may use it at once.

    Args:
        path: of the file; made where there is none.

    Raises:
        DataError: it is no index, or of a newer Ninebrains.
        OutputError: it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._free: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        with self._told(), self._connection() as connection:
            _migrate(connection, path)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection that sees one state of the index throughout."""
        with self._told(), self._connection() as connection:
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.execute("ROLLBACK")

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A connection in a transaction: all of what is done with it is kept, or nothing."""
        with self._writing, self._told(), self._connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            for connection in self._free:
                connection.close()
            self._free.clear()

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            connection = self._free.pop() if self._free else None
        if connection is None:
            connection = self._connect()
        try:
            yield connection
        except sqlite3.DatabaseError:
            connection.close()
            raise
        except BaseException:
            self._give_back(connection)
            raise
        self._give_back(connection)

    def _give_back(self, connection: sqlite3.Connection) -> None:
        with self._lock:
            self._free.append(connection)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=_WAIT_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA journal_mode = WAL")
            # Labels are people's work: each is on the disk before its reply is sent.
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
        except BaseException:
            connection.close()
            raise
        return connection

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Say what SQLite's errors mean here."""
        try:
            yield
        except sqlite3.IntegrityError:
            raise  # a fault of ours
        except sqlite3.OperationalError as error:
            raise OutputError(
                f"could not use the project's index {self.path}: {error}. Free some space or check "
                "the folder's permissions; what was done before is kept."
            ) from error
        except sqlite3.DatabaseError as error:
            if type(error) is not sqlite3.DatabaseError:
                raise
            raise DataError(
                f"{self.path} is no index of a project ({error}). Put back a copy of it, or move "
                "it away to begin anew."
            ) from error


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring the tables to this version's form, a version at a time."""
    newest = len(MIGRATIONS)
    while (version := connection.execute("PRAGMA user_version").fetchone()[0]) != newest:
        if version > newest:
            raise DataError(
                f"{path} was written by a newer Ninebrains (form {version}, this one knows "
                f"{newest}). Update Ninebrains to open this project."
            )
        connection.execute("BEGIN IMMEDIATE")
        try:
            # Another process may have been faster.
            if connection.execute("PRAGMA user_version").fetchone()[0] == version:
                for statement in MIGRATIONS[version]:
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {version + 1}")
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise
