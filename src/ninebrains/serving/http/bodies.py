"""Bodies of requests: what they claim to be, read whole within a limit, and JSON without bombs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import lru_cache
from typing import Literal

import numpy as np
import orjson
from starlette.types import Receive, Scope

from ninebrains.errors import RequestError

Kind = Literal["photo", "form", "json"]
Json = dict[str, object] | list[object] | str | int | float | bool | None

MOST_VALUES = 10_000
"""In a JSON body whose photos are single strings: numbers, lists and objects, all together."""

MOST_TEXTS = 2**15
"""In any JSON body: strings and the names of an object's values, all together."""

_BLOCK_BYTES = 2**18
_LARGE_BYTES = 4 * 2**20
"""From here on memory goes back to the operating system; see `give_back_large_blocks`."""

# Programs that know nothing about a file name it so; curl --data-binary says it is a form.
_PHOTO_TYPES = frozenset(
    {"", "application/octet-stream", "binary/octet-stream", "application/x-www-form-urlencoded"}
)


def content_type(scope: Scope) -> str:
    """What the body claims to be, as it was sent; "" where nothing was said."""
    for name, value in scope["headers"]:
        if name == b"content-type":
            return str(value, "latin-1")
    return ""


@lru_cache(maxsize=256)
def kind_of(content_type: str) -> Kind:
    """How a body that holds photos is to be read.

    Raises:
        RequestError: it is none that can hold photos (415).
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind in _PHOTO_TYPES or kind.startswith("image/"):
        return "photo"
    if kind == "multipart/form-data":
        return "form"
    if kind == "application/json":
        return "json"
    raise RequestError(
        f"got a body of type {kind[:100]!r}; expected a photo (image/… or "
        "application/octet-stream), multipart/form-data or application/json",
        415,
    )


async def chunks(receive: Receive, limit: int) -> AsyncIterator[bytes]:
    """The pieces of a body as they come.

    Args:
        receive: of the request.
        limit: bytes of the whole body at most.

    Raises:
        RequestError: there are more (413), or the sender hung up.
    """
    size, is_more = 0, True
    while is_more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RequestError("the body ended before it was whole")
        chunk: bytes = message.get("body", b"")
        is_more = message.get("more_body", False)
        size += len(chunk)
        if size > limit:
            raise too_large(limit)
        if chunk:
            yield chunk


async def read_body(receive: Receive, limit: int) -> bytes:
    """A whole body; mostly it comes in one piece, which is not copied.

    Raises:
        RequestError: it has more than `limit` bytes (413), or the sender hung up.
    """
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body", False):
        body: bytes = message.get("body", b"")
        if len(body) > limit:
            raise too_large(limit)
        return body
    first, is_first = message, True

    async def again() -> dict[str, object]:
        nonlocal is_first
        if is_first:
            is_first = False
            return dict(first)
        return dict(await receive())

    whole, pieces, size = [], [], 0
    async for chunk in chunks(again, limit):
        pieces.append(chunk)
        size += len(chunk)
        if size >= _LARGE_BYTES:
            whole.append(b"".join(pieces))
            pieces, size = [], 0
    return b"".join((*whole, *pieces))


def too_large(limit: int) -> RequestError:
    """What a body over the limit gets."""
    return RequestError(
        f"the body has more than {limit:,} bytes, which is the limit here; send fewer or smaller "
        "photos",
        413,
    )


def read_json(body: bytes, most_values: int = MOST_VALUES, advice: str = "") -> Json:
    """A JSON body as plain values.

    A few megabytes of `[[],[],…` become gigabytes of lists, so values are counted before any is
    made. Strings may be as long as they are.

    Args:
        body: JSON in UTF-8.
        most_values: numbers, lists and objects that it may hold, all together.
        advice: what to do where it holds more.

    Raises:
        RequestError: it is no JSON, is nested too deeply, or holds more values (413).
    """
    if _has_more(body, b",[{", most_values):
        raise RequestError(
            f"the JSON body holds more than {most_values:,} values, which is the limit here"
            f"{advice and '; '}{advice}",
            413,
        )
    if _has_more(body, b'"', 2 * MOST_TEXTS):
        raise RequestError(
            f"the JSON body holds more than {MOST_TEXTS:,} names and texts, which is the limit "
            "here; send several requests",
            413,
        )
    try:
        found: Json = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise RequestError(f"the body is no JSON: {error}") from error
    return found


def _has_more(body: bytes, marks: bytes, most: int) -> bool:
    """Whether so many of these bytes are in a body, as fast as memory is read.

    Other threads run meanwhile, which they do not while `bytes.count` works.
    """
    if len(body) <= most:
        return False
    count, found = 0, np.frombuffer(body, np.uint8)
    for start in range(0, len(found), _BLOCK_BYTES):
        block = found[start : start + _BLOCK_BYTES]
        count += sum(int(np.count_nonzero(block == mark)) for mark in marks)
        if count > most:
            return True
    return False
