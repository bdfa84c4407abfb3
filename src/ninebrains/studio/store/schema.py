"""The index's tables, as the steps by which they came to be; a released step is never changed."""

from __future__ import annotations

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """
        CREATE TABLE labels (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            key TEXT NOT NULL UNIQUE,
            name TEXT NOT NULL,
            color TEXT NOT NULL,
            position INTEGER NOT NULL,
            removed INTEGER NOT NULL DEFAULT 0
        )
        """,
        """
        CREATE TABLE photos (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            sha256 TEXT NOT NULL UNIQUE,
            path BLOB NOT NULL,
            is_copy INTEGER NOT NULL,
            name TEXT NOT NULL,
            source TEXT NOT NULL,
            format TEXT NOT NULL,
            width INTEGER NOT NULL,
            height INTEGER NOT NULL,
            bytes INTEGER NOT NULL,
            added REAL NOT NULL,
            part TEXT NOT NULL CHECK (part IN ('train', 'test')),
            label INTEGER REFERENCES labels (id),
            confirmed INTEGER,
            gone INTEGER NOT NULL DEFAULT 0,
            trouble TEXT,
            columns TEXT
        )
        """,
        "CREATE INDEX photos_by_label ON photos (label) WHERE gone = 0",
        """
        CREATE TABLE steps (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            at REAL NOT NULL,
            kind TEXT NOT NULL,
            told TEXT NOT NULL,
            num_photos INTEGER NOT NULL,
            forward TEXT NOT NULL,
            backward TEXT NOT NULL,
            undone INTEGER NOT NULL DEFAULT 0
        )
        """,
        """
        CREATE TABLE runs (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            at REAL NOT NULL,
            revision INTEGER NOT NULL,
            file TEXT NOT NULL,
            version INTEGER NOT NULL,
            trunk TEXT NOT NULL,
            num_photos INTEGER NOT NULL,
            num_labels INTEGER NOT NULL,
            accuracy REAL,
            low REAL,
            high REAL,
            seconds REAL NOT NULL,
            labels TEXT NOT NULL,
            metrics TEXT NOT NULL,
            advice TEXT NOT NULL
        )
        """,
        "CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    ),
    # When a file in place was written last (ns) while its content was what it is in the index.
    ("ALTER TABLE photos ADD COLUMN modified INTEGER",),
)
