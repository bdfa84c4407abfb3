"""Versions under `/admin`: what is there, uploading, deleting, loading and unloading."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Path
from starlette.requests import Request

from ninebrains.errors import MissingError
from ninebrains.serving.http.admin.forms import NamesTold, NameTold, VersionTold
from ninebrains.serving.http.admin.uploads import received
from ninebrains.serving.repository import LARGEST_NUMBER
from ninebrains.serving.traffic.choosing import stable_of

if TYPE_CHECKING:
    from ninebrains.serving.catalog import Version
    from ninebrains.serving.host import Host

Name = Annotated[str, Path(description="Of the brain.", min_length=1, max_length=100)]
Number = Annotated[int, Path(description="Of the version.", ge=1, le=LARGEST_NUMBER)]

_UPLOAD = {
    "requestBody": {
        "required": True,
        "description": "A `.brain` file.",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    },
    "x-curl": "-T pets.brain",
}


def router(host: Host) -> APIRouter:
    """The routes of this module."""
    routes = APIRouter(tags=["versions"])

    def told(version: Version) -> VersionTold:
        route = host.traffic.state(version.name).route
        return VersionTold.of(version, route, _stable(host, version.name))

    def name_told(name: str) -> NameTold:
        numbers = host.catalog.versions.get(name)
        if numbers is None:
            raise MissingError(f"there is no brain {name[:100]!r} here")
        route = host.traffic.state(name).route
        versions = [told(version) for version in numbers.values()]
        return NameTold(name=name, route=route, versions=versions)

    async def upload(name: str, number: int | None, request: Request) -> VersionTold:
        async with received(request.receive, host.settings) as file:
            version = await asyncio.to_thread(host.catalog.upload, name, number, file)
        await asyncio.to_thread(host.traffic.refresh)  # so that the reply tells what it became
        return told(version)

    @routes.get("/brains", summary="All names, their versions and routes")
    def list_names() -> NamesTold:
        return NamesTold(
            names=[name_told(name) for name in tuple(host.catalog.versions)],
            problems=[f"{problem.path} {problem.reason}" for problem in host.catalog.problems],
        )

    @routes.get("/brains/{name}", summary="One name, its versions and route")
    def get_name(name: Name) -> NameTold:
        return name_told(name)

    @routes.get("/brains/{name}/versions/{number}", summary="One version")
    def get_version(name: Name, number: Number) -> VersionTold:
        return told(host.catalog.find(name, number))

    @routes.post(
        "/brains/{name}/versions",
        summary="Upload the next version",
        status_code=201,
        openapi_extra=_UPLOAD,
    )
    async def upload_next(name: Name, request: Request) -> VersionTold:
        """It is checked in full, put into the first folder, loaded and tried before this replies.

        What it becomes, such as stable or canary, its route says (`arrival`).
        """
        return await upload(name, None, request)

    @routes.put(
        "/brains/{name}/versions/{number}",
        summary="Upload a version by its number",
        status_code=201,
        openapi_extra=_UPLOAD,
    )
    async def upload_number(name: Name, number: Number, request: Request) -> VersionTold:
        """As above; a number that is taken is refused with 409."""
        return await upload(name, number, request)

    @routes.delete(
        "/brains/{name}/versions/{number}", summary="Delete a version's files", status_code=204
    )
    def delete_version(name: Name, number: Number) -> None:
        """One that is serving, or that the route names, is refused with 409."""
        host.catalog.delete(name, number)
        host.traffic.refresh()

    @routes.post("/brains/{name}/load", summary="Load what the policy says, and nothing else")
    def load_name(name: Name) -> VersionTold:
        return told(host.catalog.load(name))

    @routes.post("/brains/{name}/unload", summary="Unload all versions", status_code=204)
    def unload_name(name: Name) -> None:
        """They stay away, also after a restart, until they are loaded again."""
        host.catalog.unload(name)

    @routes.post("/brains/{name}/versions/{number}/load", summary="Load a version in any case")
    def load_version(name: Name, number: Number) -> VersionTold:
        return told(host.catalog.load(name, number))

    @routes.post(
        "/brains/{name}/versions/{number}/unload", summary="Unload a version", status_code=204
    )
    def unload_version(name: Name, number: Number) -> None:
        host.catalog.unload(name, number)

    return routes


def _stable(host: Host, name: str) -> int | None:
    """The version that is stable now, if any is ready."""
    ready = host.catalog.ready(name)
    return stable_of(host.traffic.state(name), ready) if ready else None
