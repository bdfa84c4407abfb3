"""One request over HTTP: through the system's proxies, in bounded time, its faults named.

The client of the standard library waits for every piece of an answer anew, so that a server that
sends a byte now and then, or one `100 Continue` after the other, holds it for ever. Here the head
of an answer as a whole, and each read of its body, has the time that is given for silence.
"""

from __future__ import annotations

import time
from http.client import (
    BadStatusLine,
    HTTPConnection,
    HTTPException,
    HTTPResponse,
    HTTPSConnection,
    IncompleteRead,
)
from io import BufferedReader, RawIOBase
from ssl import SSLCertVerificationError
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import AbstractHTTPHandler, OpenerDirector, ProxyHandler, Request

from ninebrains.errors import TrunkError
from ninebrains.trunks.answers import PassingError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from socket import socket

    from _typeshed import WriteableBuffer

_LONGEST_SAYING = 300


class UnreachableError(PassingError):
    """No connection came about."""


def ask(url: str, headers: Mapping[str, str], timeout_s: float) -> HTTPResponse:
    """Send a GET request; any status comes back as it is, redirects too.

    Args:
        url: with http or https.
        headers: of the request.
        timeout_s: seconds to connect, for the head of the answer, and for each `read1` of its body.

    Raises:
        UnreachableError: no connection.
        PassingError: it broke, or what came back is no HTTP.
        TrunkError: another try would end in the same way.
    """
    request = Request(url, headers=dict(headers))  # noqa: S310 - the scheme is checked by the hub
    host = request.host
    opener = OpenerDirector()  # a bare one, which leaves redirects and statuses to us
    for handler in (ProxyHandler(), _Handler()):
        opener.add_handler(handler)
    try:
        response: HTTPResponse = opener.open(request, timeout=timeout_s)
    except (OSError, HTTPException, ValueError) as error:
        through = "" if request.host == host else f" through the proxy {request.host!r}"
        raise _fault(f"{_address(url)}{through}", error) from error
    return response


def said(error: object) -> str:
    """What an error says, without the number in front that tells a reader nothing."""
    text = str(getattr(error, "strerror", None) or error).rstrip(".") or type(error).__name__
    return "".join(c if c.isprintable() else "?" for c in text[:_LONGEST_SAYING])


def _fault(asked: str, error: Exception) -> PassingError | TrunkError:
    if isinstance(error, URLError):
        if isinstance(error.reason, SSLCertVerificationError):
            return TrunkError(
                f"{asked} cannot prove who it is: {error.reason.verify_message}. Behind a "
                "company's proxy, name the file with its certificates in SSL_CERT_FILE."
            )
        return UnreachableError(f"cannot reach {asked}: {said(error.reason)}.")
    if isinstance(error, OSError | BadStatusLine | IncompleteRead):
        return PassingError(f"{asked} did not answer: {said(error)}.")
    return TrunkError(
        f"{asked} cannot be asked, or answers what cannot be read: {said(error)}. Check the "
        "endpoint (HF_ENDPOINT) and the proxies (http_proxy, https_proxy)."
    )


def _address(url: str) -> str:
    """The server's part of an address; the rest may be a signature that is nobody's business."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


class _PunctualReads(RawIOBase):
    """A connection's bytes, until its time is up."""

    def __init__(self, sock: socket) -> None:
        super().__init__()
        self._sock = sock
        self._file = sock.makefile("rb", buffering=0)
        self._allowed_s = sock.gettimeout() or 0.0
        self.restart()

    def restart(self) -> None:
        """Give it the whole time again."""
        self._until = time.monotonic() + self._allowed_s

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        left_s = self._until - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("timed out")
        self._sock.settimeout(left_s)
        return self._file.readinto(buffer)

    def close(self) -> None:
        self._file.close()
        super().close()


class _Response(HTTPResponse):
    """One whose head, and whose every `read1`, comes within the connection's timeout or fails."""

    def __init__(
        self, sock: socket, debuglevel: int = 0, method: str | None = None, url: str | None = None
    ) -> None:
        super().__init__(sock, debuglevel, method, url)
        self.fp.close()
        self._reads = _PunctualReads(sock)
        self.fp = BufferedReader(self._reads)

    def read1(self, n: int = -1) -> bytes:
        self._reads.restart()
        return super().read1(n)


class _Connection(HTTPConnection):
    response_class = _Response


class _SecureConnection(HTTPSConnection):
    response_class = _Response


class _Handler(AbstractHTTPHandler):
    def http_open(self, request: Request) -> HTTPResponse:
        return self.do_open(_Connection, request)

    def https_open(self, request: Request) -> HTTPResponse:
        return self.do_open(_SecureConnection, request)

    http_request = https_request = AbstractHTTPHandler.do_request_
