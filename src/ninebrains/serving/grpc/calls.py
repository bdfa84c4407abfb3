"""One call: its key, its deadline, its message, its answer or its status; the same for all methods.

Messages are read and written here, not by the library: a key is looked at before the message is
read, one that is none is the caller's mistake and not the server's, and one that does not come is
not waited for without end.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import grpc
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

from ninebrains.errors import DeadlineError, NinebrainsError, OverloadError, RequestError
from ninebrains.serving.asking import Asker, Options
from ninebrains.serving.converting import converted
from ninebrains.serving.grpc.counting import check_fields
from ninebrains.serving.grpc.faults import code_of, details_of
from ninebrains.serving.grpc.messages import Message, service
from ninebrains.serving.http.faults import status_of
from ninebrains.serving.http.parameters import read_parameters
from ninebrains.serving.logs import Visit, access

if TYPE_CHECKING:
    from ninebrains.serving.host import Host
    from ninebrains.serving.keys import Holder
    from ninebrains.serving.settings import Limits, Scope

_LOG = logging.getLogger("ninebrains.serving")
_PRIVATE = frozenset({"authorization", "x-api-key", "cookie", "x-user-key"})
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_GONE = 499
_UNEXPECTED = (
    "something went wrong here that is not the request's fault; the host's log says more under "
    "this request's id"
)
_MOST_TRAILING_BYTES = 4_000
"""Of one piece of trailing metadata; clients take 8 KB of all."""

_Context: TypeAlias = Any
"""The library's own account of a call; it comes without types."""


@dataclass(slots=True)
class Call:
    """What is known of a call besides its message.

    Attributes:
        request_id: names this call in the reply and in the log.
        asker: who calls.
        options: how to answer; the caller's own deadline is in it.
        stopping: is set when the host ends; streams end then.
        trailing: what to say after the answer.
        brains: the names that were asked for, for the access log.
    """

    request_id: str
    asker: Asker
    options: Options
    stopping: asyncio.Event
    trailing: dict[str, str] = field(default_factory=dict)
    brains: tuple[str, ...] = ()


Answer: TypeAlias = Callable[[Message, Call], Awaitable[Message]]
Stream: TypeAlias = Callable[[AsyncIterator[Message], Call], AsyncGenerator[Message, None]]


@dataclass(frozen=True, slots=True)
class Method:
    """How a method of a service is answered.

    Attributes:
        answer: makes the answer from the message.
        scope: what a key must allow; None for a method that anybody may call.
    """

    answer: Answer
    scope: Scope | None = "infer"


@dataclass(frozen=True, slots=True)
class Streaming:
    """How a method that streams is answered; see `Method`."""

    answer: Stream
    scope: Scope | None = "infer"


@dataclass(slots=True)
class Desk:
    """What all calls are answered with.

    Attributes:
        host: who answers.
        stopping: is set when the host ends.
        num_bytes: of all messages that are being answered.
    """

    host: Host
    stopping: asyncio.Event
    num_bytes: int = 0

    def service(self, name: str, methods: Mapping[str, Method | Streaming]) -> Message:
        """A service as the server takes it, by its full name."""
        described = service(name).methods_by_name
        made = {one: self._handler(described[one], how) for one, how in methods.items()}
        return grpc.method_handlers_generic_handler(name, made)

    def _handler(self, described: Message, method: Method | Streaming) -> Message:
        request = GetMessageClass(described.input_type)
        seconds = self.host.settings.limits.body_seconds

        async def one(sent: AsyncIterator[bytes], context: _Context) -> bytes:
            assert isinstance(method, Method)
            async with self._answering(described.full_name, method.scope, context) as call:
                data = await _first(sent, seconds)
                with self._held(data):
                    return _written(await method.answer(await self._read(request, data), call))

        async def many(sent: AsyncIterator[bytes], context: _Context) -> AsyncIterator[bytes]:
            assert isinstance(method, Streaming)
            async with self._answering(described.full_name, method.scope, context) as call:
                async for answer in method.answer(self._messages(request, sent), call):
                    yield _written(answer)

        # Whether a caller sends one message or a stream of one is the same on the wire; as a stream
        # it is read when we ask for it.
        if isinstance(method, Streaming):
            return grpc.stream_stream_rpc_method_handler(many)
        return grpc.stream_unary_rpc_method_handler(one)

    async def _messages(self, kind: Message, sent: AsyncIterator[bytes]) -> AsyncIterator[Message]:
        """The messages of a stream; each is held until the next one is asked for."""
        async for data in _until(self.stopping, sent):
            with self._held(data):
                yield await self._read(kind, data)

    async def _read(self, kind: Message, data: bytes) -> Message:
        """The message; photos in it are copied, so that only large ones take long."""
        size = len(data) // 16
        return await converted(size, partial(_parsed, kind, data), self.host.settings.limits)

    @contextmanager
    def _held(self, data: bytes) -> Iterator[None]:
        """While a message is in memory.

        Raises:
            OverloadError: there are too many bytes of messages already.
        """
        self.num_bytes += len(data)
        try:
            if self.num_bytes > self.host.settings.limits.bodies_bytes:
                raise OverloadError(
                    f"calls of {self.num_bytes:,} bytes are open here already, as many as may; "
                    "ask again a little later"
                )
            yield
        finally:
            self.num_bytes -= len(data)

    @asynccontextmanager
    async def _answering(
        self, name: str, scope: Scope | None, context: _Context
    ) -> AsyncGenerator[Call, None]:
        """While a call is answered; what is raised in there becomes the call's status."""
        began, status, holder = time.perf_counter(), _GONE, None
        headers = _texts(context.invocation_metadata())
        call = Call(_request_id(headers), Asker(), Options(), self.stopping)
        try:
            holder = None if scope is None else self.host.keys.check(_presented(headers), scope)
            with _allowed(holder):
                limits = self.host.settings.limits
                call.asker, call.options = _asked(headers, context.time_remaining(), limits)
                yield call
            status = 200
            context.set_trailing_metadata(_trailing(call))
        except NinebrainsError as error:
            status = status_of(error)
            await context.abort(code_of(error), details_of(error), _trailing(call))
        except Exception:  # noqa: BLE001 - whatever it is, the log and the client are told
            status = 500
            _LOG.exception("internal", extra={"request_id": call.request_id, "path": name})
            await context.abort(grpc.StatusCode.INTERNAL, _UNEXPECTED, _trailing(call))
        finally:
            seconds = time.perf_counter() - began
            self.host.measures.count("requests", "grpc", str(status))
            self.host.measures.time("request_seconds", "grpc", seconds=seconds)
            if access.is_on and scope is not None:
                ms = seconds * 1000
                key = holder.name if holder is not None else ""
                visit = Visit(
                    time.time(), call.request_id, "gRPC", name, status, ms, key, call.brains
                )
                access.note(visit)


@contextmanager
def _allowed(holder: Holder | None) -> Iterator[None]:
    """While somebody is answered who may ask that much.

    Raises:
        OverloadError: there are too many calls with this key.
    """
    if holder is None or holder.allowance is None:
        yield
        return
    holder.allowance.begin()
    try:
        yield
    finally:
        holder.allowance.end()


def _request_id(headers: Mapping[str, str]) -> str:
    given = headers.get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else os.urandom(8).hex()


def _texts(metadata: Message) -> dict[str, str]:
    """Metadata that is text; the last one where a name comes twice."""
    return {name: value for name, value in metadata or () if isinstance(value, str)}


def _presented(headers: Mapping[str, str]) -> str | None:
    """The key that a caller shows."""
    kind, _, key = headers.get("authorization", "").partition(" ")
    return key.strip() if kind.lower() == "bearer" else headers.get("x-api-key")


def _asked(
    headers: Mapping[str, str], remaining: float | None, limits: Limits
) -> tuple[Asker, Options]:
    """Who asks, and by when."""
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    said = read_parameters(b"", pairs, {}, limits.deadline_ms)
    shown = {name: value for name, value in headers.items() if name not in _PRIVATE}
    deadlines = [limits.deadline_ms]
    if said.deadline_ms is not None:
        deadlines.append(said.deadline_ms)
    if remaining is not None:
        deadlines.append(max(remaining * 1000, 0.001))
    return Asker(said.user, shown, said.consent), Options(deadline_ms=min(deadlines))


def _trailing(call: Call) -> tuple[tuple[str, str], ...]:
    told = {"x-request-id": call.request_id, **call.trailing}
    return tuple((name, text) for name, text in told.items() if len(text) <= _MOST_TRAILING_BYTES)


async def _first(sent: AsyncIterator[bytes], seconds: float) -> bytes:
    """The one message of a call that has only one."""
    try:
        async with asyncio.timeout(seconds):
            return await anext(sent)
    except TimeoutError:
        raise DeadlineError(
            f"no message came within {seconds:g} s, which is the limit here"
        ) from None
    except StopAsyncIteration:
        raise RequestError("the call ended before its message came") from None


async def _until(stopping: asyncio.Event, sent: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """What is sent, until the host ends."""
    ending = asyncio.ensure_future(stopping.wait())
    try:
        while True:
            coming = asyncio.ensure_future(anext(sent, None))
            try:
                await asyncio.wait((coming, ending), return_when=asyncio.FIRST_COMPLETED)
                data = coming.result() if coming.done() else None
            finally:
                coming.cancel()
            if data is None:
                return
            yield data
    finally:
        ending.cancel()


def _parsed(kind: Message, data: bytes) -> Message:
    check_fields(kind.DESCRIPTOR, data)
    try:
        return kind.FromString(data)
    except (DecodeError, UnicodeDecodeError) as error:
        raise RequestError(
            f"got {len(data):,} bytes that are no {kind.DESCRIPTOR.full_name}: {error}"
        ) from error


def _written(message: Message) -> bytes:
    data: bytes = message.SerializeToString()
    return data
