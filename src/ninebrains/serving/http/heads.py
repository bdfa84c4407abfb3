"""What the head of a request says: its id, its key, who asks, and whether a body follows."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from ninebrains.errors import RequestError
from ninebrains.serving.asking import Asker

if TYPE_CHECKING:
    from starlette.types import Scope

MOST_SHOWN = 200
"""How many characters of what a client sent are shown again."""

_ID_LETTERS = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:-"
_MOST_ID = 128
_MOST_HEADERS = 100
_MOST_USER = 256
_PRIVATE = ("authorization", "x-api-key", "cookie", "proxy-authorization", "x-user-key")
_TRUTH = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off", ""), False),
}


def request_id(head: Mapping[bytes, bytes]) -> str:
    """The id that came with a request, if it may go into a log as it is; else a new one."""
    given = head.get(b"x-request-id", b"")
    if 0 < len(given) <= _MOST_ID and not given.translate(None, _ID_LETTERS):
        return given.decode()
    return os.urandom(8).hex()


def announces_body(scope: Scope, head: Mapping[bytes, bytes]) -> bool:
    """Whether a body may follow."""
    length = head.get(b"content-length")
    if length is not None:
        return length != b"0"
    if b"transfer-encoding" in head:
        return True
    is_older: bool = scope["http_version"].startswith("1")
    return not is_older and scope["method"] not in {"GET", "HEAD"}


def check_size(scope: Scope, most_bytes: int) -> None:
    """See that the head is no flood.

    Raises:
        RequestError: it has too many or too large headers, or too long a URL.
    """
    headers = scope["headers"]
    if len(headers) > _MOST_HEADERS:
        raise RequestError(f"got {len(headers)} headers; expected at most {_MOST_HEADERS}", 431)
    num_bytes = sum([len(name) + len(value) for name, value in headers])
    if num_bytes > most_bytes:
        raise RequestError(
            f"got headers of {num_bytes:,} bytes; expected at most {most_bytes:,}", 431
        )
    num_bytes = len(scope["path"]) + len(scope["query_string"])
    if num_bytes > most_bytes:
        raise RequestError(
            f"got a URL of {num_bytes:,} bytes; expected at most {most_bytes:,}", 414
        )


def presented_key(head: Mapping[bytes, bytes]) -> bytes | None:
    """The key that came with a request, which may be none of ours; None if none came."""
    header = head.get(b"authorization")
    if header is not None:
        kind, _space, key = header.partition(b" ")
        return key.strip() if kind.lower() == b"bearer" else header
    return head.get(b"x-api-key")


def asker(scope: Scope, head: Mapping[bytes, bytes]) -> Asker:
    """Who asks; what the query says of them goes before the headers.

    Raises:
        RequestError: the consent is neither yes nor no, or the user's key is too long.
    """
    user = _text(head.get(b"x-user-key", b""))
    consent = head.get(b"x-consent", b"").decode("latin-1")
    query = scope["query_string"]
    if b"user=" in query or b"consent=" in query:
        found = dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True))
        user, consent = found.get("user", user), found.get("consent", consent)
    if len(user) > _MOST_USER:
        raise RequestError(
            f"got {len(user)} characters as the key of a user; expected at most {_MOST_USER}"
        )
    is_agreed = _TRUTH.get(consent.strip().lower())
    if is_agreed is None:
        raise RequestError(f"got {consent[:40]!r} as consent; expected 'true' or 'false'")
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    for name in _PRIVATE:
        headers.pop(name, None)
    return Asker(user, headers, is_agreed)


def _text(value: bytes) -> str:
    """A header's text: UTF-8 as most send it, else Latin-1 as HTTP has it."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
