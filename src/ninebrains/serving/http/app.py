"""The application that the HTTP server runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ninebrains.errors import NinebrainsError
from ninebrains.serving.host import Host
from ninebrains.serving.http import infer
from ninebrains.serving.http.faults import status_of


def make_app(host: Host) -> Starlette:
    """The whole HTTP side of a host."""

    @asynccontextmanager
    async def life(_app: Starlette) -> AsyncIterator[None]:
        host.open()
        yield
        host.close()

    async def failed(_request: Request, error: Exception) -> Response:
        assert isinstance(error, NinebrainsError)
        return JSONResponse({"error": str(error)}, status_of(error))

    return Starlette(
        routes=[*infer.routes(host)], lifespan=life, exception_handlers={NinebrainsError: failed}
    )
