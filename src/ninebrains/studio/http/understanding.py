"""Heat maps, the map, comparisons, slices, and trying brains."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from starlette.responses import Response
from starlette.routing import Route

from ninebrains.errors import DataError, MissingError, NinebrainsError, RequestError
from ninebrains.photos import printable
from ninebrains.serving.http.multipart import Form
from ninebrains.studio.http.learning import answers_of_run, run_of
from ninebrains.studio.http.replies import in_thread, number_in, query_number, reply
from ninebrains.studio.learning.runs import list_runs
from ninebrains.studio.store.labels import find_label
from ninebrains.studio.understanding.comparing import compare
from ninebrains.studio.understanding.heating import heat_png
from ninebrains.studio.understanding.slicing import list_columns, slice_by

if TYPE_CHECKING:
    from starlette.requests import Request

    from ninebrains.studio.learning.runs import Run
    from ninebrains.studio.studio import Studio

_FOREVER = {"cache-control": "private, max-age=31536000, immutable"}
_MOST_TRIED = 32


def routes(studio: Studio) -> list[Route]:
    """The routes of this module."""

    async def heat(request: Request) -> Response:
        run, label = query_number(request, "run"), query_number(request, "label")
        work = partial(_heat, studio, number_in(request), label or None, run)
        png = await in_thread(work)
        # Of a run that is named the picture never changes.
        headers = _FOREVER if run is not None else {"cache-control": "no-store"}
        return Response(png, 200, headers, "image/png")

    async def the_map(_request: Request) -> Response:
        return reply(await in_thread(studio.maps.told))

    async def make_map(_request: Request) -> Response:
        return reply({"job": studio.make_map().id}, 202)

    async def compared(request: Request) -> Response:
        one, other = query_number(request, "a"), query_number(request, "b")
        if one is None or other is None or one == other:
            raise RequestError("a and b are the numbers of two different runs")
        return reply(await in_thread(_compare, studio, one, other))

    async def slices(request: Request) -> Response:
        by, run = request.query_params.get("by"), query_number(request, "run")
        return reply(await in_thread(_slices, studio, by, run))

    async def attempt(request: Request) -> Response:
        photos = await _photos_in(request)
        query = request.query_params
        numbers = [part for part in query.get("brains", "").split(",") if part]
        if len(numbers) > 20 or not all(part.isdecimal() and len(part) < 16 for part in numbers):
            raise RequestError("brains are numbers of runs, such as 3,7")
        work = partial(_try, studio, [int(part) for part in numbers], query.get("heat") == "1")
        told = [await in_thread(work, name, data) for name, data in photos]
        return reply({"photos": told})

    return [
        Route("/heat/{id:int}", heat, methods=["GET"]),
        Route("/api/map", the_map, methods=["GET"]),
        Route("/api/map", make_map, methods=["POST"]),
        Route("/api/compare", compared, methods=["GET"]),
        Route("/api/slices", slices, methods=["GET"]),
        Route("/api/try", attempt, methods=["POST"]),
    ]


def _newest(studio: Studio) -> Run:
    with studio.database.reading() as connection:
        runs = list_runs(connection, 1)
    if not runs:
        raise MissingError("there is no brain yet; label some photos first")
    return runs[0]


def _heat(studio: Studio, photo: int, label: int | None, run: int | None) -> bytes:
    found = studio.photo(photo)
    of = _newest(studio) if run is None else run_of(studio, run)
    key = None
    if label is not None:
        with studio.database.reading() as connection:
            key = find_label(connection, label).key
    return heat_png(studio.brains.get(of), studio.bytes_of(found), key, studio.limits)


def _compare(studio: Studio, one: int, other: int) -> dict[str, Any]:
    with studio.database.reading() as connection:
        rows = connection.execute(
            "SELECT id, COALESCE(label, 0) FROM photos WHERE gone = 0 ORDER BY id"
        ).fetchall()
    table = np.array([tuple(row) for row in rows], np.int64).reshape(-1, 2)
    answers = answers_of_run(studio, one), answers_of_run(studio, other)
    return compare(*answers, table[:, 1], table[:, 0])


def _slices(studio: Studio, by: str | None, run: int | None) -> dict[str, Any]:
    with studio.database.reading() as connection:
        if by is None:
            return {"columns": list_columns(connection)}
    number = _newest(studio).id if run is None else run
    answers = answers_of_run(studio, number)
    with studio.database.reading() as connection:
        return {**slice_by(connection, by, answers), "run": number}


async def _photos_in(request: Request) -> list[tuple[str, bytes]]:
    """The photos of a request: a form of files, or one photo as the whole body."""
    kind = request.headers.get("content-type", "")
    if kind.startswith("multipart/form-data"):
        parts = await Form(kind, _MOST_TRIED).read(request.stream())
        found = [(part.filename or part.name, part.content) for part in parts if part.is_file]
    else:
        found = [("photo", await request.body())]
    if not found:
        raise RequestError("expected photos to try the brains on")
    return found


def _try(studio: Studio, numbers: list[int], heat: bool, name: str, data: bytes) -> dict[str, Any]:
    """The answers on one photo; of several a bad one does not spoil the others."""
    runs = [run_of(studio, number) for number in numbers] or [_newest(studio)]
    told: dict[str, Any] = {"name": printable(name)[:200]}
    try:
        return {**told, **studio.bench.run(data, runs, heat=heat)}
    except (DataError, MissingError, RequestError):
        raise
    except NinebrainsError as error:
        return {**told, "error": str(error)}
