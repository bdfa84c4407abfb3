"""The page itself, its scripts and styles, and signing in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import Route

from ninebrains.errors import NinebrainsError
from ninebrains.studio.http.gate import cookie_of
from ninebrains.studio.http.replies import in_thread, reply
from ninebrains.studio.http.sessions import LASTS_SECONDS, Sessions

if TYPE_CHECKING:
    from starlette.requests import Request

PAGE = Path(__file__).parent.parent / "page"
_KINDS = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".woff2": "font/woff2",
    ".webmanifest": "application/manifest+json",
}


def routes(sessions: Sessions, cookie: str, *, has_tls: bool) -> list[Route]:
    """The routes of this module."""

    def admitted(session: str) -> Response:
        response = RedirectResponse("/", 303)
        response.set_cookie(
            cookie, session, LASTS_SECONDS, httponly=True, samesite="strict", secure=has_tls
        )
        return response

    async def index(request: Request) -> Response:
        token = request.query_params.get("token")
        known = sessions.knows(cookie_of(request, cookie))
        if token is not None and not known:
            try:
                return admitted(await in_thread(sessions.spend, token))
            except NinebrainsError as error:
                return _closed(str(error), 401, has_password=sessions.has_password)
        if token is not None:
            return RedirectResponse("/", 303)  # so that it is not in the address for all to see
        if not known:
            told = "Open the address that the terminal shows: it lets this browser in."
            return _closed(told, 401, has_password=sessions.has_password)
        return _file(PAGE / "index.html")

    async def sign_in(request: Request) -> Response:
        body = await request.body()
        given = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)
        try:
            password = given.get("password", [""])[0]
            client = request.client.host if request.client else ""
            return admitted(await in_thread(sessions.sign_in, password, client))
        except NinebrainsError as error:
            return _closed(str(error), 401, has_password=True)

    async def static(request: Request) -> Response:
        path = (PAGE / request.path_params["path"]).resolve()
        if not path.is_relative_to(PAGE.resolve()) or path.suffix not in _KINDS:
            return reply({"error": "there is nothing here"}, 404)
        return _file(path)

    async def link(_request: Request) -> Response:
        return reply({"path": f"/?token={sessions.new_token()}"})

    return [
        Route("/", index, methods=["GET"]),
        Route("/login", sign_in, methods=["POST"]),
        Route("/static/{path:path}", static, methods=["GET"]),
        Route("/api/link", link, methods=["POST"]),
    ]


def _file(path: Path) -> Response:
    if not path.is_file():
        return reply({"error": "there is nothing here"}, 404)
    # Asked for again each time, and mostly answered with "as before".
    headers = {"cache-control": "no-cache"}
    return FileResponse(path, headers=headers, media_type=_KINDS[path.suffix])


def _closed(told: str, status: int, *, has_password: bool) -> Response:
    """The page for whoever is not signed in; without scripts."""
    from jinja2 import Environment, PackageLoader

    loader = PackageLoader("ninebrains.studio.http", "templates")
    page = Environment(loader=loader, autoescape=True).get_template("closed.html.j2")
    text = page.render(told=told, has_password=has_password)
    return Response(text, status, {"cache-control": "no-store"}, "text/html")
