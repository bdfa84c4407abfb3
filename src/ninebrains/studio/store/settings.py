"""What a project remembers beside photos and labels: the revision, and people's choices."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

_REVISION = "revision"


def read_setting(connection: sqlite3.Connection, key: str, default: object = None) -> Any:  # noqa: ANN401 - what JSON holds
    """The value of a setting, or `default` where it was never set."""
    row = connection.execute("SELECT value FROM settings WHERE key = ?", (key,)).fetchone()
    return default if row is None else json.loads(row[0])


def write_setting(connection: sqlite3.Connection, key: str, value: object) -> None:
    """Keep a setting."""
    connection.execute(
        "INSERT INTO settings VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
        (key, json.dumps(value)),
    )


def revision_of(connection: sqlite3.Connection) -> int:
    """How many changes there have been."""
    return int(read_setting(connection, _REVISION, 0))


def next_revision(connection: sqlite3.Connection) -> int:
    """Count a change; part of its transaction."""
    revision = revision_of(connection) + 1
    write_setting(connection, _REVISION, revision)
    return revision
