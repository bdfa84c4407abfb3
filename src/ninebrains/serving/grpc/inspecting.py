"""The rest of the Open Inference Protocol: what there is, how it fares, loading and unloading.

It tells the same as the protocol's HTTP routes, whose JSON is that of these messages.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING

from google.protobuf.json_format import ParseDict

from ninebrains import __version__
from ninebrains.errors import BrainError, ClosedError, MissingError, RequestError
from ninebrains.serving.asking import Chosen
from ninebrains.serving.grpc.calls import Call, Method
from ninebrains.serving.grpc.messages import Message, message
from ninebrains.serving.http.inference import (
    EXTENSIONS,
    PLATFORM,
    configuration,
    described,
    indexed,
)
from ninebrains.serving.statistics import statistics_of
from ninebrains.serving.tensors import INPUTS, signature_at

if TYPE_CHECKING:
    from ninebrains.serving.catalog import Version
    from ninebrains.serving.host import Host


def methods(host: Host) -> dict[str, Method]:
    """The methods of this module, by name."""

    async def live(_request: Message, _call: Call) -> Message:
        return message("inference.ServerLiveResponse")(live=True)

    async def ready(_request: Message, _call: Call) -> Message:
        return message("inference.ServerReadyResponse")(ready=host.is_ready)

    async def server(_request: Message, _call: Call) -> Message:
        return message("inference.ServerMetadataResponse")(
            name="ninebrains", version=__version__, extensions=EXTENSIONS
        )

    async def model_ready(request: Message, call: Call) -> Message:
        try:
            signature_at(host, _chosen(host, request, call))
        except (MissingError, ClosedError):
            return message("inference.ModelReadyResponse")(ready=False)
        return message("inference.ModelReadyResponse")(ready=True)

    async def metadata(request: Message, call: Call) -> Message:
        chosen = _chosen(host, request, call)
        told = {
            "name": chosen.name,
            "versions": [str(number) for number in host.catalog.ready(chosen.name)],
            "platform": PLATFORM,
            "inputs": [described(tensor) for tensor in INPUTS],
            "outputs": [described(tensor) for tensor in signature_at(host, chosen).outputs],
        }
        return _as_message("ModelMetadataResponse", told)

    async def config(request: Message, call: Call) -> Message:
        chosen = _chosen(host, request, call)
        told = {"config": configuration(chosen, signature_at(host, chosen))}
        return _as_message("ModelConfigResponse", told)

    async def statistics(request: Message, _call: Call) -> Message:
        versions = _versions(host, request)
        told = await asyncio.to_thread(statistics_of, host.counts, versions)
        return _as_message("ModelStatisticsResponse", {"model_stats": told})

    async def index(request: Message, _call: Call) -> Message:
        told = [
            indexed(version, host.catalog.stage(version))
            for numbers in host.catalog.versions.values()
            for version in _sorted(numbers)
            if version.state.value == "ready" or not request.ready
        ]
        return _as_message("RepositoryIndexResponse", {"models": told})

    async def load(request: Message, _call: Call) -> Message:
        number = _number_in(request)
        try:
            await asyncio.to_thread(host.catalog.load, request.model_name, number)
        except BrainError as error:  # of what lies there, and no fault of ours
            raise RequestError(str(error), 422) from error
        return message("inference.RepositoryModelLoadResponse")()

    async def unload(request: Message, _call: Call) -> Message:
        number = _number_in(request)
        await asyncio.to_thread(host.catalog.unload, request.model_name, number)
        return message("inference.RepositoryModelUnloadResponse")()

    return {
        "ServerLive": Method(live, scope=None),
        "ServerReady": Method(ready, scope=None),
        "ServerMetadata": Method(server),
        "ModelReady": Method(model_ready),
        "ModelMetadata": Method(metadata),
        "ModelConfig": Method(config),
        "ModelStatistics": Method(statistics),
        "RepositoryIndex": Method(index),
        "RepositoryModelLoad": Method(load, scope="admin"),
        "RepositoryModelUnload": Method(unload, scope="admin"),
    }


def _as_message(name: str, told: Mapping[str, object]) -> Message:
    return ParseDict(told, message(f"inference.{name}")())


def _chosen(host: Host, request: Message, call: Call) -> Chosen:
    """The version that a request is about."""
    wanted = f"{request.name}@{request.version}" if request.version else request.name
    call.brains = (wanted,)
    return host.shown(wanted)


def _versions(host: Host, request: Message) -> list[Version]:
    """Those that a request is about: all, all of one name, or one."""
    if not request.name:
        return [one for numbers in host.catalog.versions.values() for one in _sorted(numbers)]
    if request.version:
        return [host.catalog.find(request.name, _number(request.version))]
    found = host.catalog.versions.get(request.name, {})
    if not found:
        raise MissingError(f"there is no brain {request.name[:100]!r} here")
    return _sorted(found)


def _sorted(numbers: Mapping[int, Version]) -> list[Version]:
    return [numbers[number] for number in sorted(numbers)]


def _number_in(request: Message) -> int | None:
    """The version that is to be loaded or unloaded; None for those that the policy says."""
    for name in request.parameters:
        if name not in ("version", "unload_dependents"):
            raise RequestError(
                f"the parameter {name[:60]!r} is not supported; expected version, or none. A brain "
                "says itself how it is run: put another one up to change that."
            )
    if "version" not in request.parameters:
        return None
    parameter = request.parameters["version"]
    kind = parameter.WhichOneof("parameter_choice")
    return _number(str(getattr(parameter, kind)) if kind else "")


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise RequestError(f"{text[:60]!r} is no version; expected a whole number")
    return int(text)
