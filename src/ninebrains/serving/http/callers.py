"""Who makes a request: what the guard found out, for the routes that answer.

    from ninebrains.serving.http.callers import caller_of

    async def infer(request: Request) -> Response:
        caller = caller_of(request)
        answers = await host.answer(photo, wanted, caller.asker)
        caller.brains = wanted          # for the access log

The guard has checked the key and its scope by then; it took the user and the consent from the
headers `X-User-Key` and `X-Consent`, or from `user` and `consent` in the query. A body that names
them goes before: `caller.asker_with(user=…, consent=…)`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ninebrains.serving.asking import Asker

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection
    from starlette.types import Scope as Connection

    from ninebrains.serving.settings import Scope

PLACE = "ninebrains"
"""Where the guard leaves the caller in the ASGI scope."""

_NOBODY = Asker()


@dataclass(slots=True)
class Caller:
    """Who makes a request, and what the log should know of it.

    Attributes:
        request_id: names this request in the reply and in the log.
        key: name of the API key, "" for a caller without one.
        scopes: what the key allows, or what anybody may do.
        asker: user, consent and headers (without keys and cookies).
        brains: the names that were asked for; a route fills it in for the access log.
        is_told: whether the log has been told why the request failed.
    """

    request_id: str
    key: str = ""
    scopes: frozenset[Scope] = frozenset()
    asker: Asker = _NOBODY
    brains: Sequence[str] = ()
    is_told: bool = False

    def asker_with(self, user: str | None = None, consent: bool | None = None) -> Asker:
        """The asker, where the body of the request says more of them."""
        asker = self.asker
        if user is not None:
            asker = replace(asker, user=user)
        return asker if consent is None else replace(asker, consent=consent)


def caller_of(request: HTTPConnection) -> Caller:
    """The caller of a request; an unknown one where no guard stands before the routes."""
    return in_scope(request.scope)


def in_scope(scope: Connection) -> Caller:
    """The caller that an ASGI scope holds."""
    found = scope.get(PLACE)
    return found if isinstance(found, Caller) else Caller("")
