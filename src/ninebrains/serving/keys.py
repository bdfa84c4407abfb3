"""API keys: who may ask, who may correct, who may change things.

A key is `nb_` and 43 characters that stand for 256 random bits. Only its SHA-256 is stored: the
secret has as many bits as the hash, so there is nothing to guess and a slow hash would add nothing.

Keys stand in the ledger (`ninebrains keys add`), where every worker sees a change at once, and in
the settings, by hash. Limits of a key are those of the whole host: its workers count the requests a
second together, and each grants its share of those at once.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
import secrets
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import get_args

from ninebrains.errors import AccessError, MissingError, RequestError
from ninebrains.serving.allowance import Allowance, SharedBuckets
from ninebrains.serving.ledger import Ledger
from ninebrains.serving.settings import Key, Scope, Settings

_TABLE = """
CREATE TABLE IF NOT EXISTS keys (
    name TEXT PRIMARY KEY, sha256 TEXT NOT NULL UNIQUE, scopes TEXT NOT NULL,
    requests_per_second REAL, at_once INTEGER, seconds INTEGER NOT NULL)
"""
MOST_PER_SECOND = 1e9
MOST_AT_ONCE = 1_000_000_000

_SCOPES: tuple[Scope, ...] = get_args(Scope)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_NOT_SENT = "send a key as 'Authorization: Bearer KEY' or 'X-Api-Key: KEY'"


@dataclass(frozen=True, slots=True)
class KeyEntry:
    """A key as it is shown: never the secret.

    Attributes:
        name: of the key.
        scopes: what it allows.
        requests_per_second: on average, or None.
        at_once: requests open at a time, or None.
        source: `ledger`, where it can be removed, or `settings`.
        seconds: when it was added, since 1970; None for one of the settings.
    """

    name: str
    scopes: tuple[Scope, ...]
    requests_per_second: float | None
    at_once: int | None
    source: str
    seconds: int | None


@dataclass(frozen=True, slots=True)
class Holder:
    """Who presented a key, or nobody.

    Attributes:
        name: of the key, "" for nobody.
        scopes: what may be done.
        allowance: to begin and end each request with; None where there is no limit.
    """

    name: str
    scopes: frozenset[Scope]
    allowance: Allowance | None = None


class Keys:
    """The keys of a host.

    Args:
        ledger: where keys are stored.
        settings: `keys`, `public`, `address` and `workers` of it count.

    Raises:
        OutputError: the ledger cannot be written.
    """

    def __init__(self, ledger: Ledger, settings: Settings) -> None:
        ledger.prepare(_TABLE)
        self._ledger = ledger
        self._settings = settings
        self._lock = threading.Lock()
        self._seen: tuple[int, int] | None = None
        self._holders: dict[bytes, tuple[bytes, Holder]] = {}
        self._granted: dict[str, tuple[Key, int, int, Allowance]] = {}
        self._buckets: SharedBuckets | None = None
        self.is_local = is_loopback(settings.address)
        self.nobody = Holder("", frozenset())
        self._load()

    def check(self, presented: str | bytes | None, *scopes: Scope) -> Holder:
        """Who presents this key, if it allows one of the scopes. Takes a few microseconds.

        Raises:
            AccessError: there is no key where one is needed, it is not known, or allows other
                things only.
        """
        if presented is None:
            holder = self.nobody
            if holder.scopes.isdisjoint(scopes):
                raise AccessError(f"got no API key; this needs one for {_or(scopes)}: {_NOT_SENT}")
            return holder
        data = presented if isinstance(presented, bytes) else presented.encode()
        digest = hashlib.sha256(data).digest()
        found = self._holders.get(digest)
        if found is None or not hmac.compare_digest(found[0], digest):
            raise AccessError(
                "got an API key that is not known here; it may have been removed. Ask who runs "
                f"this host for one, and {_NOT_SENT}"
            )
        holder = found[1]
        if holder.scopes.isdisjoint(scopes):
            raise AccessError(
                f"the key {holder.name!r} is for {_or(sorted(holder.scopes))}; this needs one for "
                f"{_or(scopes)}",
                is_known=True,
            )
        return holder

    def add(
        self,
        name: str,
        scopes: Iterable[Scope] = ("infer", "feedback"),
        *,
        requests_per_second: float | None = None,
        at_once: int | None = None,
    ) -> str:
        """Make a key.

        Returns:
            The secret, which nobody can show again.

        Raises:
            RequestError: the name is taken or no name, a scope or a limit makes no sense.
            OutputError: the ledger cannot be written.
        """
        wanted = sorted(set(scopes), key=_place)
        _check(name, wanted, requests_per_second, at_once)
        secret = f"nb_{secrets.token_urlsafe(32)}"
        sha256 = hashlib.sha256(secret.encode()).hexdigest()
        row = (name, sha256, ",".join(wanted), requests_per_second, at_once, int(time.time()))
        with self._ledger.writing() as rows:
            taken = rows.execute("SELECT 1 FROM keys WHERE name = ?", (name,)).fetchone()
            if taken or name in self._settings.keys:
                raise RequestError(
                    f"there is a key {name!r} already; choose another name, or remove it first", 409
                )
            rows.execute("INSERT INTO keys VALUES (?, ?, ?, ?, ?, ?)", row)
        self._load()
        return secret

    def remove(self, name: str) -> None:
        """Forget a key: from now on it opens nothing.

        Raises:
            MissingError: there is none of this name.
            RequestError: it stands in the settings.
            OutputError: the ledger cannot be written.
        """
        with self._ledger.writing() as rows:
            if not rows.execute("DELETE FROM keys WHERE name = ?", (name,)).rowcount:
                if name in self._settings.keys:
                    raise RequestError(
                        f"the key {name!r} stands in the settings; take it out there", 409
                    )
                raise MissingError(f"there is no key {name!r}; `ninebrains keys list` shows all")
        self._load()

    def all(self) -> tuple[KeyEntry, ...]:
        """Every key, by name."""
        with self._ledger.reading() as rows:
            stored = rows.execute("SELECT * FROM keys").fetchall()
        entries = [
            KeyEntry(
                row["name"],
                _scopes(row["scopes"]),
                row["requests_per_second"],
                row["at_once"],
                "ledger",
                row["seconds"],
            )
            for row in stored
        ]
        for name, key in self._settings.keys.items():
            scopes = tuple(sorted(key.scopes, key=_place))
            rate, at_once = key.requests_per_second, key.at_once
            entries.append(KeyEntry(name, scopes, rate, at_once, "settings", None))
        return tuple(sorted(entries, key=lambda entry: entry.name))

    def refresh(self) -> None:
        """Take over what another process or thread has changed; cheap when nothing has."""
        seen = (threading.get_ident(), self._ledger.data_version())
        if seen != self._seen:
            self._load()
            self._seen = seen

    def adopt(self, settings: Settings) -> None:
        """Go by other settings from now on."""
        self._settings = settings
        self._load()

    def _load(self) -> None:
        with self._lock:
            settings = self._settings
            known = dict(settings.keys)
            # Odd places are for keys of the settings, even ones for those of the ledger.
            places = {name: 2 * index + 1 for index, name in enumerate(sorted(known))}
            with self._ledger.reading() as rows:
                for row in rows.execute("SELECT rowid, * FROM keys"):
                    places.setdefault(row["name"], 2 * row["rowid"])
                    known.setdefault(
                        row["name"],
                        Key(
                            sha256=row["sha256"],
                            scopes=frozenset(_scopes(row["scopes"])),
                            requests_per_second=row["requests_per_second"],
                            at_once=row["at_once"],
                        ),
                    )
            self._granted = {
                name: self._grant(name, key, settings.workers, places[name])
                for name, key in known.items()
                if key.requests_per_second is not None or key.at_once is not None
            }
            self.is_local = is_loopback(settings.address)
            self.nobody = Holder("", _public(settings))
            self._holders = {
                digest: (digest, Holder(name, key.scopes, self._allowance(name)))
                for name, key in known.items()
                for digest in [bytes.fromhex(key.sha256)]
            }

    def _grant(
        self, name: str, key: Key, workers: int, place: int
    ) -> tuple[Key, int, int, Allowance]:
        """What a worker grants; what it counted is kept while the limits stay as they are."""
        before = self._granted.get(name)
        if before is not None and before[:3] == (key, workers, place):
            return before
        allowance = Allowance(
            name,
            key.requests_per_second,
            None if key.at_once is None else max(1, key.at_once // workers),
            shared=self._shared() if workers > 1 else None,
            place=place,
            share=1 / workers,
        )
        return key, workers, place, allowance

    def _shared(self) -> SharedBuckets | None:
        """Where workers count together; None where that cannot be, and each grants its share."""
        if self._buckets is None:
            with suppress(OSError):
                self._buckets = SharedBuckets(self._ledger.path.with_name("allowances"))
        return self._buckets

    def _allowance(self, name: str) -> Allowance | None:
        granted = self._granted.get(name)
        return None if granted is None else granted[3]


def is_loopback(address: str) -> bool:
    """Whether only programs of this machine can reach an address."""
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address.strip("[]")).is_loopback
    except ValueError:  # a name; where it leads to may change
        return False


def _public(settings: Settings) -> frozenset[Scope]:
    """What needs no key; changing things always does."""
    if settings.public is not None:
        return frozenset(settings.public)
    return frozenset({"infer", "feedback"}) if is_loopback(settings.address) else frozenset()


def _scopes(text: str) -> tuple[Scope, ...]:
    return tuple(scope for scope in _SCOPES if scope in text.split(","))


def _place(scope: Scope) -> int:
    """Where a scope stands among all; a word that is none comes last."""
    return _SCOPES.index(scope) if scope in _SCOPES else len(_SCOPES)


def _or(scopes: Iterable[Scope]) -> str:
    return " or ".join(f"'{scope}'" for scope in scopes)


def _check(
    name: str, scopes: list[Scope], requests_per_second: float | None, at_once: int | None
) -> None:
    if not _NAME.fullmatch(name):
        raise RequestError(
            f"got {name!r} as the name of a key; expected at most 64 letters, digits, '.', '_' or "
            "'-', the first one a letter or digit"
        )
    for scope in scopes:
        if scope not in _SCOPES:
            raise RequestError(f"got {scope!r} as a scope; expected {_or(_SCOPES)}")
    if not scopes:
        raise RequestError(f"a key needs a scope: {_or(_SCOPES)}")
    if requests_per_second is not None and not 0 < requests_per_second <= MOST_PER_SECOND:
        raise RequestError(
            f"got {requests_per_second} requests per second; expected a number above 0, at most "
            f"{MOST_PER_SECOND:,.0f}"
        )
    if at_once is not None and not 1 <= at_once <= MOST_AT_ONCE:
        raise RequestError(
            f"got {at_once} requests at once; expected 1 or more, at most {MOST_AT_ONCE:,}"
        )
