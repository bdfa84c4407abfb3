"""Brains out: files, exports with receipts, and the host that serves them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from starlette.responses import FileResponse, Response
from starlette.routing import Route

from ninebrains.errors import AccessError, RequestError
from ninebrains.studio.http.learning import run_of
from ninebrains.studio.http.replies import fields_of, in_thread, number_in, reply
from ninebrains.studio.learning.runs import list_runs
from ninebrains.studio.shipping.exports import (
    export_brain,
    find_export,
    list_exports,
    remove_export,
    zip_export,
)
from ninebrains.studio.shipping.targets import find_targets

if TYPE_CHECKING:
    from starlette.requests import Request

    from ninebrains.studio.studio import Studio

# A receipt is a page of its own with styles inside; it runs nothing.
_RECEIPT = {
    "content-security-policy": (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; "
        "sandbox"
    ),
    "x-frame-options": "SAMEORIGIN",
    "cache-control": "no-store",
}
_NONE = type(None)


def routes(studio: Studio) -> list[Route]:
    """The routes of this module."""

    async def brains(_request: Request) -> Response:
        return reply(await in_thread(_told_brains, studio))

    async def targets(_request: Request) -> Response:
        return reply({"targets": await in_thread(find_targets)})

    async def brain_file(request: Request) -> Response:
        run = await in_thread(run_of, studio, number_in(request))
        path = await in_thread(studio.brains.path, run)
        return FileResponse(path, filename=run.file, media_type="application/octet-stream")

    async def export(request: Request) -> Response:
        given = await fields_of(request, target=str, precision=(str, _NONE))
        run = await in_thread(run_of, studio, number_in(request))
        path = await in_thread(studio.brains.path, run)
        target, precision = given["target"], given["precision"]
        stem = run.file.removesuffix(".brain").replace("@", "-")
        name = "-".join(filter(None, [stem, target[:20], precision and precision[:20]]))
        folder = studio.folder.exports / name
        work = partial(export_brain, path, target, precision, folder)
        job = studio.jobs.start("export", f"export version {run.version} to {target[:20]}", work)
        return reply({"job": job.id}, 202)

    async def exports(_request: Request) -> Response:
        return reply({"exports": await in_thread(list_exports, studio.folder.exports)})

    async def export_file(request: Request) -> Response:
        folder = find_export(studio.folder.exports, request.path_params["name"])
        data = await in_thread(zip_export, folder)
        headers = {"content-disposition": f'attachment; filename="{folder.name}.zip"'}
        return Response(data, 200, headers, "application/zip")

    async def receipt(request: Request) -> Response:
        folder = find_export(studio.folder.exports, request.path_params["name"])
        return FileResponse(folder / "receipt.html", headers=_RECEIPT, media_type="text/html")

    async def drop(request: Request) -> Response:
        await in_thread(remove_export, studio.folder.exports, request.path_params["name"])
        return reply({})

    async def serve(_request: Request) -> Response:
        return reply(studio.deployment.told())

    async def change(request: Request) -> Response:
        given = await fields_of(
            request,
            action=str,
            run=(int, _NONE),
            number=(int, _NONE),
            role=(str, _NONE),
            percent=(int, float, _NONE),
            url=(str, _NONE),
            key=(str, _NONE),
            port=(int, _NONE),
        )
        told = await in_thread(_change, studio, given)
        return reply({**studio.deployment.told(), **told})

    return [
        Route("/api/brains", brains, methods=["GET"]),
        Route("/api/targets", targets, methods=["GET"]),
        Route("/api/brains/{id:int}/file", brain_file, methods=["GET"]),
        Route("/api/brains/{id:int}/export", export, methods=["POST"]),
        Route("/api/exports", exports, methods=["GET"]),
        Route("/api/exports/{name}", drop, methods=["DELETE"]),
        Route("/api/exports/{name}/zip", export_file, methods=["GET"]),
        Route("/api/exports/{name}/receipt", receipt, methods=["GET"]),
        Route("/api/serve", serve, methods=["GET"]),
        Route("/api/serve", change, methods=["POST"]),
    ]


def _told_brains(studio: Studio) -> dict[str, Any]:
    """Versions with their numbers, and what was exported of them."""
    with studio.database.reading() as connection:
        runs = list_runs(connection)
    told = [
        {**run.summary(), "has_brain": (studio.folder.brains / run.file).is_file()} for run in runs
    ]
    return {
        "name": studio.deployment.name,
        "brains": told,
        "exports": list_exports(studio.folder.exports),
    }


def _change(studio: Studio, given: dict[str, Any]) -> dict[str, Any]:
    """Do what was asked of the host."""
    deployment, action = studio.deployment, given["action"]
    number, role = given["number"], given["role"] or "stable"
    percent = 10.0 if given["percent"] is None else float(given["percent"])
    if action == "start":
        deployment.start_own(given["port"])
    elif action == "stop":
        deployment.stop_own()
    elif action == "connect":
        if studio.is_shared:
            raise AccessError("a shared studio connects to no other hosts", is_known=True)
        deployment.connect(given["url"] or "", given["key"] or None)
    elif action == "disconnect":
        deployment.disconnect()
    elif action == "upload" and given["run"] is not None:
        run = run_of(studio, given["run"])
        return deployment.put_live(studio.brains.path(run), run.version, role, percent)
    elif action == "split" and number is not None:
        deployment.split(number, role, percent)
    elif action == "promote":
        deployment.promote(number)
    elif action == "rollback":
        deployment.roll_back()
    else:
        raise RequestError(
            "action is start, stop, connect, disconnect, upload (with run), split (with number), "
            "promote or rollback"
        )
    return {}
