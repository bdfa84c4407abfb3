"""`Spreading`: what hosts of a cluster have in common, through a folder that all of them see.

<folder>/secret            what prediction ids are sealed with: any host knows those of all others
<folder>/routes/NAME.json  how requests for a name are shared among its versions

Each host keeps its ledger on a disk of its own, as SQLite asks for, and each change of a route
there, by people or by a gate, is also written into the folder, from where the others take it over.
Of two changes at once the later one holds.
"""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from ninebrains.errors import MissingError, NinebrainsError, OutputError
from ninebrains.places import write_bytes
from ninebrains.serving.ledger import Ledger
from ninebrains.serving.traffic.route import Route
from ninebrains.serving.traffic.traffic import Traffic

_log = logging.getLogger("ninebrains.serving")

BY = "cluster"
"""Who changed a route, in its history, where another host told of it."""
_OWN = frozenset({"previous"})  # follows from the changes; each host has its own
_SECRET_BYTES = 32


class Spreading:
    """Keeps the routes of one host as those of the others.

    Args:
        folder: that all hosts see.
        traffic: of this host.
    """

    def __init__(self, folder: Path, traffic: Traffic) -> None:
        self._folder = folder / "routes"
        self._traffic = traffic
        self._held: dict[str, Route] = {}  # as it was here when it last was the same everywhere
        self._read: dict[str, bytes] = {}
        self._told: dict[str, str] = {}

    def refresh(self, names: tuple[str, ...]) -> None:
        """Take over what others changed, and tell them what changed here.

        Raises:
            OutputError: the folder cannot be written to; the next look tries again.
        """
        for name in names:
            path = self._folder / f"{name}.json"
            data = _read(path)
            own = self._traffic.state(name).route
            if data is not None and data != self._read.get(name):
                self._take(name, data)
            elif name not in self._held:
                self._held[name] = own
            elif _shared(own) != _shared(self._held[name]):
                self._give(name, path, own)

    def _take(self, name: str, data: bytes) -> None:
        try:
            theirs = Route.model_validate_json(data)
            own = self._traffic.state(name).route
            if _shared(theirs) != _shared(own):
                fields = {field: getattr(theirs, field) for field in _fields()}
                own = self._traffic.change(name, BY, **fields)
        except MissingError:
            return  # a version that is not here yet; the next look tries again
        except (NinebrainsError, ValidationError) as error:
            told = f"{self._folder / name}.json cannot be followed: {error}"
            if told != self._told.get(name):
                _log.warning("%s", told)
            self._told[name] = told
            return
        self._told.pop(name, None)
        self._read[name], self._held[name] = data, own

    def _give(self, name: str, path: Path, own: Route) -> None:
        data = own.model_dump_json(exclude=set(_OWN)).encode()
        make_folder(self._folder)
        write_bytes(path, data)
        self._read[name], self._held[name] = data, own


def common_secret(folder: Path) -> bytes:
    """The secret that all hosts of a cluster have; the first one makes it.

    Raises:
        OutputError: it is not there and cannot be made, or is none.
    """
    make_folder(folder)
    path = folder / "secret"
    found = _read(path)
    if found is None:
        found = _make_secret(path)
    if len(found) != _SECRET_BYTES:
        raise OutputError(f"{path} holds {len(found)} bytes; expected {_SECRET_BYTES}: delete it")
    return found


def _make_secret(path: Path) -> bytes:
    """Make the secret, or read what another host made meanwhile."""
    draft = path.with_name(f".secret-{os.urandom(8).hex()}")
    try:
        draft.touch(mode=0o600)
        draft.write_bytes(os.urandom(_SECRET_BYTES))
        with suppress(FileExistsError):
            os.link(draft, path)  # one of those that try at once wins, with a whole file
        return path.read_bytes()
    except OSError as error:
        raise OutputError(f"{path} cannot be made: {error.strerror or error}") from error
    finally:
        draft.unlink(missing_ok=True)


def plant(ledger: Ledger, secret: bytes) -> None:
    """Give a ledger its host's secret, before the host makes one of its own.

    Raises:
        OutputError: it cannot be written.
    """
    ledger.prepare("CREATE TABLE IF NOT EXISTS secret (one INTEGER PRIMARY KEY, value BLOB)")
    with ledger.writing() as rows:
        rows.execute("INSERT OR REPLACE INTO secret VALUES (1, ?)", (secret,))


def make_folder(folder: Path) -> None:
    """Make a folder, for its owner alone.

    Raises:
        OutputError: it cannot be made.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{folder} cannot be made: {error.strerror or error}. Choose a folder that all nodes "
            "can write to."
        ) from error


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise OutputError(f"{path} cannot be read: {error.strerror or error}") from error


def _fields() -> list[str]:
    return [field for field in Route.model_fields if field not in _OWN]


def _shared(route: Route) -> Route:
    return route.model_copy(update={"previous": None})
