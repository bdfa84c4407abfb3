"""Who may use a studio: whoever opened the one-time address, or gave the password."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
import threading
import time
from collections import deque

from ninebrains.errors import AccessError, OverloadError
from ninebrains.studio.store.database import Database
from ninebrains.studio.store.settings import read_setting, write_setting

LASTS_SECONDS = 7 * 24 * 3600
_SCRYPT_COST = 2**14  # 16 MiB and a twentieth of a second for each attempt
_MOST_WRONG = 5
"""Wrong passwords of one client within a minute, then it waits."""
_MOST_WRONG_OF_ALL = 200
"""Likewise of everybody together, against guessing from many addresses."""
_WRONG_SECONDS = 60.0
_MOST_SESSIONS = 100
_MOST_TOKENS = 20


class Sessions:
    """Tokens, passwords and cookies of a studio. Only hashes of cookies are kept.

    Args:
        database: sessions outlive the process there: a page that is open goes on after a restart.
        password: that people sign in with, where the studio is shared.
    """

    def __init__(self, database: Database, password: str | None = None) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._tokens: dict[str, None] = {}  # the oldest first
        self._salt = secrets.token_bytes(16)
        self._password = None if password is None else self._hash(password)
        self._wrong: deque[tuple[float, str]] = deque(maxlen=_MOST_WRONG_OF_ALL)
        with database.writing() as connection:
            kept = {} if password else read_setting(connection, "sessions", {})
            self._sessions = {key: end for key, end in kept.items() if end > time.time()}
            write_setting(connection, "sessions", self._sessions)

    @property
    def has_password(self) -> bool:
        """Whether people can sign in with a password."""
        return self._password is not None

    def new_token(self) -> str:
        """A token that opens the studio once."""
        token = secrets.token_urlsafe(24)
        with self._lock:
            while len(self._tokens) >= _MOST_TOKENS:
                del self._tokens[next(iter(self._tokens))]
            self._tokens[_digest(token)] = None
        return token

    def spend(self, token: str) -> str:
        """Give a new session for a token, which is void then.

        Raises:
            AccessError: it is void already, or never was one.
        """
        with self._lock:
            if _digest(token) not in self._tokens:
                raise AccessError(
                    "this address was used before, or is of an earlier start. Open the one that "
                    "the terminal shows now, or have a new one made on the page that is open."
                )
            del self._tokens[_digest(token)]
        return self._begin()

    def sign_in(self, password: str, client: str = "") -> str:
        """Give a new session for the password.

        Args:
            password: as somebody typed it.
            client: address that it comes from.

        Raises:
            AccessError: it is wrong.
            OverloadError: too many were wrong within a minute, from there or from everywhere.
        """
        network = _network_of(client)
        with self._lock:
            now = time.monotonic()
            self._check_patience(now, network)
            is_right = self._password is not None and hmac.compare_digest(
                self._password, self._hash(password)
            )
            if not is_right:
                self._wrong.append((now, network))
                raise AccessError("this is not the password of this studio")
        return self._begin()

    def _check_patience(self, now: float, network: str) -> None:
        while self._wrong and now - self._wrong[0][0] >= _WRONG_SECONDS:
            self._wrong.popleft()
        own = sum(one == network for _, one in self._wrong)
        if own >= _MOST_WRONG or len(self._wrong) >= _MOST_WRONG_OF_ALL:
            raise OverloadError("too many wrong passwords; wait a minute, then try again")

    def knows(self, session: str | None) -> bool:
        """Whether a cookie is that of a session."""
        if not session:
            return False
        with self._lock:
            return bool(self._sessions.get(_digest(session), 0.0) > time.time())

    def _begin(self) -> str:
        session = secrets.token_urlsafe(32)
        with self._lock:
            self._sessions[_digest(session)] = time.time() + LASTS_SECONDS
            while len(self._sessions) > _MOST_SESSIONS:
                self._sessions.pop(next(iter(self._sessions)))
            kept = dict(self._sessions)
        with self._database.writing() as connection:
            write_setting(connection, "sessions", kept)
        return session

    def _hash(self, password: str) -> bytes:
        data = password.encode(errors="surrogatepass")
        return hashlib.scrypt(data, salt=self._salt, n=_SCRYPT_COST, r=8, p=1)


def _network_of(client: str) -> str:
    """Whose address it is: in IPv6 a home or an office has 2**64 of them.

    >>> _network_of("2001:db8:1:2:3:4:5:6"), _network_of("10.0.0.7")
    ('2001:db8:1:2::/64', '10.0.0.7')
    """
    try:
        address = ipaddress.ip_address(client)
    except ValueError:
        return client
    if isinstance(address, ipaddress.IPv4Address):
        return client
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((int(address) >> 64 << 64, 64)))


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()
