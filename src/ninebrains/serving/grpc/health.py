"""The health service: what Kubernetes' gRPC probes and load balancers ask."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import TYPE_CHECKING

from ninebrains.errors import MissingError
from ninebrains.serving.grpc.calls import Call, Desk, Method, Streaming
from ninebrains.serving.grpc.messages import Message, message

if TYPE_CHECKING:
    from ninebrains.serving.host import Host

SERVICES = (
    "",
    "inference.GRPCInferenceService",
    "tensorflow.serving.PredictionService",
    "tensorflow.serving.ModelService",
)
_SERVING, _NOT_SERVING, _UNKNOWN = 1, 2, 3
_LOOK_SECONDS = 0.25


def services(desk: Desk) -> list[Message]:
    """The service of this module."""
    reply = message("grpc.health.v1.HealthCheckResponse")

    async def check(request: Message, _call: Call) -> Message:
        if request.service not in SERVICES:
            raise MissingError(f"there is no service {request.service[:100]!r} here")
        return reply(status=_status(desk.host))

    async def watch(requests: AsyncIterator[Message], call: Call) -> AsyncGenerator[Message, None]:
        request = await anext(requests, None)
        said = None
        while request is not None and not call.stopping.is_set():
            status = _status(desk.host) if request.service in SERVICES else _UNKNOWN
            if status != said:
                yield reply(status=status)
                said = status
            await asyncio.sleep(_LOOK_SECONDS)
        yield reply(status=_NOT_SERVING)

    methods: dict[str, Method | Streaming] = {
        "Check": Method(check, scope=None),
        "Watch": Streaming(watch, scope=None),
    }
    return [desk.service("grpc.health.v1.Health", methods)]


def _status(host: Host) -> int:
    return _SERVING if host.is_ready else _NOT_SERVING
