"""Runs: what was learnt, when, how good it was; brains and their answers on disk."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ninebrains.brains import Brain
from ninebrains.brains.manifest import Metrics
from ninebrains.errors import MissingError
from ninebrains.studio.answers import Answers
from ninebrains.studio.learning.advice import Advice
from ninebrains.studio.store.labels import Label

MOST_BRAINS = 20
"""So many brains of runs are kept; of older ones the numbers and answers."""
_THRESHOLDS = np.round(np.arange(0.0, 1.0, 0.01), 2)


@dataclass(frozen=True)
class Run:
    """One run, as it is kept.

    Attributes:
        id: its number.
        at: seconds since 1970.
        revision: of the project that was learnt from.
        file: of its brain, relative to the brains' folder.
        version: of that brain.
        trunk: by name.
        num_photos: that were learnt from and measured on.
        num_labels: that were learnt.
        accuracy: on photos held out; None where there were none.
        low: end of its 95 % interval.
        high: likewise.
        seconds: that it took.
        labels: id (number), key and name of each, in the brain's order.
        metrics: as in the brain.
        advice: what would help.
    """

    id: int
    at: float
    revision: int
    file: str
    version: int
    trunk: str
    num_photos: int
    num_labels: int
    accuracy: float | None
    low: float | None
    high: float | None
    seconds: float
    labels: list[dict[str, Any]]
    metrics: dict[str, Any]
    advice: list[dict[str, Any]]

    def summary(self) -> dict[str, Any]:
        """Without what takes room."""
        names = (
            *("id", "at", "revision", "version", "trunk", "num_photos", "num_labels"),
            *("accuracy", "low", "high", "seconds", "file"),
        )
        num_test = self.metrics.get("num_test", 0)
        return {**{name: getattr(self, name) for name in names}, "num_test": num_test}


def insert_run(
    connection: sqlite3.Connection,
    *,
    revision: int,
    brain: Brain,
    labels: Sequence[Label],
    advice: Sequence[Advice],
    num_photos: int,
    seconds: float,
    run: int,
) -> None:
    """Keep a run, whose brain is on disk already."""
    metrics: Metrics | None = brain.metrics
    assert metrics is not None
    accuracy = metrics.accuracy
    connection.execute(
        "INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            run,
            time.time(),
            revision,
            brain_file(brain.name, run),
            run,
            brain.manifest.trunk.name,
            num_photos,
            len(labels),
            accuracy.value if accuracy else None,
            accuracy.low if accuracy else None,
            accuracy.high if accuracy else None,
            seconds,
            json.dumps([{"id": one.id, "key": one.key, "name": one.name} for one in labels]),
            metrics.model_dump_json(),
            json.dumps([one.plain() for one in advice]),
        ),
    )


def next_run(connection: sqlite3.Connection) -> int:
    """The number of the run that comes next."""
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'runs'").fetchone()
    return 1 if row is None else int(row[0]) + 1


def brain_file(name: str, version: int) -> str:
    """What the file of a run's brain is called."""
    return f"{name}@{version}.brain"


def list_runs(connection: sqlite3.Connection, most: int = 500) -> list[Run]:
    """The newest runs, the newest first."""
    rows = connection.execute("SELECT * FROM runs ORDER BY id DESC LIMIT ?", (most,))
    return [_run(row) for row in rows]


def find_run(connection: sqlite3.Connection, run: int) -> Run:
    """The run with a number.

    Raises:
        MissingError: there is none.
    """
    row = connection.execute("SELECT * FROM runs WHERE id = ?", (run,)).fetchone()
    if row is None:
        raise MissingError(f"there is no run with the number {run}; reload the page")
    return _run(row)


def answers_path(brains: Path, run: int) -> Path:
    """The file with what a run's brain said of every photo."""
    return brains / f"answers-{run}.npz"


def drop_old_brains(brains: Path, runs: Sequence[Run]) -> None:
    """Delete the files of brains beyond the newest ones; their numbers stay."""
    for run in runs[MOST_BRAINS:]:
        (brains / run.file).unlink(missing_ok=True)


def thresholds(answers: Answers) -> dict[str, Any]:
    """What happens at every threshold on the best score: columns of 100 values each.

    A photo whose best score is below the threshold, or that is unfamiliar, is answered "none of
    these". `precision`: right among those answered; `recall`: right among all; `rejected`: share
    that is not answered. On photos held out where there are some, else on those learnt from.
    """
    rows = answers.is_test & (answers.given > 0)
    on = "held out"
    if not rows.any():
        rows, on = answers.given > 0, "learnt from"
        rows &= ~np.isnan(answers.quality)
    num = int(rows.sum())
    sure, right = answers.sure[rows], answers.top[rows] == answers.given[rows]
    sure = np.where(answers.unfamiliar[rows] > 1.0, -1.0, sure)
    answered = sure[None, :] >= _THRESHOLDS[:, None]
    num_answered = answered.sum(axis=1)
    num_right = (answered & right[None, :]).sum(axis=1)
    precision = np.where(num_answered > 0, num_right / np.maximum(num_answered, 1), np.nan)
    return {
        "on": on,
        "photos": num,
        "threshold": _THRESHOLDS,
        "precision": precision,
        "recall": num_right / max(1, num),
        "rejected": 1.0 - num_answered / max(1, num),
    }


def _run(row: sqlite3.Row) -> Run:
    plain = dict(row)
    for name in ("labels", "metrics", "advice"):
        plain[name] = json.loads(plain[name])
    return Run(**plain)
