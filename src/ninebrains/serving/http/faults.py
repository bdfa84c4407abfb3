"""What a client is told when something goes wrong: the status, a code, and a message.

Our own routes answer `{"error": {"code", "message", "request_id"}}`; those under `/v1` and `/v2`
answer `{"error": message}`, as clients of those protocols expect.

    | error                          | status | code     |
    |--------------------------------|--------|----------|
    | PhotoError                     | 400    | photo    |
    | RequestError                   | its own| request  |
    | DataError, SettingsError       | 400    | request  |
    | AccessError                    | 401 without a known key, 403 with one | access |
    | MissingError                   | 404    | missing  |
    | OverloadError                  | 429    | overload |
    | ClosedError                    | 503    | closed   |
    | DeadlineError                  | 504    | deadline |
    | OutputError                    | 507    | storage  |
    | BrainError                     | 500; 422 where a brain is being put up | brain |
    | anything else                  | 500    | internal |
"""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from ninebrains.errors import (
    AccessError,
    BrainError,
    ClosedError,
    DataError,
    DeadlineError,
    MissingError,
    NinebrainsError,
    OutputError,
    OverloadError,
    PhotoError,
    RequestError,
    SettingsError,
)
from ninebrains.serving.http.callers import caller_of
from ninebrains.serving.http.heads import MOST_SHOWN
from ninebrains.serving.seldom import Seldom

_log = logging.getLogger("ninebrains.serving")
_no_room = Seldom(_log, logging.ERROR)

_KINDS: tuple[tuple[type[NinebrainsError], int, str], ...] = (
    (PhotoError, 400, "photo"),
    (RequestError, 400, "request"),
    (DataError, 400, "request"),
    (SettingsError, 400, "request"),
    (AccessError, 401, "access"),
    (MissingError, 404, "missing"),
    (OverloadError, 429, "overload"),
    (ClosedError, 503, "closed"),
    (DeadlineError, 504, "deadline"),
    (OutputError, 507, "storage"),
    (BrainError, 500, "brain"),
)
_CODES = {404: "missing", 401: "access", 403: "access", 429: "overload", 503: "closed"}
_PUTTING_UP = ("/admin/", "/v2/repository/")
_RETRY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Fault:
    """What a client is told.

    Attributes:
        status: of HTTP.
        code: a word for programs.
        message: for people.
        headers: that go with it, names in lower case.
    """

    status: int
    code: str
    message: str
    headers: Mapping[str, str] = field(default_factory=dict)

    def body(self, path: str, request_id: str) -> bytes:
        """The JSON that the clients of a path expect."""
        if is_protocol(path):
            return orjson.dumps({"error": self.message})
        error = {"code": self.code, "message": self.message, "request_id": request_id}
        return orjson.dumps({"error": error})


def status_of(error: NinebrainsError) -> int:
    """The HTTP status that says what went wrong."""
    if isinstance(error, RequestError):
        return error.status
    if isinstance(error, AccessError) and error.is_known:
        return 403
    return next((status for kind, status, _code in _KINDS if isinstance(error, kind)), 500)


def code_of(error: NinebrainsError) -> str:
    """The word that says what went wrong."""
    return next((code for kind, _status, code in _KINDS if isinstance(error, kind)), "internal")


def is_protocol(path: str) -> bool:
    """Whether a path belongs to a protocol that others made, which has a form of its own."""
    return path.startswith(("/v1/", "/v2/")) or path in {"/v1", "/v2"}


def fault_of(error: Exception, path: str = "") -> Fault:
    """What to tell of an error; of one that nobody expected, only that there was one."""
    if isinstance(error, NinebrainsError):
        status = status_of(error)
        if isinstance(error, BrainError) and path.startswith(_PUTTING_UP):
            status = 422
        return Fault(status, code_of(error), str(error), _headers(error, status))
    if isinstance(error, HTTPException):
        return _of_starlette(error, path)
    return Fault(
        500,
        "internal",
        "something went wrong here that is not the request's fault; the host's log says more "
        "under this request's id",
    )


async def respond(request: Request, error: Exception) -> Response:
    """Answer a request that failed. Faults of the host go to its log."""
    path = request.url.path
    fault = fault_of(error, path)
    request_id = caller_of(request).request_id
    if fault.status in {500, 507}:
        tell(error, fault, {"request_id": request_id, "path": path})
    return Response(
        fault.body(path, request_id), fault.status, dict(fault.headers), "application/json"
    )


def tell(error: Exception, fault: Fault, extra: Mapping[str, object]) -> None:
    """Tell the log of a fault of the host, with its trace.

    A full disk needs none, and would fill the log: of that there is one line in a while.
    """
    if fault.status == 507:
        _no_room.tell(f"{fault.code}: {error}", extra)
    else:
        _log.error("%s", fault.code, exc_info=error, extra=extra)


Handler = Callable[[Request, Exception], Awaitable[Response]]
HANDLERS: dict[type[Exception], Handler] = dict.fromkeys(
    (NinebrainsError, HTTPException, Exception), respond
)
"""For Starlette and FastAPI applications behind the guard."""


def _headers(error: NinebrainsError, status: int) -> dict[str, str]:
    if status == 401:
        return {"www-authenticate": "Bearer"}
    if status in {429, 503}:
        known = error.retry_seconds if isinstance(error, OverloadError) else None
        return {"retry-after": str(max(1, math.ceil(known or _RETRY_SECONDS)))}
    return {}


def _of_starlette(error: HTTPException, path: str) -> Fault:
    """What Starlette itself finds wrong."""
    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    code = _CODES.get(error.status_code, "request" if error.status_code < 500 else "internal")
    if error.status_code == 404 and error.detail == "Not Found":
        message = f"there is nothing at {path[:MOST_SHOWN]}; see /docs for what there is"
    elif error.status_code == 405:
        expected = headers.get("allow", "another method")
        message = f"{path[:MOST_SHOWN]} does not take this method; expected {expected}"
    else:
        message = str(error.detail)
    return Fault(error.status_code, code, message, headers)
