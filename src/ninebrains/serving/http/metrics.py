"""`/metrics` in the form of Prometheus, and the counting of requests behind it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ninebrains.serving.catalog import State
from ninebrains.serving.measures import BOUNDS, Labels, Measures, Times, whole

if TYPE_CHECKING:
    from prometheus_client.core import Metric
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from ninebrains.serving.host import Host

Value = TypeVar("Value")

_CLOSE = (b"connection", b"close")
_GONE = 499  # as the access log has it: the client left, and nobody was there to answer
_FAMILIES = frozenset(
    ("infer", "v1", "v2", "brains", "feedback", "drift", "admin", "livez", "readyz", "metrics")
)
_Described = Mapping[str, tuple[str, str, Labels]]
_COUNTS: _Described = {
    "requests": (
        "ninebrains_requests",
        "Requests, by the first part of their path (or grpc) and status",
        ("route", "status"),
    ),
    "answers": (
        "ninebrains_answers",
        "Answers and errors, by version",
        ("brain", "version", "variant", "outcome"),
    ),
    "mind": (
        "ninebrains_mind",
        "Photos by what became of them in the scheduler",
        ("outcome",),
    ),
    "cpu_seconds": ("process_cpu_seconds", "CPU time of all workers", ()),
}
_TIMES: _Described = {
    "request_seconds": (
        "ninebrains_request_seconds",
        "Time from a request's headers to the end of its answer",
        ("route",),
    ),
    "photo_seconds": ("ninebrains_photo_seconds", "Time that photos took, by step", ("step",)),
}
_GAUGES: _Described = {
    "requests_in_flight": ("ninebrains_requests_in_flight", "Requests being answered", ()),
    "mind_pending": ("ninebrains_mind_pending", "Photos in the scheduler", ()),
    "mind_waiting": ("ninebrains_mind_waiting", "Callers that wait for room there", ()),
    "workers": ("ninebrains_workers", "Processes that answer", ()),
    "resident_memory_bytes": (
        "process_resident_memory_bytes",
        "Memory of all workers; what they share counts for each",
        (),
    ),
}


class Measured:
    """An application whose requests are counted and timed; the outermost layer.

    While the host is about to close, every answer also closes its connection: who keeps connections
    open is not to send the next request into one that is ending.
    """

    def __init__(self, app: ASGIApp, host: Host) -> None:
        self._app = app
        self._host = host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, and take note of how that went."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status, host = time.perf_counter(), _GONE, self._host
        measures = host.measures

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if host.is_draining:
                    message["headers"] = [*message.get("headers", ()), _CLOSE]
            await send(message)

        measures.shift("requests_in_flight", by=1)
        try:
            await self._app(scope, receive, sending)
        except Exception:
            status = 500
            raise
        finally:
            measures.shift("requests_in_flight", by=-1)
            route = family_of(scope["path"])
            measures.count("requests", route, str(status))
            measures.time("request_seconds", route, seconds=time.perf_counter() - began)


def family_of(path: str) -> str:
    """The first part of a path if it is one of ours, else `other`."""
    first = path[1:].partition("/")[0]
    return first if first in _FAMILIES else "other"


def routes(host: Host) -> list[Route]:
    """The routes of this module."""
    from anyio.to_thread import run_sync

    async def metrics(_request: Request) -> Response:
        from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

        text = await run_sync(render, host)
        return Response(text, media_type=CONTENT_TYPE_PLAIN_0_0_4)

    return [Route("/metrics", metrics, methods=["GET"])]


def render(host: Host) -> bytes:
    """All that is measured, of all workers, in the text form of Prometheus."""
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.registry import Collector

    class Collected(Collector):
        def collect(self) -> Iterator[Metric]:
            yield from _metrics(whole(host.measures, host.mind, host.exchange))
            yield from _of_catalog(host)
            for more in host.samples:
                yield from more()

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Collected())
    return generate_latest(registry)


def _metrics(measures: Measures) -> Iterator[Metric]:
    from prometheus_client.core import (
        CounterMetricFamily,
        GaugeMetricFamily,
        HistogramMetricFamily,
    )

    for family, (name, text, labels) in _COUNTS.items():
        counter = CounterMetricFamily(name, text, labels=labels)
        for key, count in _of(family, measures.counts):
            counter.add_metric(key, count)
        yield counter
    for family, (name, text, labels) in _TIMES.items():
        histogram = HistogramMetricFamily(name, text, labels=labels)
        for key, times in _of(family, measures.times):
            histogram.add_metric(key, _buckets(times), times.seconds)
        yield histogram
    for family, (name, text, labels) in _GAUGES.items():
        gauge = GaugeMetricFamily(name, text, labels=labels)
        for key, value in _of(family, measures.gauges):
            gauge.add_metric(key, value)
        yield gauge


def _of(family: str, values: Mapping[Labels, Value]) -> Iterator[tuple[Labels, Value]]:
    return ((key[1:], value) for key, value in values.items() if key[0] == family)


def _buckets(times: Times) -> list[tuple[str, float]]:
    total, buckets = 0, []
    for bound, count in zip((*map(str, BOUNDS), "+Inf"), times.counts, strict=True):
        total += count
        buckets.append((bound, float(total)))
    return buckets


def _of_catalog(host: Host) -> Iterator[Metric]:
    from prometheus_client.core import GaugeMetricFamily

    metric = GaugeMetricFamily("ninebrains_versions", "Versions, by state", labels=("state",))
    known = [version for some in host.catalog.versions.values() for version in some.values()]
    for state in State:
        metric.add_metric([state.value], sum(version.state is state for version in known))
    yield metric
