"""Taking over changed settings while serving, in every worker of a host."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ninebrains.errors import SettingsError
from ninebrains.serving.reading import read_settings
from ninebrains.serving.settings import Settings

if TYPE_CHECKING:
    from ninebrains.serving.ledger import Ledger

_LIVE = frozenset(
    ("keys", "public", "policy", "policies", "trusted", "limits", "urls", "feedback", "log_level")
)
_FIXED_LIMITS = (
    *("photo_bytes", "photo_pixels"),  # the mind's, from its start
    *("header_bytes", "header_seconds", "connections"),  # the server's
)
_TABLE = """
CREATE TABLE IF NOT EXISTS settings (
    run TEXT PRIMARY KEY, generation INTEGER NOT NULL, value TEXT NOT NULL
)"""

_log = logging.getLogger("ninebrains.serving")


@dataclass(frozen=True)
class Origin:
    """Where the settings of a host came from, so that they can be read anew.

    Attributes:
        flags: as given on the command line.
        file: TOML, if any.
        run: names this run of the host; what was reloaded in another one does not matter.
    """

    flags: Mapping[str, Any] = field(default_factory=dict)
    file: Path | None = None
    run: str = ""


@dataclass(frozen=True)
class Reloaded:
    """What came of reading the settings anew.

    Attributes:
        changed: names of settings that all workers take over within a moment.
        needs_restart: names of settings that changed too, and count from the next start on.
    """

    changed: tuple[str, ...]
    needs_restart: tuple[str, ...]


class Reloading:
    """The settings of a host's run, as they are now for all its workers.

    Args:
        ledger: where workers tell each other.
        settings: that the host was started with.
        origin: where they came from; None where that is not known.
    """

    def __init__(self, ledger: Ledger, settings: Settings, origin: Origin | None) -> None:
        self._ledger = ledger
        self._origin = origin
        self._generation = 0
        self.settings = settings
        ledger.prepare(_TABLE)

    def reload(self, settings: Settings | None = None) -> Reloaded:
        """Read the settings anew and tell all workers.

        Args:
            settings: take these instead.

        Raises:
            SettingsError: they make no sense; nothing changed then.
            OutputError: the workers cannot be told; nothing changed then.
        """
        if settings is None:
            settings = self._read()
        taken, reloaded = compare(self.settings, settings)
        run = "" if self._origin is None else self._origin.run
        with self._ledger.writing() as rows:
            rows.execute("DELETE FROM settings WHERE run != ?", (run,))
            rows.execute(
                "INSERT INTO settings VALUES (?, 1, ?) ON CONFLICT (run) DO UPDATE SET "
                "generation = generation + 1, value = excluded.value",
                (run, taken.model_dump_json()),
            )
        if reloaded.needs_restart:
            _log.warning("changed, but needs a restart: %s", ", ".join(reloaded.needs_restart))
        return reloaded

    def refresh(self) -> Settings | None:
        """The settings, if they have changed since they were asked for; else None."""
        run = "" if self._origin is None else self._origin.run
        with self._ledger.reading() as rows:
            row = rows.execute(
                "SELECT generation, value FROM settings WHERE run = ? AND generation > ?",
                (run, self._generation),
            ).fetchone()
        if row is None:
            return None
        self._generation = row["generation"]
        self.settings = Settings.model_validate_json(row["value"])
        return self.settings

    def _read(self) -> Settings:
        if self._origin is None:
            raise SettingsError(
                "this host was not started by `ninebrains serve`, so there is nothing to read anew"
            )
        return read_settings(self._origin.flags, self._origin.file)


def compare(old: Settings, new: Settings) -> tuple[Settings, Reloaded]:
    """The settings that a running host can have, on the way from old ones to new ones."""
    names = [name for name in type(old).model_fields if getattr(old, name) != getattr(new, name)]
    live = {name: getattr(new, name) for name in names if name in _LIVE}
    waiting = [name for name in names if name not in _LIVE]
    if "limits" in live:
        fixed = {name: getattr(old.limits, name) for name in _FIXED_LIMITS}
        waiting += [f"limits.{n}" for n in fixed if fixed[n] != getattr(new.limits, n)]
        live["limits"] = new.limits.model_copy(update=fixed)
        if live["limits"] == old.limits:
            del live["limits"]
    return old.model_copy(update=live), Reloaded(tuple(live), tuple(waiting))


def origin_to_json(origin: Origin) -> str:
    """For a worker."""
    told = {
        "flags": origin.flags,
        "file": None if origin.file is None else str(origin.file),
        "run": origin.run,
    }
    return json.dumps(told, default=str)


def origin_from_json(text: str) -> Origin:
    """As a supervisor wrote it."""
    told = json.loads(text)
    return Origin(told["flags"], told["file"] and Path(told["file"]), told["run"])
