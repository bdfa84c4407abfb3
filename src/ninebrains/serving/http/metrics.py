"""`/metrics` in the form of Prometheus, and the counting behind it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from ninebrains.serving.host import Host

_CLOSE = (b"connection", b"close")


class Measured:
    """An application whose requests are counted and timed; the outermost layer.

    While the host is about to close, every answer also closes its connection: who keeps connections
    open is not to send the next request into one that is ending.
    """

    def __init__(self, app: ASGIApp, host: Host) -> None:
        self._app = app
        self._host = host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, and take note of how that went."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status, host = time.perf_counter(), 500, self._host

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if host.is_draining:
                    message["headers"] = [*message.get("headers", ()), _CLOSE]
            await send(message)

        try:
            await self._app(scope, receive, sending)
        finally:
            del began
