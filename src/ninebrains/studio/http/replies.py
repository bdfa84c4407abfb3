"""Bodies in and out: JSON, with every field of a request checked."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import Response

from ninebrains.errors import (
    AccessError,
    ExtraError,
    HostError,
    MissingError,
    NinebrainsError,
    OutputError,
    OverloadError,
    PhotoError,
    RequestError,
)

if TYPE_CHECKING:
    from starlette.requests import Request

MOST_PHOTOS = 1_000_000
_STATUSES: dict[type[NinebrainsError], int] = {
    PhotoError: 400,
    MissingError: 404,
    OverloadError: 429,
    ExtraError: 501,
    HostError: 502,
    OutputError: 507,
}
_log = logging.getLogger("ninebrains.studio")
_Value = TypeVar("_Value")


def reply(value: object, status: int = 200) -> Response:
    """JSON of plain values and numpy arrays."""
    body = orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)
    return Response(body, status, {"cache-control": "no-store"}, "application/json")


async def respond(request: Request, error: Exception) -> Response:
    """Answer a request that failed, in a sentence for people."""
    if isinstance(error, HTTPException):
        sentence = {404: "there is nothing here", 405: "this cannot be done here"}
        told = sentence.get(error.status_code, str(error.detail))
        return reply({"error": told}, error.status_code)
    if isinstance(error, NinebrainsError):
        return reply({"error": str(error)}, _status(error))
    _log.error("internal at %s", str(request.scope["path"])[:200], exc_info=error)
    told = "something went wrong in the studio itself; the terminal it runs in says more"
    return reply({"error": told}, 500)


def _status(error: NinebrainsError) -> int:
    if isinstance(error, RequestError):
        return error.status
    if isinstance(error, AccessError):
        return 403 if error.is_known else 401
    # What is raised on purpose can be mended by whoever asked.
    return next((status for kind, status in _STATUSES.items() if isinstance(error, kind)), 422)


HANDLERS: dict[type[Exception], Callable[[Request, Exception], Awaitable[Response]]] = (
    dict.fromkeys((NinebrainsError, HTTPException, Exception), respond)
)


async def in_thread(work: Callable[..., _Value], *values: object) -> _Value:
    """Do something that reads files or computes, beside other requests."""
    return await run_in_threadpool(work, *values)


async def fields_of(request: Request, **kinds: type | tuple[type, ...]) -> dict[str, Any]:
    """The fields of a JSON body; those that may be left out have None among their kinds.

    Raises:
        RequestError: a field is missing, unknown, or of another kind.
    """
    try:
        plain = orjson.loads(await request.body() or b"{}")
    except orjson.JSONDecodeError as error:
        raise RequestError(f"the body is no JSON: {error}") from error
    if not isinstance(plain, Mapping):
        raise RequestError("the body is no JSON object")
    unknown = sorted(set(plain) - set(kinds))
    if unknown:
        raise RequestError(f"there is no field {unknown[0][:40]!r} here; expected {sorted(kinds)}")
    found = {}
    for name, kind in kinds.items():
        value = plain.get(name)
        allowed = kind if isinstance(kind, tuple) else (kind,)
        # In Python a truth value is a number too; for us it is none.
        if not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed):
            words = " or ".join("null" if one is type(None) else one.__name__ for one in allowed)
            raise RequestError(f"{name} is {words}, not {type(value).__name__}")
        found[name] = value
    return found


def ids_in(value: object, most: int = MOST_PHOTOS) -> list[int]:
    """Numbers of photos.

    Raises:
        RequestError: they are none.
    """
    if not isinstance(value, list) or len(value) > most or not all(map(_is_number, value)):
        raise RequestError(f"ids are a list of at most {most:,} numbers of photos")
    return value


def _is_number(value: object) -> bool:
    return type(value) is int and 0 < value < 2**53


def number_in(request: Request, name: str = "id") -> int:
    """A number in the path of a request.

    Raises:
        RequestError: it is too large.
    """
    value = int(request.path_params[name])
    if not value < 2**53:
        raise RequestError(f"there is nothing with the number {value}", 404)
    return value


def query_number(request: Request, name: str, default: int | None = None) -> int | None:
    """A number in the query of a request, or `default`.

    Raises:
        RequestError: it is none.
    """
    text = request.query_params.get(name)
    if text is None or text == "":
        return default
    if not text.isdecimal() or len(text) > 15:
        raise RequestError(f"{name} is a number, not {text[:20]!r}")
    return int(text)
