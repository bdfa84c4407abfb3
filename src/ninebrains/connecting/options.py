"""What a call to a host may be told, and how it travels."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypedDict

from ninebrains.errors import RequestError
from ninebrains.mind.scheduling.tickets import Priority

OnError = Literal["raise", "keep"]

_MOST_USER = 256


class Options(TypedDict, total=False):
    """What else `run`, `submit` and `answer` may be told; see `RemoteHost.run`."""

    heatmaps: bool
    features: bool
    deadline_ms: float | None
    priority: Priority
    on_error: OnError
    user: str | None
    consent: bool | None


def names_of(brains: str | Iterable[str] | None) -> tuple[str, ...] | None:
    """Names of brains, each once.

    Raises:
        RequestError: one is no name.
    """
    if brains is None:
        return None
    names = tuple(dict.fromkeys((brains,) if isinstance(brains, str) else brains))
    for name in names:
        if not isinstance(name, str) or not name.strip() or "," in name:
            raise RequestError(
                f"{name!r} is no name of a brain; expected such as 'pets' or 'pets@3'"
            )
    if not names:
        raise RequestError("got no names of brains; expected one at least, or None for all")
    return names


def user_header(user: str) -> bytes:
    """A user's key as it travels.

    Raises:
        RequestError: it cannot be sent.
    """
    if not isinstance(user, str) or len(user) > _MOST_USER or not user.isprintable():
        raise RequestError(f"user is no text of up to {_MOST_USER} printable characters")
    if user != user.strip():
        raise RequestError("user begins or ends with a space; hosts would not know it again")
    return user.encode()
