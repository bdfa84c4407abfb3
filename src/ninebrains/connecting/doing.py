"""Doing the steps of conversations over HTTP, for callers that wait and for callers that await.

Connections are kept and used again. A deadline holds for everything: connecting, waiting for a free
connection, sending, and each piece of the reply.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import socket
import ssl
import threading
import time
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

from ninebrains.connecting.steps import Broken, Pause, Reply, Send, Step, Talk
from ninebrains.errors import ClosedError, ExtraError, NinebrainsError

if TYPE_CHECKING:
    import httpx

Result = TypeVar("Result")
Client = TypeVar("Client")

_CONNECT_SECONDS = 5.0
_MOST_CONNECTIONS = 64
_IDLE_SECONDS = 20.0
_MOST_REPLY_BYTES = 1024 * 1024 * 1024
_OTHER_NAME = (62, 64)  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH
_SPEAKS_TLS = (
    "Is the port right? If the host speaks TLS, the address begins with https://; a host that is "
    "just ending says the same."
)
_HOPELESS = (ssl.SSLError, socket.gaierror)  # the next try would end in the same way


@dataclass(frozen=True)
class Line:
    """How a host is reached.

    Attributes:
        url: without a slash at the end.
        headers: that go with every call.
        tls: what to trust, or None for what the system trusts.
    """

    url: str
    headers: Mapping[str, str] = field(repr=False)
    tls: ssl.SSLContext | None = None


class Doing:
    """Does the steps of conversations with one host.

    Threads share a pool of connections, every event loop has one of its own, and so has a process
    that was forked off.
    """

    def __init__(self, line: Line) -> None:
        _check_installed()
        self._line = line
        self._lock = threading.Lock()
        self._waiting: _Held[httpx.Client] | None = None
        self._awaiting: weakref.WeakKeyDictionary[
            asyncio.AbstractEventLoop, _Held[httpx.AsyncClient]
        ] = weakref.WeakKeyDictionary()
        self._is_closed = False

    def do(self, talk: Talk[Result]) -> Result:
        """Hold a conversation; what it returns or raises."""
        try:
            step = next(talk)
            while True:
                try:
                    outcome = self._step(step)
                except (Broken, NinebrainsError) as error:
                    step = talk.throw(error)
                else:
                    step = talk.send(outcome)
        except StopIteration as done:
            result: Result = done.value
            return result
        finally:
            talk.close()

    async def do_async(self, talk: Talk[Result]) -> Result:
        """As `do`, without holding up the event loop."""
        try:
            step = next(talk)
            while True:
                try:
                    outcome = await self._step_async(step)
                except (Broken, NinebrainsError) as error:
                    step = talk.throw(error)
                else:
                    step = talk.send(outcome)
        except StopIteration as done:
            result: Result = done.value
            return result
        finally:
            talk.close()

    def close(self) -> None:
        """Send nothing more. What is on its way still gets its reply; then the connections go."""
        with self._lock:
            self._is_closed = True
            held = self._waiting
        if held is not None and held.is_idle:
            held.client.close()

    async def close_async(self) -> None:
        """As `close`, with the connections of this event loop as well."""
        self.close()
        held = self._awaiting.get(asyncio.get_running_loop())
        if held is not None and held.is_idle:
            await held.client.aclose()

    def _step(self, step: Step) -> object:
        if isinstance(step, Send):
            return self._send(step)
        if isinstance(step, Pause):
            time.sleep(step.seconds)
            return None
        return step.function()

    async def _step_async(self, step: Step) -> object:
        if isinstance(step, Send):
            return await self._send_async(step)
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
            return None
        return await asyncio.to_thread(step.function)

    def _send(self, step: Send) -> Reply:
        import httpx

        end = time.monotonic() + step.seconds
        held = self._begin()
        try:
            with held.client.stream(**_arguments(step)) as reply:  # type: ignore[arg-type]
                body = _Body()
                for piece in reply.iter_raw():
                    body.add(piece)
                    if time.monotonic() > end:
                        raise Broken("the reply comes too slowly", is_late=True)
                return _reply(reply, body)
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise _broken(error) from error
        finally:
            if self._is_last(held):
                held.client.close()

    async def _send_async(self, step: Send) -> Reply:
        import httpx

        held = self._begin_async()
        arguments = _arguments(step, is_async=True)
        try:
            async with (
                asyncio.timeout(step.seconds),
                held.client.stream(**arguments) as reply,  # type: ignore[arg-type]
            ):
                body = _Body()
                async for piece in reply.aiter_raw():
                    body.add(piece)
                return _reply(reply, body)
        except TimeoutError as error:
            raise Broken("it gives no answer", is_late=True) from error
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise _broken(error) from error
        finally:
            if self._is_last(held):
                await held.client.aclose()

    def _begin(self) -> _Held[httpx.Client]:
        """The connections of this process, for one call.

        Raises:
            ClosedError: there are to be no more.
        """
        import httpx

        with self._lock:
            if self._is_closed:
                raise _closed()
            held = self._waiting
            if held is None or held.process != os.getpid():
                held = _Held(httpx.Client(**_options(self._line)))  # type: ignore[arg-type]
                self._waiting = held
            held.num_calls += 1
            return held

    def _begin_async(self) -> _Held[httpx.AsyncClient]:
        """As `_begin`, those of this event loop."""
        import httpx

        loop = asyncio.get_running_loop()
        with self._lock:
            if self._is_closed:
                raise _closed()
            held = self._awaiting.get(loop)
            if held is None or held.process != os.getpid():
                held = _Held(httpx.AsyncClient(**_options(self._line)))  # type: ignore[arg-type]
                self._awaiting[loop] = held
            held.num_calls += 1
            return held

    def _is_last(self, held: _Held[httpx.Client] | _Held[httpx.AsyncClient]) -> bool:
        """End a call; whether the connections are to be closed now."""
        with self._lock:
            held.num_calls -= 1
            return self._is_closed and held.num_calls == 0


@dataclass
class _Held(Generic[Client]):
    """Connections of one process, and how many calls are on them now."""

    client: Client
    process: int = field(default_factory=os.getpid)
    num_calls: int = 0

    @property
    def is_idle(self) -> bool:
        """Whether they may be closed, here and now."""
        return self.num_calls == 0 and self.process == os.getpid()


class _Body:
    """The pieces of a reply, up to a size that no host of ours exceeds."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0

    def add(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size > _MOST_REPLY_BYTES:
            raise Broken("its reply does not end", may_retry=False)

    def whole(self) -> bytes:
        return b"".join(self._pieces)


def _reply(reply: httpx.Response, body: _Body) -> Reply:
    return Reply(reply.status_code, reply.headers, body.whole())


def _arguments(step: Send, *, is_async: bool = False) -> dict[str, object]:
    """For `stream` of a client."""
    call, end = step.call, time.monotonic() + step.seconds
    seconds: dict[str, float] = {}

    def renew(event: str, _details: object) -> None:
        """Each stage of a request may only take what those before it have left."""
        if event.endswith(".started"):
            left = max(end - time.monotonic(), 0.001)
            seconds.update(read=left, write=left, pool=left, connect=min(left, _CONNECT_SECONDS))

    async def renew_async(event: str, details: object) -> None:
        renew(event, details)

    renew(".started", None)
    return {
        "method": call.method,
        "url": call.path,
        "headers": list(call.headers.items()),
        "content": call.content or None,
        "extensions": {"timeout": seconds, "trace": renew_async if is_async else renew},
    }


def _options(line: Line) -> dict[str, object]:
    """For clients of httpx."""
    import httpx

    return {
        "base_url": line.url,
        # No compression: the answers are short, or numbers that do not compress.
        "headers": {"Accept-Encoding": "identity", **line.headers},
        "verify": True if line.tls is None else line.tls,
        "limits": httpx.Limits(
            max_connections=_MOST_CONNECTIONS,
            max_keepalive_connections=_MOST_CONNECTIONS,
            keepalive_expiry=_IDLE_SECONDS,
        ),
        "trust_env": not _is_here(httpx.URL(line.url).host),
        "follow_redirects": False,
    }


def _is_here(name: str) -> bool:
    """Whether a name means this machine: a proxy for elsewhere would not find it."""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    return False


def _broken(error: Exception) -> Broken:
    import httpx

    reason = str(error) or type(error).__name__
    if isinstance(error, httpx.TimeoutException):
        if isinstance(error, httpx.ConnectTimeout):
            return Broken("it cannot be reached in time", is_late=True)
        return Broken("it gives no answer", may_retry=False, is_late=True)
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, _HOPELESS):
            return Broken(reason, may_retry=False, hint=_tls_hint(cause))
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, httpx.RemoteProtocolError) and error.request.url.scheme == "http":
        return Broken(reason, hint=_SPEAKS_TLS)
    if isinstance(error, (httpx.NetworkError, httpx.RemoteProtocolError)):
        return Broken(reason)
    return Broken(reason, may_retry=False)


def _tls_hint(cause: BaseException) -> str:
    """What to do about an error of TLS; "" for others."""
    if isinstance(cause, ssl.SSLCertVerificationError):
        if cause.verify_code in _OTHER_NAME:
            return "Its certificate is for another name; use that one in the address."
        return (
            "If the certificate is its own, or of an authority that this machine does not know, "
            "give a PEM file with it: nb.connect(url, authority=...)."
        )
    if isinstance(cause, ssl.SSLError):
        return "If the host speaks plain HTTP, the address begins with http://."
    return ""


def _closed() -> ClosedError:
    return ClosedError("this connection to a host has been closed; make another with nb.connect")


def _check_installed() -> None:
    try:
        import httpx  # noqa: F401
    except ImportError as error:
        raise ExtraError(
            "talking to a host needs httpx, which is not installed. "
            "Install it with: pip install 'ninebrains[client]'"
        ) from error
