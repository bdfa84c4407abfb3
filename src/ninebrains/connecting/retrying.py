"""Asking until there is an answer, where asking again is safe, and never after the deadline.

All that this package asks for may be asked twice: an inference changes nothing, and feedback on one
prediction counts once. What may pass by itself is tried again: a connection that is refused or
breaks, and a host that says that it is busy (429) or about to end (503). The pauses double, are
spread by chance so that many clients do not come back at once, and are never shorter than the host
asks for (`Retry-After`).
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass

from ninebrains.connecting.faults import cannot_reach, error_of, retry_seconds
from ninebrains.connecting.steps import Broken, Call, Pause, Reply, Talk, send
from ninebrains.errors import DeadlineError, HostError, NinebrainsError

_PASSING = frozenset({429, 502, 503})
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one call of the user may take, with all that it needs.

    Attributes:
        url: of the host, for messages.
        ends: when it is over, by `time.monotonic`.
        seconds: how long that was in the beginning.
        deadline_ms: as the user named it; None where `seconds` is our own limit.
        retries: how often to try again.
        waits_for_room: whether a busy host does not count as a try.
    """

    url: str
    ends: float
    seconds: float
    deadline_ms: float | None
    retries: int
    waits_for_room: bool = False

    @classmethod
    def of(
        cls,
        url: str,
        deadline_ms: float | None,
        timeout: float,
        retries: int,
        *,
        waits_for_room: bool = False,
    ) -> Patience:
        """Beginning now.

        Raises:
            DeadlineError: the deadline makes no sense.
        """
        if deadline_ms is not None and not 0 < deadline_ms < float("inf"):
            raise DeadlineError(f"deadline_ms is {deadline_ms}; expected a number above 0")
        seconds = timeout if deadline_ms is None else deadline_ms / 1000
        ends = time.monotonic() + seconds
        return cls(url, ends, seconds, deadline_ms, retries, waits_for_room)

    @property
    def left(self) -> float:
        """Seconds that are left."""
        return self.ends - time.monotonic()

    def over(self) -> NinebrainsError:
        """What to raise when the time is up."""
        if self.deadline_ms is not None:
            return DeadlineError(
                f"the host at {self.url} gave no answer within {self.deadline_ms:g} ms. Allow more "
                "time, or ask when less is going on."
            )
        return HostError(
            f"the host at {self.url} gave no answer within {self.seconds:g} s. Is it overloaded, "
            "or does something on the way hold the connection? Allow more with timeout=."
        )


def asked(call: Call, patience: Patience) -> Talk[Reply]:
    """The reply to a call that went well, after as many tries as it takes.

    Raises:
        NinebrainsError: what the host says, as the same class as it would be here.
        DeadlineError: the user's deadline has passed.
        HostError: it cannot be reached, is late, or answers nonsense.
    """
    tries = 0
    while True:
        left = patience.left
        if left <= 0:
            raise patience.over()
        error: NinebrainsError
        at_least = 0.0
        try:
            reply = yield from send(_with_deadline(call, patience, left), left)
        except Broken as broken:
            if broken.is_late and patience.left <= 0.001:
                raise patience.over() from broken
            error, may_pass, is_busy = cannot_reach(patience.url, broken), broken.may_retry, False
            error.__cause__ = broken.__cause__
        else:
            if reply.status == 200:
                return reply
            error = error_of(reply, patience.url)
            may_pass, is_busy = reply.status in _PASSING, reply.status == 429
            at_least = retry_seconds(reply)
        pause = max(_pause(tries), at_least)
        tries += not (is_busy and patience.waits_for_room)
        if not may_pass or tries > patience.retries or pause >= patience.left:
            raise error
        yield Pause(pause)


def _with_deadline(call: Call, patience: Patience, left: float) -> Call:
    """The host is told what is left of the deadline, so that it does not work for nothing."""
    if patience.deadline_ms is None or not call.path.startswith("/infer"):
        return call
    told = f"{max(left * 1000, 0.001):.3f}".encode()
    return Call(call.method, call.path, {**call.headers, "X-Deadline-Ms": told}, call.content)


def _pause(tries: int) -> float:
    longest = min(_FIRST_PAUSE * 2.0 ** min(tries, 10), _LONGEST_PAUSE)
    return random.uniform(longest / 2, longest)  # noqa: S311 - no secret
