"""`Drift`: watches answers, adds them up with those of other workers, and reports by version."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ninebrains.brains.manifest import Label, Manifest, Reference
from ninebrains.errors import MissingError, OutputError
from ninebrains.serving.drift.report import FIRST, Source, VersionReport, measure_all
from ninebrains.serving.drift.tally import Tally, total

if TYPE_CHECKING:
    import sqlite3

    from prometheus_client.core import Metric

    from ninebrains.brains import Inference
    from ninebrains.serving.asking import Answered
    from ninebrains.serving.catalog import Catalog, Version
    from ninebrains.serving.ledger import Ledger

_HOUR = 3600
_WINDOW_HOURS = 24
_KEPT_HOURS = 8 * 24
_WRITE_SECONDS = 5.0
_MOST_PENDING = 8192
_REPORT_SECONDS = 30.0
_TABLES = """
CREATE TABLE IF NOT EXISTS drift (
    name TEXT NOT NULL, number INTEGER NOT NULL, digest TEXT NOT NULL, hour INTEGER NOT NULL,
    tally TEXT NOT NULL, PRIMARY KEY (name, number, digest, hour));
"""
_BASELINE = -1
"""Stands for the hour of the first answers."""


@dataclass(frozen=True, slots=True)
class _Version:
    """What has to be known of a version."""

    name: str
    number: int
    digest: str
    labels: tuple[Label, ...]
    reference: Reference | None


class Drift:
    """Whether photos and answers still are as they were in training.

    Args:
        ledger: where the answers of all workers are added up, by version and hour.
        catalog: knows the versions and their training.
        clock: seconds since 1970.

    Attributes:
        dropped: answers that were not counted, because there were too many at once.
    """

    def __init__(
        self, ledger: Ledger, catalog: Catalog, clock: Callable[[], float] = time.time
    ) -> None:
        self._ledger = ledger
        self._catalog = catalog
        self._clock = clock
        self._pending: deque[tuple[str, int, Inference]] = deque()
        self._tallies: dict[tuple[str, int], Tally] = {}
        self._counting = threading.Lock()
        self._written = time.monotonic()
        self._samples: tuple[Metric, ...] = ()
        self._sampled = -_REPORT_SECONDS
        self.dropped = 0
        ledger.prepare(_TABLES)

    def saw(self, answered: Answered) -> None:
        """Take note of an answer; the work is done by `flush`."""
        if answered.inference is None:
            return
        if len(self._pending) >= _MOST_PENDING:
            self.dropped += 1
            return
        chosen = answered.chosen
        self._pending.append((chosen.name, chosen.number, answered.inference))

    def flush(self, *, now: bool = False) -> None:
        """Add up what was seen, and write it every few seconds; a chore.

        Args:
            now: write it at once.

        Raises:
            OutputError: it cannot be written; it will be with what comes next.
        """
        with self._counting:
            self._add_up()
            if now or time.monotonic() - self._written >= _WRITE_SECONDS:
                self._written = time.monotonic()
                self._write()

    def close(self) -> None:
        """Write what was seen last, if there is room."""
        try:
            self.flush(now=True)
        except OutputError:
            self.dropped += sum(tally.num for tally in self._tallies.values())

    def _add_up(self) -> None:
        taken: dict[tuple[str, int], list[Inference]] = {}
        for _ in range(len(self._pending)):
            name, number, inference = self._pending.popleft()
            taken.setdefault((name, number), []).append(inference)
        for key, inferences in taken.items():
            self._tallies[key] = self._tallies.get(key, Tally()) + Tally.of(inferences)

    def _write(self) -> None:
        if not self._tallies:
            return
        hour = int(self._clock()) // _HOUR
        with self._ledger.writing() as rows:
            for (name, number), tally in self._tallies.items():
                version = self._known(name, number)
                if version is not None:
                    _put(rows, version, self._hour_of(rows, version, hour), tally)
            rows.execute(
                "DELETE FROM drift WHERE hour != ? AND hour < ?", (_BASELINE, hour - _KEPT_HOURS)
            )
        self._tallies = {}

    @staticmethod
    def _hour_of(rows: sqlite3.Connection, version: _Version, hour: int) -> int:
        """Where answers are added: to the first ones, where there are too few and no reference."""
        if version.reference is not None:
            return hour
        return _BASELINE if _get(rows, version, _BASELINE).num < FIRST else hour

    def _known(self, name: str, number: int) -> _Version | None:
        try:
            found = self._catalog.find(name, number)
        except MissingError:
            return None
        return None if found.facts is None else _describe(found)

    def report(self, name: str) -> tuple[VersionReport, ...]:
        """What is said of the versions of a name that are or were loaded, the newest first.

        Reads the ledger.

        Raises:
            MissingError: there is no such brain.
        """
        if name not in self._catalog.versions:
            raise MissingError(f"there is no brain {name!r} here")
        numbers = sorted(self._catalog.versions[name], reverse=True)
        known = [self._known(name, number) for number in numbers]
        with self._ledger.reading() as rows:
            return tuple(self._report(rows, version) for version in known if version is not None)

    def _report(self, rows: sqlite3.Connection, version: _Version) -> VersionReport:
        first = int(self._clock()) // _HOUR - _WINDOW_HOURS
        hours = tuple(
            (int(row["hour"]) * _HOUR, Tally.from_json(row["tally"]))
            for row in rows.execute(
                f"{_SELECT} AND hour > ? ORDER BY hour", (*_key(version), first)
            )
            if row["hour"] != _BASELINE
        )
        source: Source = "training"
        if version.reference is not None:
            then = Tally.trained(version.reference)
        else:
            then = _get(rows, version, _BASELINE)
            source = "first answers" if then.num >= FIRST else "nothing yet"
        now = total(tally for _, tally in hours)
        found = () if source == "nothing yet" else measure_all(now, then)
        return VersionReport(
            version.name, version.number, version.labels, source, now, then, found, hours
        )

    def reports(self) -> tuple[VersionReport, ...]:
        """What is said of every version of every name."""
        return tuple(
            report for name in sorted(self._catalog.versions) for report in self.report(name)
        )

    def samples(self) -> tuple[Metric, ...]:
        """Figures for Prometheus, made anew every 30 seconds at most. Reads the ledger then."""
        if time.monotonic() - self._sampled >= _REPORT_SECONDS:
            self._samples = tuple(_samples(self.reports()))
            self._sampled = time.monotonic()
        return self._samples


def _samples(reports: tuple[VersionReport, ...]) -> Iterator[Metric]:
    from prometheus_client.core import GaugeMetricFamily

    of = ("brain", "version", "of")
    answers = GaugeMetricFamily("ninebrains_drift_answers", "Of the last day", labels=of[:2])
    distance = GaugeMetricFamily(
        "ninebrains_drift_distance",
        "Of the last day's answers, unfamiliar scores and features from those of training",
        labels=of,
    )
    limit = GaugeMetricFamily(
        "ninebrains_drift_limit",
        "What that distance stays under in 999 of 1,000 samples if nothing has changed",
        labels=of,
    )
    detected = GaugeMetricFamily(
        "ninebrains_drift_detected",
        "1 where the distance is beyond chance and large enough to matter",
        labels=of,
    )
    for report in reports:
        version = (report.name, str(report.number))
        answers.add_metric(version, report.now.num)
        for measure in report.measures:
            if measure.verdict != "too few":
                key = (*version, measure.name)
                distance.add_metric(key, measure.distance)
                limit.add_metric(key, measure.limit)
                detected.add_metric(key, float(measure.verdict == "drift"))
    yield from (answers, distance, limit, detected)


def _describe(version: Version) -> _Version:
    facts = version.facts
    assert facts is not None
    training = facts.training if isinstance(facts, Manifest) else None
    reference = training.reference if training else None
    return _Version(version.name, version.number, version.digest, tuple(facts.labels), reference)


_SELECT = "SELECT hour, tally FROM drift WHERE name = ? AND number = ? AND digest = ?"


def _key(version: _Version) -> tuple[str, int, str]:
    return version.name, version.number, version.digest


def _get(rows: sqlite3.Connection, version: _Version, hour: int) -> Tally:
    row = rows.execute(f"{_SELECT} AND hour = ?", (*_key(version), hour)).fetchone()
    return Tally.from_json(row["tally"]) if row is not None else Tally()


def _put(rows: sqlite3.Connection, version: _Version, hour: int, tally: Tally) -> None:
    whole = _get(rows, version, hour) + tally
    rows.execute(
        "INSERT OR REPLACE INTO drift VALUES (?, ?, ?, ?, ?)",
        (*_key(version), hour, whole.to_json()),
    )
