"""`/feedback`: what people say about answers; and, for administrators, what came together."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ninebrains.errors import RequestError
from ninebrains.serving.host import Host
from ninebrains.serving.http.bodies import read_body, read_json
from ninebrains.serving.http.callers import caller_of
from ninebrains.serving.http.feedback_schema import describe

__all__ = ["describe", "routes"]

_MOST_BYTES = 16 * 2**10
_MOST_USER = 256
_FIELDS = frozenset({"prediction_id", "rank", "label", "none", "user"})


def routes(host: Host) -> list[Route]:
    """The routes of this module."""

    async def give(request: Request) -> Response:
        said = await _object(request, _FIELDS)
        prediction = _text(said, "prediction_id")
        if prediction is None:
            raise RequestError("prediction_id is missing; expected that of an answer, unchanged")
        stored = await asyncio.to_thread(
            host.feedback.give,
            prediction,
            rank=_rank(said),
            label=_text(said, "label"),
            none=_flag(said, "none"),
            user=_user(said) or caller_of(request).asker.user,
        )
        told = {"stored": True, "confirmed": stored.is_confirmed, "kept_photo": stored.has_photo}
        return _reply(told)

    async def forget(request: Request) -> Response:
        user = _user(await _object(request, frozenset({"user"})))
        return _reply(await asyncio.to_thread(host.feedback.forget, user))

    async def stats(_request: Request) -> Response:
        return _reply(await asyncio.to_thread(host.feedback.stats))

    return [
        Route("/feedback", give, methods=["POST"]),
        Route("/feedback/forget", forget, methods=["POST"]),
        Route("/feedback/stats", stats, methods=["GET"]),
    ]


def _reply(told: Mapping[str, object]) -> Response:
    return Response(orjson.dumps(told), media_type="application/json")


async def _object(request: Request, fields: frozenset[str]) -> Mapping[str, object]:
    body = read_json(await read_body(request.receive, _MOST_BYTES))
    expected = f"a JSON object with {', '.join(sorted(fields))}"
    if not isinstance(body, dict):
        raise RequestError(f"the body is no object; expected {expected}")
    strange = next((name for name in body if name not in fields), None)
    if strange is not None:
        raise RequestError(f"unknown field {strange[:100]!r}; expected {expected}")
    return body


def _text(said: Mapping[str, object], name: str) -> str | None:
    value = said.get(name)
    if value is not None and not isinstance(value, str):
        raise RequestError(f"{name} is {str(value)[:100]!r}; expected a text")
    return value


def _user(said: Mapping[str, object]) -> str:
    user = _text(said, "user") or ""
    if len(user) > _MOST_USER:
        raise RequestError(f"user has {len(user)} characters; expected {_MOST_USER} at most")
    return user


def _rank(said: Mapping[str, object]) -> int | None:
    value = said.get("rank")
    if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
        raise RequestError(f"rank is {str(value)[:100]!r}; expected 1 for the top label, 2, 3, …")
    return value


def _flag(said: Mapping[str, object], name: str) -> bool:
    value = said.get(name)
    if value is not None and not isinstance(value, bool):
        raise RequestError(f"{name} is {str(value)[:100]!r}; expected true or false")
    return bool(value)
