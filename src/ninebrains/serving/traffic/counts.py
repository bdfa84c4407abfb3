"""`Counts`: what became of the requests, by version and variant, over all workers.

Each worker counts in memory and adds that to the ledger each second. What cannot be written is kept
and added later. Counts say to which trial they belong, so that a gate goes by nothing older.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable

from ninebrains.errors import OutputError
from ninebrains.serving.asking import Answered, Variant
from ninebrains.serving.ledger import Ledger
from ninebrains.serving.predictions import Prediction
from ninebrains.serving.traffic.states import State
from ninebrains.serving.traffic.summaries import Summary, summarise
from ninebrains.serving.traffic.tallies import Key, Tally

_Fresh = dict[tuple[Key, int], Tally]

_log = logging.getLogger("ninebrains.serving")


class Counts:
    """Counts answers; a watcher of the host. May be used from any thread.

    Args:
        ledger: where the counts of all workers come together.
        state: a name's route, for its trial and gate.
    """

    def __init__(self, ledger: Ledger, state: Callable[[str], State]) -> None:
        self._ledger = ledger
        self._state = state
        self._fresh: _Fresh = {}
        self._counting = threading.Lock()
        self._flushing = threading.Lock()
        self._folded: dict[str, int] = {}
        ledger.prepare(
            """
            CREATE TABLE IF NOT EXISTS counts (
                name TEXT, number INTEGER, variant TEXT, trial INTEGER, measure TEXT,
                value REAL NOT NULL, PRIMARY KEY (name, number, variant, trial, measure)
            ) WITHOUT ROWID
            """
        )

    def saw(self, answered: Answered) -> None:
        """Take note of what one version made of one photo."""
        chosen = answered.chosen
        state = self._state(chosen.name)
        gate = state.route.gate
        slow = None if gate is None or gate.p90_ms is None else gate.p90_ms / 1000
        with self._counting:
            tally = self._tally(Key(chosen.name, chosen.number, chosen.variant), state.trial)
            if answered.inference is not None:
                tally.take_answer(answered.seconds, answered.inference.timings, slow)
            elif answered.error is not None:
                tally.take_error(answered.error, answered.seconds, slow)

    def compared(self, name: str, number: int, variant: Variant, agrees: bool) -> None:
        """Take note of whether a version's answer was that of stable."""
        with self._counting:
            tally = self._tally(Key(name, number, variant), self._state(name).trial)
            tally.take_pair(agrees)

    def confirmed(self, prediction: Prediction, is_right: bool) -> None:
        """Take note of feedback; that on answers before the trial is none on the trial."""
        state = self._state(prediction.name)
        trial = state.trial if prediction.seconds >= int(state.began) else 0
        with self._counting:
            key = Key(prediction.name, prediction.number, prediction.variant)
            self._tally(key, trial).take_feedback(is_right)

    def counts(self, name: str | None = None) -> dict[Key, Tally]:
        """What was counted since the host's first day, by version and variant.

        What other workers counted within their last second is missing.

        Args:
            name: of the brain; None for all.

        Raises:
            OutputError: the ledger cannot be read.
        """
        found: dict[Key, Tally] = {}
        with self._flushing:
            with self._ledger.reading() as rows:
                _read(rows, found, name)
            with self._counting:
                for (key, _), tally in self._fresh.items():
                    if name in (None, key.name):
                        found.setdefault(key, Tally()).add(tally.measures())
        return found

    def summaries(self, name: str) -> tuple[Summary, ...]:
        """The same of one name, in numbers for people, by version and variant.

        Raises:
            OutputError: the ledger cannot be read.
        """
        found = self.counts(name)
        return tuple(summarise(key, found[key]) for key in sorted(found))

    def flush(self) -> None:
        """Add to the ledger what was counted since the last time.

        Raises:
            OutputError: it cannot be written; it is kept, and added the next time.
        """
        with self._flushing:
            with self._counting:
                fresh, self._fresh = self._fresh, {}
            if not fresh:
                return
            try:
                with self._ledger.writing() as rows:
                    _add(rows, fresh)
                    folded = self._fold(rows, {key.name for key, _ in fresh})
            except OutputError:
                with self._counting:
                    for (key, trial), tally in fresh.items():
                        self._tally(key, trial).add(tally.measures())
                raise
            self._folded |= folded

    def close(self) -> None:
        """Add what is left, if that is possible; otherwise it is lost, and the log says so."""
        try:
            self.flush()
        except OutputError as error:
            _log.warning("the counts of the last moments are lost: %s", error)

    def _tally(self, key: Key, trial: int) -> Tally:
        found = self._fresh.get((key, trial))
        if found is None:
            found = self._fresh[key, trial] = Tally()
        return found

    def _fold(self, rows: sqlite3.Connection, names: set[str]) -> dict[str, int]:
        """Put the counts of trials that are over together, once for each trial."""
        trials = {name: self._state(name).trial for name in names}
        new = {name: trial for name, trial in trials.items() if self._folded.get(name) != trial}
        for name, trial in new.items():
            rows.execute(
                "INSERT INTO counts SELECT name, number, variant, 0, measure, SUM(value) FROM "
                "counts WHERE name = ?1 AND trial > 0 AND trial < ?2 GROUP BY number, variant, "
                "measure ON CONFLICT DO UPDATE SET value = value + excluded.value",
                (name, trial),
            )
            rows.execute(
                "DELETE FROM counts WHERE name = ? AND trial > 0 AND trial < ?", (name, trial)
            )
        return new


def of_trial(rows: sqlite3.Connection, name: str, trial: int) -> dict[Key, Tally]:
    """What all workers have added of one trial."""
    found: dict[Key, Tally] = {}
    _read(rows, found, name, trial)
    return found


def _read(
    rows: sqlite3.Connection, found: dict[Key, Tally], name: str | None, trial: int | None = None
) -> None:
    told = rows.execute(
        "SELECT name, number, variant, measure, value FROM counts "
        "WHERE (?1 IS NULL OR name = ?1) AND (?2 IS NULL OR trial = ?2)",
        (name, trial),
    )
    for row in told:
        key = Key(row["name"], row["number"], row["variant"])
        found.setdefault(key, Tally()).add({row["measure"]: row["value"]})


def _add(rows: sqlite3.Connection, fresh: _Fresh) -> None:
    rows.executemany(
        "INSERT INTO counts VALUES (?, ?, ?, ?, ?, ?) "
        "ON CONFLICT DO UPDATE SET value = value + excluded.value",
        [
            (*key, trial, measure, value)
            for (key, trial), tally in fresh.items()
            for measure, value in tally.measures().items()
        ],
    )
