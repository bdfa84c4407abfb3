"""Lists of photos, one photo, and its pictures."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from starlette.responses import FileResponse, Response
from starlette.routing import Route

from ninebrains.errors import MissingError, PhotoError, RequestError
from ninebrains.studio.http.replies import in_thread, number_in, reply
from ninebrains.studio.listing import list_photos
from ninebrains.studio.store.photos import photo_facts

if TYPE_CHECKING:
    from starlette.requests import Request

    from ninebrains.studio.studio import Studio

_FOREVER = {"cache-control": "private, max-age=31536000, immutable"}
# A photo is shown, never run, whatever else its bytes may be taken for.
_PICTURE = {**_FOREVER, "content-security-policy": "default-src 'none'; sandbox"}
_SHOWN = {
    "JPEG": "image/jpeg",
    "MPO": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "GIF": "image/gif",
    "BMP": "image/bmp",
    "DIB": "image/bmp",
    "AVIF": "image/avif",
}
_LARGEST_SIDE = 2_048
_LONGEST = 300


def routes(studio: Studio) -> list[Route]:
    """The routes of this module."""

    async def photos(request: Request) -> Response:
        query = request.query_params
        view, search = query.get("view", "all"), query.get("search", "")
        if len(view) > _LONGEST or len(search) > _LONGEST:
            raise RequestError(f"a view has at most {_LONGEST} characters")

        def work() -> dict[str, Any]:
            answers, alike = studio.answers, studio.alike
            with studio.database.reading() as connection:
                found = list_photos(
                    connection, view, query.get("sort") or None, answers, alike, search
                )
            return found.plain()

        return reply(await in_thread(work))

    async def photo(request: Request) -> Response:
        found = await in_thread(studio.photo, number_in(request))
        return reply({**photo_facts(found), **await in_thread(studio.told_of, found)})

    async def thumb(request: Request) -> Response:
        found = await in_thread(studio.photo, number_in(request))
        path = await in_thread(studio.thumbnails.find, found)
        return FileResponse(path, headers=_PICTURE, media_type="image/jpeg")

    async def full(request: Request) -> Response:
        found = await in_thread(studio.photo, number_in(request))
        kind = _SHOWN.get(found.format)
        if kind is None:
            data = await in_thread(_as_jpeg, studio.bytes_of(found))
            return Response(data, 200, _PICTURE, "image/jpeg")
        path = studio.path_of(found)
        if found.is_copy and path.is_file():
            return FileResponse(path, headers=_PICTURE, media_type=kind)
        try:
            data = await in_thread(studio.bytes_of, found)  # which are those that were labelled
        except PhotoError as error:
            if path.is_file():
                raise
            told = f"{found.name} is not where it was ({path}); put it back there"
            raise MissingError(told) from error
        return Response(data, 200, _PICTURE, kind)

    return [
        Route("/api/photos", photos, methods=["GET"]),
        Route("/api/photos/{id:int}", photo, methods=["GET"]),
        Route("/thumb/{id:int}", thumb, methods=["GET"]),
        Route("/photo/{id:int}", full, methods=["GET"]),
    ]


def _as_jpeg(data: bytes) -> bytes:
    """A photo of a kind that browsers do not show."""
    from ninebrains.explaining import thumbnail

    file = io.BytesIO()
    thumbnail(data, _LARGEST_SIDE).save(file, "JPEG", quality=90)
    return file.getvalue()
