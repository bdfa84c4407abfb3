"""Feedback as rows of the ledger: one for each prediction, the latest word counts."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ninebrains.brains.manifest import Label
from ninebrains.serving.feedback.truths import Facts, Truth

if TYPE_CHECKING:
    from ninebrains.serving.ledger import Ledger
    from ninebrains.serving.predictions import Prediction

_TABLES = """
CREATE TABLE IF NOT EXISTS feedback (
    key TEXT PRIMARY KEY, name TEXT NOT NULL, number INTEGER NOT NULL, variant TEXT NOT NULL,
    task TEXT NOT NULL, user TEXT NOT NULL, giver TEXT NOT NULL,
    answered_at INTEGER NOT NULL, given_at INTEGER NOT NULL,
    label_id TEXT NOT NULL, label TEXT NOT NULL, is_new INTEGER NOT NULL,
    is_confirmed INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS feedback_by_user ON feedback (user);
CREATE INDEX IF NOT EXISTS feedback_by_giver ON feedback (giver);
CREATE TABLE IF NOT EXISTS feedback_versions (
    name TEXT NOT NULL, number INTEGER NOT NULL, task TEXT NOT NULL, labels TEXT NOT NULL,
    PRIMARY KEY (name, number));
"""


@dataclass(frozen=True, slots=True)
class Count:
    """Feedback on the answers of one version.

    Attributes:
        name: of the brain.
        number: of the version.
        feedback: how much there is.
        confirmed: of that, how much confirms the answer.
        new_labels: of that, how much names a label that the version does not have.
    """

    name: str
    number: int
    feedback: int
    confirmed: int
    new_labels: int


class Records:
    """What was said about which prediction.

    The labels of every version that ever answered are kept too: feedback may come days later, when
    the version is long gone.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        ledger.prepare(_TABLES)

    def know(self, found: Mapping[tuple[str, int], Facts]) -> None:
        """Remember the labels of versions."""
        rows = [
            (name, number, facts.task, json.dumps([label.model_dump() for label in facts.labels]))
            for (name, number), facts in found.items()
        ]
        with self._ledger.writing() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO feedback_versions VALUES (?, ?, ?, ?)", rows
            )

    def facts(self, name: str, number: int) -> Facts | None:
        """What is remembered of a version."""
        with self._ledger.reading() as rows:
            found = rows.execute(
                "SELECT task, labels FROM feedback_versions WHERE name = ? AND number = ?",
                (name, number),
            ).fetchone()
        if found is None:
            return None
        return Facts(found["task"], tuple(Label(**plain) for plain in json.loads(found["labels"])))

    @staticmethod
    def put(
        rows: sqlite3.Connection, prediction: Prediction, task: str, truth: Truth, giver: str
    ) -> bool:
        """Write down what was said, in the place of what had been said before.

        Returns:
            Whether it is the first word on this prediction.
        """
        is_first = (
            rows.execute("SELECT 1 FROM feedback WHERE key = ?", (prediction.key,)).fetchone()
            is None
        )
        rows.execute(
            "INSERT OR REPLACE INTO feedback VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                prediction.key,
                prediction.name,
                prediction.number,
                prediction.variant,
                task,
                prediction.user,
                giver,
                prediction.seconds,
                int(time.time()),
                truth.label_id,
                truth.label,
                truth.is_new,
                truth.is_confirmed,
            ),
        )
        return is_first

    @staticmethod
    def disputed(rows: sqlite3.Connection, keys: Iterable[str]) -> set[str]:
        """Those of some predictions about which somebody said otherwise."""
        return {
            key
            for key in keys
            if rows.execute(
                "SELECT 1 FROM feedback WHERE key = ? AND NOT is_confirmed", (key,)
            ).fetchone()
        }

    @staticmethod
    def forget(rows: sqlite3.Connection, user: str) -> int:
        """Delete what a user said, and what was said about answers to them; how many rows."""
        return rows.execute(
            "DELETE FROM feedback WHERE user = ? OR giver = ?", (user, user)
        ).rowcount

    def counts(self) -> tuple[Count, ...]:
        """By version: how much feedback there is, and how much of it confirms."""
        with self._ledger.reading() as rows:
            found = rows.execute(
                "SELECT name, number, COUNT(*), SUM(is_confirmed), SUM(is_new) FROM feedback "
                "GROUP BY name, number ORDER BY name, number"
            ).fetchall()
        return tuple(Count(*row) for row in found)
