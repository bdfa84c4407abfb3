"""Features on disk, so that training again with one more photo costs one photo.

SQLite does what is hard here: two runs at once, a kill in the middle, a full disk. The key is the
content of everything that decides the value, so an entry is never out of date.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from ninebrains.errors import OutputError
from ninebrains.places import cache_folder

DEFAULT_MAX_BYTES = 2 * 1024**3
_SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
    key BLOB PRIMARY KEY, value BLOB NOT NULL, bytes INTEGER NOT NULL, used INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS entries_by_use ON entries (used);
"""


def cache_key(*parts: str) -> bytes:
    """32 bytes that stand for all parts, in order."""
    return hashlib.sha256("\0".join(parts).encode()).digest()


def _max_bytes_wanted() -> int:
    text = os.environ.get("NINEBRAINS_CACHE_BYTES", "").strip()
    if not text:
        return DEFAULT_MAX_BYTES
    if not text.isdecimal():
        raise OutputError(
            f"NINEBRAINS_CACHE_BYTES is {text!r}; expected a number of bytes, such as "
            "2000000000, or 0 for no cache."
        )
    return int(text)


class FeatureCache:
    """A bounded map from key to bytes that survives kills and may be shared by several runs.

    It is a cache: where it cannot be read or written, runs go on without it, and `trouble` says
    why.

    Args:
        path: the database file; by default in the user's cache folder.
        max_bytes: least recently used entries go when the values outgrow this. The environment
            variable NINEBRAINS_CACHE_BYTES sets the default; 0 switches the cache off.
    """

    def __init__(self, path: Path | None = None, max_bytes: int | None = None) -> None:
        if max_bytes is None:
            max_bytes = _max_bytes_wanted()
        self.max_bytes = max_bytes
        self.path = path or cache_folder() / "features.sqlite"
        self.trouble: str | None = None
        self._lock = threading.Lock()
        self._used: set[bytes] = set()
        self._database: sqlite3.Connection | None = None
        if max_bytes > 0:
            self._open()

    def __enter__(self) -> Self:
        """Use as a context manager: leaving it writes down what was used, and evicts."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close; errors pass through."""
        self.close()

    def _open(self) -> None:
        try:
            self._database = self._connect()
        except (sqlite3.DatabaseError, OSError) as error:
            if isinstance(error, sqlite3.OperationalError | OSError):
                self._give_up(error)
                return
            # Not a database any more (overwritten, half restored): what it held can be computed
            # again.
            self.path.unlink(missing_ok=True)
            try:
                self._database = self._connect()
            except (sqlite3.Error, OSError) as again:
                self._give_up(again)

    def _connect(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        database = sqlite3.connect(self.path, timeout=30.0, check_same_thread=False)
        try:
            database.execute("PRAGMA auto_vacuum = INCREMENTAL")
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = NORMAL")
            database.executescript(_SCHEMA)
        except BaseException:
            database.close()
            raise
        return database

    def get(self, key: bytes) -> bytes | None:
        """The value of a key, or None. Safe to call from several threads."""
        with self._lock:
            if self._database is None:
                return None
            try:
                row = self._database.execute(
                    "SELECT value FROM entries WHERE key = ?", (key,)
                ).fetchone()
            except sqlite3.Error as error:
                self._give_up(error)
                return None
            if row is None:
                return None
            self._used.add(key)
            return bytes(row[0])

    def put(self, entries: Iterable[tuple[bytes, bytes]]) -> None:
        """Store values in one transaction: after a kill either all of them are there or none."""
        now = time.time_ns()
        rows = [(key, value, len(value), now) for key, value in entries]
        with self._lock:
            if self._database is None:
                return
            try:
                with self._database:
                    self._database.executemany(
                        "INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?)", rows
                    )
            except sqlite3.Error as error:
                self._give_up(error)

    def close(self) -> None:
        """Write down what was used, drop what is too much, and let go of the file."""
        with self._lock:
            if self._database is None:
                return
            try:
                self._evict(self._database)
                self._database.close()
                self._database = None
            except sqlite3.Error as error:
                self._give_up(error)

    def _evict(self, database: sqlite3.Connection) -> None:
        now = time.time_ns()
        with database:
            database.executemany(
                "UPDATE entries SET used = ? WHERE key = ?", [(now, key) for key in self._used]
            )
            total = database.execute("SELECT COALESCE(SUM(bytes), 0) FROM entries").fetchone()[0]
            if total <= self.max_bytes:
                return
            # Down to nine tenths, so that not every run has to evict.
            excess = total - self.max_bytes * 9 // 10
            oldest = database.execute("SELECT key, bytes FROM entries ORDER BY used, key")
            doomed: list[tuple[bytes]] = []
            for key, size in oldest:
                if excess <= 0:
                    break
                doomed.append((key,))
                excess -= size
            database.executemany("DELETE FROM entries WHERE key = ?", doomed)
        database.execute("PRAGMA incremental_vacuum").fetchall()

    def _give_up(self, error: Exception) -> None:
        self.trouble = f"features are not kept for next time: {self.path}: {error}"
        if self._database is not None:
            self._database.close()
            self._database = None
