"""The project as a whole: its state, its settings, its events and jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import StreamingResponse
from starlette.routing import Route

from ninebrains.studio.http.replies import in_thread, reply

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from ninebrains.studio.studio import Studio


def routes(studio: Studio) -> list[Route]:
    """The routes of this module."""

    async def project(_request: Request) -> Response:
        return reply(await in_thread(studio.state))

    async def events(request: Request) -> Response:
        last = request.headers.get("last-event-id") or request.query_params.get("last")
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        stream = studio.events.listen(last)
        return StreamingResponse(stream, headers=headers, media_type="text/event-stream")

    async def job(request: Request) -> Response:
        return reply(studio.jobs.find(request.path_params["job"]).plain())

    async def cancel(request: Request) -> Response:
        found = studio.jobs.find(request.path_params["job"])
        found.cancel()
        return reply(found.plain())

    return [
        Route("/api/project", project, methods=["GET"]),
        Route("/api/events", events, methods=["GET"]),
        Route("/api/jobs/{job}", job, methods=["GET"]),
        Route("/api/jobs/{job}", cancel, methods=["DELETE"]),
    ]
