"""The application that the HTTP server runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Route

from ninebrains.errors import NinebrainsError
from ninebrains.serving.host import Host
from ninebrains.serving.http import (
    brains,
    docs,
    drift,
    feedback,
    health,
    infer,
    inference,
    metrics,
    tensorflow,
)
from ninebrains.serving.http.admin import make_admin
from ninebrains.serving.http.faults import HANDLERS
from ninebrains.serving.http.guard import Guard
from ninebrains.serving.http.metrics import Measured
from ninebrains.serving.traces import Traced, Traces

_MODULES = (infer, tensorflow, inference, health, feedback, brains, metrics, drift)
"""The hottest first. Each has `routes(host)`, and may have `describe()` for the OpenAPI page."""


def make_app(host: Host, *, waits: bool = True) -> Starlette:
    """The whole HTTP side of a host.

    Args:
        host: not yet open.
        waits: answer requests only once the host is ready; else at once, such as `/livez`.
    """

    @asynccontextmanager
    async def life(_app: Starlette) -> AsyncIterator[None]:
        async with _grpc(host):
            opening = asyncio.create_task(asyncio.to_thread(_open, host))
            if waits:
                await opening
            yield
        await opening
        await asyncio.to_thread(host.close)
        if traces is not None:
            await asyncio.to_thread(traces.close)

    traces = _traces(host)
    layers = [Middleware(Measured, host=host), Middleware(Guard, host=host)]
    if traces is not None:
        layers.insert(1, Middleware(Traced, traces=traces))
    return Starlette(
        routes=_routes(host),
        lifespan=life,
        middleware=layers,
        exception_handlers=HANDLERS,
    )


def _routes(host: Host) -> list[BaseRoute]:
    """All routes; those under `/admin` are an application of their own."""
    admin = make_admin(host)
    described = [module.describe() for module in _MODULES if hasattr(module, "describe")]
    return [
        *(route for module in _MODULES for route in module.routes(host)),
        *docs.routes(admin, described),
        Route("/admin/{rest:path}", admin),
    ]


def _traces(host: Host) -> Traces | None:
    """What sends traces, where that is wanted."""
    if host.settings.traces is None:
        return None
    traces = Traces(host.settings.traces)
    host.watchers.append(traces)
    host.timers.append(traces.took)
    return traces


def _grpc(host: Host) -> AbstractAsyncContextManager[object]:
    """While gRPC calls are answered too, where that is wanted."""
    if host.settings.grpc_port is None:
        return nullcontext()
    from ninebrains.serving.grpc.server import answering_grpc

    return answering_grpc(host)


def _open(host: Host) -> None:
    """Open a host; where that fails it stays unready, and says why."""
    try:
        host.open()
    except NinebrainsError as error:
        host.failure = str(error)
    except Exception as error:
        host.failure = f"internal error: {type(error).__name__}: {error}"
        logging.getLogger("ninebrains.serving").exception("the host could not be opened")
        raise
