"""The guard: stands before every route.

Of each request it checks, in this order and before the body is read: the size of its head (431,
414), its key and scope (401, 403), whether there is room for it (429), its announced length (413),
and the limits of the key (429). While the body comes it counts bytes, of this request (413) and of
all (429), and time (408). When the client leaves, the work for it is cancelled. What nobody
expected becomes a 500 with the request's id, and its trace goes to the log. See `faults` for the
form of errors.

Routes find out who is asking through `callers.caller_of`.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from starlette.requests import ClientDisconnect

from ninebrains.errors import NinebrainsError, OverloadError, RequestError
from ninebrains.serving.http import heads
from ninebrains.serving.http.access import Rule, rule_of
from ninebrains.serving.http.callers import PLACE, Caller
from ninebrains.serving.http.faults import Fault, fault_of, tell
from ninebrains.serving.keys import Holder
from ninebrains.serving.logs import Visit, access

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from ninebrains.serving.host import Host

_PATIENCE_SECONDS = 0.05
"""After this time it is worth looking whether the client is still there."""
_LOOK_SECONDS = 0.25
_LEFTOVER_BYTES = 8 * 2**20
_LEFTOVER_SECONDS = 5.0
_GONE = 499


class Guard:
    """Checks requests before the application sees them.

    Args:
        app: what it guards.
        host: whose keys and limits count.
    """

    def __init__(self, app: ASGIApp, host: Host) -> None:
        self.app = app
        self.host = host
        self.num_asking = 0
        self.num_body_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take a request, as ASGI says."""
        if scope["type"] == "http":
            await _Watched(self, scope, receive, send).run()
        else:
            await self.app(scope, receive, send)


class _Watched:
    """One request on its way through the guard."""

    __slots__ = (
        "_began",
        "_caller",
        "_deadline",
        "_fault",
        "_guard",
        "_has_body",
        "_head",
        "_holder",
        "_is_asking",
        "_is_done",
        "_is_gone",
        "_is_reading",
        "_is_started",
        "_is_whole",
        "_most_bytes",
        "_num_bytes",
        "_path",
        "_receive",
        "_rule",
        "_scope",
        "_send",
        "_status",
        "_task",
        "_timer",
        "_watch",
    )

    def __init__(self, guard: Guard, scope: Scope, receive: Receive, send: Send) -> None:
        self._began = time.perf_counter()
        self._guard = guard
        self._scope = scope
        self._receive = receive
        self._send = send
        self._path: str = scope["path"]
        self._rule = rule_of(scope["method"], self._path)
        self._head: dict[bytes, bytes] = dict(scope["headers"])
        self._has_body = heads.announces_body(scope, self._head)
        self._is_whole = not self._has_body
        self._num_bytes = 0
        self._is_reading = self._is_started = self._is_done = self._is_gone = False
        self._is_asking = False
        self._fault: Fault | None = None
        self._status = 0
        self._holder: Holder | None = None
        self._watch: asyncio.Task[Message] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._caller = Caller(heads.request_id(self._head))
        scope[PLACE] = self._caller

    async def run(self) -> None:
        """Answer the request, or refuse it."""
        try:
            self._let_in()
        except NinebrainsError as error:
            self._fault = fault_of(error, self._path)
        else:
            await self._answer()
        if self._fault is not None and not self._is_started and not self._is_gone:
            await self._refuse(self._fault)
        self._note()
        if self._fault is not None and not self._is_whole and b"expect" not in self._head:
            await self._read_on()

    def _let_in(self) -> None:
        """Check everything that can be known before the body comes."""
        limits = self._guard.host.settings.limits
        heads.check_size(self._scope, limits.header_bytes)
        self._check_key(self._rule)
        self._caller.asker = heads.asker(self._scope, self._head)
        uploads = self._rule.uploads
        self._most_bytes = limits.upload_bytes if uploads else limits.body_bytes
        self._deadline = self._began + (limits.upload_seconds if uploads else limits.body_seconds)
        if self._rule.asks and self._guard.num_asking >= self._guard.host.settings.mind.max_pending:
            raise OverloadError(
                f"{self._guard.num_asking} requests are waiting here already, as many as may; "
                "ask again a little later"
            )
        length = self._head.get(b"content-length")
        if length is not None and length.isdigit() and int(length) > self._most_bytes:
            raise self._too_large(int(length))
        if self._holder is not None and self._holder.allowance is not None:
            self._holder.allowance.begin()  # the last check: whoever gets here also ends

    async def _answer(self) -> None:
        """Let the application answer, and see to what it does not catch."""
        self._task = asyncio.current_task()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(_PATIENCE_SECONDS, self._look)
        self._count_whole()
        try:
            await self._guard.app(self._scope, self.receive, self.send)
        except ClientDisconnect:
            self._is_gone = self._fault is None
        except asyncio.CancelledError:
            if self._task is None or not (self._is_gone or self._fault):
                raise
            self._task.uncancel()
        except Exception as error:
            self._blame(error)
            if self._is_started and not self._is_done:
                raise  # half an answer must not look like a whole one
        finally:
            self._timer.cancel()
            if self._watch is not None:
                self._watch.cancel()
            if self._is_asking:
                self._guard.num_asking -= 1
            if not self._rule.uploads:
                self._guard.num_body_bytes -= self._num_bytes
            if self._holder is not None and self._holder.allowance is not None:
                self._holder.allowance.end()

    async def receive(self) -> Message:
        """The next piece of the body, within the limits; then, that the client has left."""
        if not self._has_body:
            self._has_body = True
            return {"type": "http.request", "body": b"", "more_body": False}
        if self._is_whole:
            return await asyncio.shield(self._watching())
        self._is_reading = True
        message = await self._receive()
        self._is_reading = False
        if message["type"] != "http.request":
            self._fault = fault_of(
                RequestError(
                    f"the body broke off after {self._num_bytes:,} bytes; expected all that was "
                    "announced, in the form that HTTP has for it"
                )
            )
            return message
        self._count(len(message.get("body", b"")))
        if not message.get("more_body", False):
            self._is_whole = True
            self._count_whole()
        return message

    async def send(self, message: Message) -> None:
        """Send a piece of the reply, unless the request has been found at fault meanwhile."""
        if message["type"] == "http.response.start":
            if self._fault is not None:
                return
            self._is_started = True
            self._status = message["status"]
            name = (b"x-request-id", self._caller.request_id.encode())
            message["headers"] = [*message.get("headers", ()), name]
        elif not self._is_started:
            return
        else:
            self._is_done = not message.get("more_body", False)
        await self._send(message)

    def _look(self) -> None:
        """See after a request that takes long: is the body late, has the client left?"""
        loop = asyncio.get_running_loop()
        if self._is_whole:
            self._watching()
        elif self._is_reading and time.perf_counter() > self._deadline:
            seconds = self._deadline - self._began
            error = RequestError(
                f"the body did not arrive within {seconds:g} seconds; send less, or faster", 408
            )
            self._fault = fault_of(error)
            self._cancel()
        else:
            self._timer = loop.call_later(_LOOK_SECONDS, self._look)

    def _watching(self) -> asyncio.Task[Message]:
        """Waits until the client leaves, and cancels what is done for it."""
        if self._watch is None:
            self._watch = asyncio.ensure_future(self._wait_for_leaving())
        return self._watch

    async def _wait_for_leaving(self) -> Message:
        while (message := await self._receive())["type"] == "http.request":
            pass  # the empty body of a request that announced none
        if not self._is_done:
            self._is_gone = True
            self._cancel()
        return message

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _count(self, num_bytes: int) -> None:
        """Count a piece of the body, for this request and for all that are open."""
        guard = self._guard
        self._num_bytes += num_bytes
        error: NinebrainsError | None = None
        if self._num_bytes > self._most_bytes:
            error = self._too_large(None)
        if not self._rule.uploads:  # what is uploaded goes to the disk
            guard.num_body_bytes += num_bytes
            if guard.num_body_bytes > guard.host.settings.limits.bodies_bytes:
                error = error or OverloadError(
                    f"requests of {guard.num_body_bytes:,} bytes are open here already, as many "
                    "as may; ask again a little later"
                )
        if error is not None:
            self._fault = fault_of(error)
            raise error

    def _count_whole(self) -> None:
        """From when its body is there a request waits for the mind, and not for its sender."""
        if self._is_whole and self._rule.asks and not self._is_asking:
            self._is_asking = True
            self._guard.num_asking += 1

    async def _refuse(self, fault: Fault) -> None:
        """Say what is wrong, in the form that the path's clients expect."""
        body = fault.body(self._path, self._caller.request_id)
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"x-request-id", self._caller.request_id.encode()),
        ]
        headers += [(name.encode(), value.encode()) for name, value in fault.headers.items()]
        self._status = fault.status
        await self._send(
            {"type": "http.response.start", "status": fault.status, "headers": headers}
        )
        content = b"" if self._scope["method"] == "HEAD" else body
        await self._send({"type": "http.response.body", "body": content, "more_body": False})

    async def _read_on(self) -> None:
        """Take what a refused client still sends, for a while, and drop it.

        It would otherwise find the connection broken, and never see the reply.
        """
        left = _LEFTOVER_BYTES
        try:
            async with asyncio.timeout(_LEFTOVER_SECONDS):
                while left > 0:
                    message = await self._receive()
                    if message["type"] != "http.request" or not message.get("more_body"):
                        return
                    left -= len(message["body"])
        except TimeoutError:
            return  # the server closes the connection

    def _blame(self, error: Exception) -> None:
        """Tell the log of an exception that nobody expected, and the client that there was one."""
        if self._fault is None:
            self._fault = fault_of(error, self._path)
            if self._fault.status < 500:
                return
        if self._caller.is_told:
            return
        path = self._path[: heads.MOST_SHOWN]
        tell(error, self._fault, {"request_id": self._caller.request_id, "path": path})

    def _note(self) -> None:
        """Write the request into the access log."""
        if not access.is_on or (self._rule.is_probe and self._status < 400):
            return
        caller, now = self._caller, time.perf_counter()
        access.note(
            Visit(
                time.time(),
                caller.request_id,
                self._scope["method"],
                self._path,
                _GONE if self._is_gone and not self._is_done else self._status,
                (now - self._began) * 1000,
                caller.key,
                caller.brains,
            )
        )

    def _check_key(self, rule: Rule) -> None:
        keys = self._guard.host.keys
        if not rule.scopes:
            return
        presented = heads.presented_key(self._head)
        if presented is None and rule.is_page and keys.is_local:
            return
        self._holder = holder = keys.check(presented, *rule.scopes)
        self._caller.key = holder.name
        self._caller.scopes = holder.scopes

    def _too_large(self, length: int | None) -> RequestError:
        got = f"{self._most_bytes:,} bytes and more" if length is None else f"{length:,} bytes"
        return RequestError(
            f"got a body of {got}; expected at most {self._most_bytes:,}. Send fewer or smaller "
            "photos in one request",
            413,
        )
