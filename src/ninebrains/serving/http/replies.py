"""Sending a reply whose body is whole, without layers in between."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from starlette.types import Send


async def send_json(send: Send, told: object, status: int = 200) -> None:
    """Send plain values and numpy arrays as JSON."""
    body = orjson.dumps(told, option=orjson.OPT_SERIALIZE_NUMPY)
    await send_body(send, body, b"application/json", status)


async def send_body(
    send: Send,
    body: bytes,
    kind: bytes,
    status: int = 200,
    headers: tuple[tuple[bytes, bytes], ...] = (),
) -> None:
    """Send a body of some type."""
    start = {
        "type": "http.response.start",
        "status": status,
        "headers": [
            (b"content-type", kind),
            (b"content-length", str(len(body)).encode()),
            *headers,
        ],
    }
    await send(start)
    await send({"type": "http.response.body", "body": body})
