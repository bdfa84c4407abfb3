"""The application that the studio's HTTP server runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware

from ninebrains.studio.http import (
    imports,
    labels,
    learning,
    pages,
    photos,
    project,
    shipping,
    understanding,
)
from ninebrains.studio.http.gate import Gate
from ninebrains.studio.http.replies import HANDLERS, in_thread

if TYPE_CHECKING:
    from ninebrains.studio.http.sessions import Sessions
    from ninebrains.studio.studio import Studio

_MODULES = (labels, photos, project, learning, imports, understanding, shipping)


def make_app(
    studio: Studio,
    sessions: Sessions,
    *,
    cookie: str,
    names: frozenset[str] = frozenset(),
    has_tls: bool = False,
) -> Starlette:
    """The whole HTTP side of a studio.

    Args:
        studio: not yet started; closed when the application ends.
        sessions: who may come in.
        cookie: name of the cookie that says so.
        names: of this machine in Host headers.
        has_tls: whether it is reached over TLS alone.
    """

    @asynccontextmanager
    async def life(_app: Starlette) -> AsyncIterator[None]:
        studio.start()
        yield
        await in_thread(studio.close)

    gate = Middleware(
        Gate, sessions=sessions, cookie=cookie, names=names, any_address=studio.is_shared
    )
    app = Starlette(
        routes=[
            *pages.routes(sessions, cookie, has_tls=has_tls),
            *(route for module in _MODULES for route in module.routes(studio)),
        ],
        lifespan=life,
        middleware=[gate, Middleware(GZipMiddleware, minimum_size=2_000, compresslevel=4)],
        exception_handlers=HANDLERS,
    )
    app.router.redirect_slashes = False
    return app
