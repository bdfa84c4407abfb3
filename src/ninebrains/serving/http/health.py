"""`/livez` and `/readyz`: whether the process lives, and whether it may be sent requests."""

from __future__ import annotations

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ninebrains.serving.catalog import State
from ninebrains.serving.host import Host


def routes(host: Host) -> list[Route]:
    """The routes of this module."""

    async def livez(_request: Request) -> Response:
        return Response(b'{"live":true}', media_type="application/json")

    async def readyz(_request: Request) -> Response:
        told = health(host)
        status = 200 if told["ready"] else 503
        return Response(orjson.dumps(told), status, media_type="application/json")

    return [
        Route("/livez", livez, methods=["GET"]),
        Route("/readyz", readyz, methods=["GET"]),
    ]


def health(host: Host) -> dict[str, object]:
    """Whether a host may be sent requests, and what stands against that.

    A version that cannot be loaded does not make a host unready: the others go on answering.
    """
    known = [version for some in host.catalog.versions.values() for version in some.values()]
    reasons = []
    if host.failure:
        reasons.append(host.failure)
    elif host.is_draining:
        reasons.append("the host is closing")
    elif not host.is_ready:
        reasons.append("brains are being loaded and tried")
    return {
        "ready": not reasons,
        "reasons": reasons,
        "versions": {
            state.value: sum(version.state is state for version in known) for state in State
        },
    }
