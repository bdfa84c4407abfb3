"""Traces of requests for OpenTelemetry; the extra `traces`. Without an address nothing here runs.

One span a request, with the caller's `traceparent` as its parent, and below it one for each step of
each photo: waiting, decoding, network and heads.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ninebrains.errors import ExtraError
from ninebrains.serving.asking import Answered
from ninebrains.serving.http.callers import PLACE
from ninebrains.serving.http.metrics import family_of

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Span
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_STEPS = ("decode_ms", "queue_ms", "network_ms", "head_ms")
"""In the order in which they happen."""
_CLOSE_MILLISECONDS = 2_000


@dataclass(eq=False, slots=True)
class _Current:
    """The request that is being answered."""

    span: Span
    brains: dict[str, None] = field(default_factory=dict)


_current: ContextVar[_Current | None] = ContextVar("current", default=None)


class Traces:
    """Sends traces to one address.

    Args:
        address: of a collector that takes OTLP over HTTP, such as `http://localhost:4318/v1/traces`.

    Raises:
        ExtraError: the extra is not installed.
    """

    def __init__(self, address: str) -> None:
        exporter = exporter_to(address)
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        resource = Resource.create({"service.name": "ninebrains"})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self.tracer = self._provider.get_tracer("ninebrains")

    def saw(self, answered: Answered) -> None:
        """Note which version is being asked."""
        current = _current.get()
        if current is not None:
            current.brains[answered.chosen.member] = None

    def took(self, timings: Mapping[str, float], _seconds: float) -> None:
        """Make the spans of a photo's steps, as they have just ended."""
        current = _current.get()
        if current is None:
            return
        from opentelemetry.trace import set_span_in_context

        context = set_span_in_context(current.span)
        nanoseconds = {name: int(timings.get(name, 0) * 1e6) for name in _STEPS}
        begin = time.time_ns() - sum(nanoseconds.values())
        for name, took in nanoseconds.items():
            step = name.removesuffix("_ms")
            self.tracer.start_span(step, context, start_time=begin).end(begin + took)
            begin += took

    def close(self) -> None:
        """Send what is left, if that can be done soon."""
        self._provider.force_flush(_CLOSE_MILLISECONDS)
        self._provider.shutdown()


class Traced:
    """An application whose requests are traced."""

    def __init__(self, app: ASGIApp, traces: Traces) -> None:
        self._app = app
        self._tracer = traces.tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer within a span."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        from opentelemetry.trace import SpanKind
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        headers = {
            name.decode("latin-1"): text.decode("latin-1") for name, text in scope["headers"]
        }
        method, path = scope["method"], scope["path"]
        span = self._tracer.start_span(
            f"{method} /{family_of(path)}",
            TraceContextTextMapPropagator().extract(headers),
            kind=SpanKind.SERVER,
            attributes={"http.request.method": method, "url.path": path},
        )
        current = _Current(span)
        token = _current.set(current)

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                _note_status(span, message["status"])
            await send(message)

        try:
            await self._app(scope, receive, sending)
        finally:
            _current.reset(token)
            if PLACE in scope:
                span.set_attribute("ninebrains.request_id", scope[PLACE].request_id)
            span.set_attribute("ninebrains.brains", list(current.brains))
            span.end()


def exporter_to(address: str) -> SpanExporter:
    """What sends spans.

    Raises:
        ExtraError: the extra is not installed.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ImportError as error:
        raise ExtraError(
            f'traces: {error.name} is missing; traces need: pip install "ninebrains[serve,traces]"'
        ) from error
    return OTLPSpanExporter(endpoint=address, timeout=5)


def _note_status(span: Span, status: int) -> None:
    from opentelemetry.trace import StatusCode

    span.set_attribute("http.response.status_code", status)
    if status >= 500:
        span.set_status(StatusCode.ERROR)
