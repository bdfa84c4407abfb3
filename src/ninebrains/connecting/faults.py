"""What a host says went wrong, as the error that it would have been here."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ninebrains.connecting.steps import Broken, Reply
from ninebrains.errors import (
    AccessError,
    BrainError,
    ClosedError,
    DeadlineError,
    HostError,
    MissingError,
    NinebrainsError,
    OutputError,
    OverloadError,
    PhotoError,
    RequestError,
)

_KINDS: dict[str, Callable[[str], NinebrainsError]] = {
    "photo": PhotoError,
    "request": RequestError,
    "missing": MissingError,
    "access": AccessError,
    "overload": OverloadError,
    "deadline": DeadlineError,
    "closed": ClosedError,
    "storage": OutputError,
    "brain": BrainError,
}
_MOST_SHOWN = 200
_MISREAD = (
    AssertionError,
    AttributeError,
    LookupError,
    OverflowError,
    RecursionError,
    TypeError,
    ValueError,
)


def error_in_place(plain: object, url: str) -> NinebrainsError:
    """The error that stands in the place of an answer among others.

    Raises:
        HostError: it is of no form that we know.
    """
    with understood(url):
        assert isinstance(plain, dict)
        code, message = plain["code"], str(plain["message"])
        return _KINDS.get(code, HostError)(message)


def error_of(reply: Reply, url: str) -> NinebrainsError:
    """The error that a reply stands for whose status is not 200."""
    try:
        told = json.loads(reply.content)["error"]
        code, message = str(told["code"]), str(told["message"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return _nonsense(reply, url)
    if code == "request":
        return RequestError(message, reply.status)
    if code == "access":
        return AccessError(message, is_known=reply.status == 403)
    if code == "overload":
        return OverloadError(message, retry_seconds=retry_seconds(reply) or None)
    if code in _KINDS:
        return _KINDS[code](message)
    return HostError(f"the host at {url} failed: {message} (request {told.get('request_id')})")


def retry_seconds(reply: Reply) -> float:
    """How long a reply asks us to wait before we ask again; 0 where it does not say."""
    try:
        seconds = float(reply.headers.get("retry-after", "0"))
    except ValueError:
        return 0.0  # a date, which our hosts do not send; our own pauses are sensible, too
    return seconds if math.isfinite(seconds) and seconds > 0 else 0.0


def cannot_reach(url: str, broken: Broken) -> HostError:
    """A host that cannot be reached, or that breaks off."""
    hint = broken.hint or (
        "Is it running (ninebrains serve), and are the address and the port right?"
    )
    return HostError(f"cannot talk to the host at {url}: {broken.reason}. {hint}")


@contextmanager
def understood(url: str) -> Iterator[None]:
    """Turn what goes wrong in reading a reply into one error: it is no host of ours.

    Raises:
        HostError: in place of errors about values and types.
    """
    try:
        yield
    except _MISREAD as error:
        raise HostError(
            f"the host at {url} answers what this version does not understand "
            f"({type(error).__name__}: {str(error)[:_MOST_SHOWN]}). Is it a Ninebrains host, of "
            "about the same version?"
        ) from error


def _nonsense(reply: Reply, url: str) -> HostError:
    beginning = reply.content[:_MOST_SHOWN].decode(errors="replace")
    shown = "".join(sign if sign.isprintable() else " " for sign in beginning)
    moved = reply.headers.get("location")
    where = f" and points to {moved[:_MOST_SHOWN]}" if moved else ""
    return HostError(
        f"{url} answers with status {reply.status}{where}, which is not how a Ninebrains host "
        f"speaks: {shown!r}. Is this the address of the host itself, and is what stands before it "
        "(a proxy, a load balancer) well?"
    )
