"""The gate: stands before every route of the studio.

It checks, in this order and before any body is read: the Host header (a page from elsewhere could
have its own name lead here: DNS rebinding), the Origin of what changes something (CSRF), the
session, the announced length. While the body comes it is counted. Every reply gets headers by which
browsers run nothing but our own scripts.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.requests import Request

from ninebrains.errors import AccessError, NinebrainsError, RequestError
from ninebrains.studio.http.replies import respond

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from ninebrains.studio.http.sessions import Sessions

_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_OPEN = frozenset({"/", "/login", "/favicon.ico"})
_OPEN_FILES = ("/static/",)  # the page's own scripts and styles hold nothing of the project
_BODY_BYTES = 16 * 2**20
_LOGIN_BYTES = 4 * 2**10
_TRY_BYTES = 128 * 2**20
_UPLOAD_BYTES = 8 * 2**30
_LOGIN_SECONDS = 10.0
_HOST = re.compile(r"(?P<name>[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?")
_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
HEADERS = {
    "content-security-policy": (
        "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; "
        "connect-src 'self'; style-src 'self'; script-src 'self'; object-src 'none'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(self), microphone=(), geolocation=(), payment=(), usb=()",
}


class Gate:
    """Checks requests before the application sees them.

    Args:
        app: what it stands before.
        sessions: who may come in.
        cookie: the name of the cookie that says so.
        names: of this studio in Host headers, beside loopback.
        any_address: also take Host headers that are addresses: where others may come, they do by
            address, and rebinding needs a name.
    """

    def __init__(
        self,
        app: ASGIApp,
        sessions: Sessions,
        cookie: str,
        names: frozenset[str] = frozenset(),
        *,
        any_address: bool = False,
    ) -> None:
        self.app = app
        self._sessions, self._cookie = sessions, cookie
        self._names = _LOCAL_NAMES | names
        self._any_address = any_address

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take a request, as ASGI says."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope)

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                known = {name for name, _ in message.get("headers", ())}
                extra = [
                    (name.encode(), value.encode())
                    for name, value in HEADERS.items()
                    if name.encode() not in known
                ]
                message = {**message, "headers": [*message.get("headers", ()), *extra]}
            await send(message)

        try:
            self._check(request)
        except NinebrainsError as error:
            response = await respond(request, error)
            response.headers["connection"] = "close"
            await response(scope, receive, send_guarded)
            return
        most = _most_bytes(scope["path"])
        patience = None if self.is_known(request) else _LOGIN_SECONDS
        await self.app(scope, _counted(receive, most, patience), send_guarded)

    def _check(self, request: Request) -> None:
        # Never `request.url`, which is put together from what the client says of the host.
        host, path = request.headers.get("host", ""), str(request.scope["path"])
        if not self._is_ours(host):
            raise RequestError(
                f"this studio is not at {host[:100]!r}; open the address that the terminal shows",
                421,
            )
        if request.method not in _READING:
            _check_origin(request, host)
        is_open = path in _OPEN or path.startswith(_OPEN_FILES)
        if not is_open and not self.is_known(request):
            raise AccessError(
                "this page is not signed in here any more. Open the address that the terminal "
                "shows."
            )
        length = request.headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > _most_bytes(path):
            raise _too_large(_most_bytes(path))

    def is_known(self, request: Request) -> bool:
        """Whether a request comes from someone who has a session."""
        return self._sessions.knows(cookie_of(request, self._cookie))

    def _is_ours(self, host: str) -> bool:
        found = _HOST.fullmatch(host)
        if found is None:
            return False
        name = found["name"].strip("[]").casefold()
        if name in self._names:
            return True
        if not self._any_address:
            return False
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


def names_here(given: list[str]) -> frozenset[str]:
    """Names that this machine has, and those that were given, in small letters."""
    found = {socket.gethostname(), socket.getfqdn(), *given}
    return frozenset(name.casefold() for name in found if name)


def cookie_of(request: Request, name: str) -> str | None:
    """The value of a cookie, or None."""
    try:
        found = SimpleCookie(request.headers.get("cookie", "")).get(name)
    except CookieError:
        return None
    return None if found is None else found.value


def _check_origin(request: Request, host: str) -> None:
    """Browsers say where a request that changes something comes from; programs need not."""
    origin = request.headers.get("origin")
    site = request.headers.get("sec-fetch-site", "same-origin")
    if origin is None and site in ("same-origin", "none"):
        return
    if origin is not None and urlsplit(origin).netloc == host and site == "same-origin":
        return
    raise AccessError(
        "a page from elsewhere wanted to change something here, which is refused", is_known=True
    )


def _most_bytes(path: str) -> int:
    if path.startswith("/api/import"):
        return _UPLOAD_BYTES
    if path.startswith("/api/try"):
        return _TRY_BYTES
    return _LOGIN_BYTES if path == "/login" else _BODY_BYTES


def _counted(receive: Receive, most: int, patience: float | None) -> Receive:
    """The body in pieces, of which there may be only so many bytes; strangers have little time."""
    num_bytes = 0

    async def receive_counted() -> Message:
        nonlocal num_bytes
        try:
            message = await asyncio.wait_for(receive(), patience)
        except TimeoutError as error:
            raise RequestError("the body did not come in time; try again", 408) from error
        if message["type"] == "http.request":
            num_bytes += len(message.get("body", b""))
            if num_bytes > most:
                raise _too_large(most)
        return message

    return receive_counted


def _too_large(most: int) -> RequestError:
    return RequestError(
        f"more than {most:,} bytes were sent at once, which is the limit here. Send less at a "
        "time, or add the folder in place.",
        413,
    )
