"""What a conversation with a host consists of, whether somebody waits or awaits.

A conversation is a generator: it yields what is to be done next, gets what came of it, and returns
its result. It never sends anything itself, so the same one serves callers that wait and callers
that await; only who does the steps differs (see `doing`).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeAlias, TypeVar, cast

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Call:
    """A request, as it is sent each time that it is tried.

    Attributes:
        method: of HTTP.
        path: with its query, below the address of the host.
        headers: besides the key.
        content: the body.
    """

    method: str
    path: str
    headers: Mapping[str, bytes] = field(default_factory=dict)
    content: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back, whole.

    Attributes:
        status: of HTTP.
        headers: names in lower case.
        content: the body.
    """

    status: int
    headers: Mapping[str, str]
    content: bytes = field(repr=False)


class Broken(Exception):  # noqa: N818 - never leaves this package
    """A call without a whole reply; `retrying` makes an error for the caller of it.

    Attributes:
        reason: what happened, for people.
        may_retry: whether it could go well the next time.
        is_late: whether the time was up.
        hint: what to do about it; "" where that is not known.
    """

    def __init__(
        self, reason: str, *, may_retry: bool = True, is_late: bool = False, hint: str = ""
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.may_retry = may_retry
        self.is_late = is_late
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Send:
    """Send a call once, and give its `Reply` or raise `Broken` within so many seconds."""

    call: Call
    seconds: float


@dataclass(frozen=True, slots=True)
class Pause:
    """Let so many seconds pass."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Work(Generic[Result]):
    """Call a function that takes a while (files, pixels), and give its result."""

    function: Callable[[], Result]


Step: TypeAlias = Send | Pause | Work[object]
Talk: TypeAlias = Generator[Step, object, Result]


def send(call: Call, seconds: float) -> Talk[Reply]:
    """One try of a call.

    Raises:
        Broken: there is no whole reply.
    """
    reply = yield Send(call, seconds)
    assert isinstance(reply, Reply)
    return reply


def work(function: Callable[[], Result]) -> Talk[Result]:
    """The result of a function that takes a while."""
    return cast(Result, (yield Work(function)))
