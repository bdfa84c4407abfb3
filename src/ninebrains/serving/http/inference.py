"""The Open Inference Protocol, version 2, over HTTP, with Triton's extensions.

    GET  /v2, /v2/health/live, /v2/health/ready
    GET  /v2/models/pets[/versions/3], …/ready, …/config, …/stats
    POST /v2/models/pets[/versions/3]/infer
    POST /v2/repository/index, /v2/repository/models/pets/load, …/unload

The protocol has no labels of versions; where a name stands, `pets@canary` may stand as well.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

import ninebrains
from ninebrains.errors import MissingError, RequestError
from ninebrains.serving.asking import Chosen, Options
from ninebrains.serving.converting import converted
from ninebrains.serving.http.callers import caller_of
from ninebrains.serving.http.inference_bodies import (
    HEADER_LENGTH,
    Asked,
    Parameters,
    num_to_read,
    read_asked,
    write_answers,
)
from ninebrains.serving.http.inference_schema import describe
from ninebrains.serving.http.tensor_bodies import (
    options_of,
    read_object,
    read_unpacked,
    write_json,
)
from ninebrains.serving.statistics import statistics_of
from ninebrains.serving.tensors import (
    INPUTS,
    Photos,
    Signature,
    Tensor,
    answer_tensors,
    photos_of,
    signature_at,
)
from ninebrains.serving.wire import DATATYPES

if TYPE_CHECKING:
    from ninebrains.serving.catalog import Version
    from ninebrains.serving.host import Host
    from ninebrains.serving.settings import Limits

__all__ = ["EXTENSIONS", "PLATFORM", "configuration", "describe", "described", "indexed", "routes"]

EXTENSIONS = (
    "classification",
    "model_repository",
    "model_configuration",
    "statistics",
    "binary_tensor_data",
    "parameters",
)
PLATFORM = "onnxruntime_onnx"
_STATES = {"ready": "READY", "loading": "LOADING", "leaving": "UNLOADING"}


def routes(host: Host) -> list[Route]:
    """The routes of this module, the hot ones first."""
    one, version = "/v2/models/{name}", "/v2/models/{name}/versions/{version}"
    tables = [
        ("POST", "/infer", infer),
        ("GET", "/ready", is_ready),
        ("GET", "/config", config),
        ("GET", "/stats", stats),
        ("GET", "", metadata),
    ]
    found = [
        Route(path + place, partial(answer, host), methods=[method])
        for method, place, answer in tables
        for path in (one, version)
    ]
    others = [
        ("GET", "/v2", server),
        ("GET", "/v2/health/live", live),
        ("GET", "/v2/health/ready", ready),
        ("POST", "/v2/repository/index", index),
        ("POST", "/v2/repository/models/{name}/load", load),
        ("POST", "/v2/repository/models/{name}/unload", unload),
    ]
    # Else a model called "stats" would hide those of all.
    found.insert(0, Route("/v2/models/stats", partial(stats, host), methods=["GET"]))
    return found + [Route(path, partial(answer, host), methods=[m]) for m, path, answer in others]


async def infer(host: Host, request: Request) -> Response:
    """Answer photos with the outputs of a version."""
    limits = host.settings.limits
    body = await read_unpacked(request, limits)
    length = request.headers.get(HEADER_LENGTH)
    size = num_to_read(body, length)
    asked, photos = await converted(size, partial(_read, body, length, limits), limits)
    wanted, caller = _wanted(request), caller_of(request)
    caller.brains = (wanted,)
    options = _options(options_of(request, limits), asked.parameters, limits.deadline_ms)
    names = [output.name for output in asked.outputs] or None
    answers = await answer_tensors(host, wanted, photos, names, caller.asker, options)
    reply, num_json = write_answers(asked, answers)
    if num_json is None:
        return Response(reply, media_type="application/json")
    headers = {HEADER_LENGTH: str(num_json)}
    return Response(reply, headers=headers, media_type="application/octet-stream")


def _read(body: bytes, length: str | None, limits: Limits) -> tuple[Asked, Photos]:
    asked = read_asked(body, length, limits)
    return asked, photos_of(asked.inputs, limits)


async def server(host: Host, request: Request) -> Response:
    """Tell who answers here, and what they know beyond the protocol."""
    del host, request
    return _reply(
        {"name": "ninebrains", "version": ninebrains.__version__, "extensions": EXTENSIONS}
    )


async def live(host: Host, request: Request) -> Response:
    """Tell that the process is alive."""
    del host, request
    return _reply({"live": True})


async def ready(host: Host, request: Request) -> Response:
    """Tell whether every brain can be asked."""
    del request
    return _reply({"ready": host.is_ready}, 200 if host.is_ready else 503)


async def is_ready(host: Host, request: Request) -> Response:
    """Tell whether a version can be asked; if not, why."""
    chosen = _chosen(host, request)
    signature_at(host, chosen)
    return _reply({"name": request.path_params["name"], "ready": True})


async def metadata(host: Host, request: Request) -> Response:
    """Tell what a version takes and gives."""
    chosen = _chosen(host, request)
    outputs = signature_at(host, chosen).outputs
    return _reply(
        {
            "name": chosen.name,
            "versions": [str(number) for number in host.catalog.ready(chosen.name)],
            "platform": PLATFORM,
            "inputs": [described(tensor) for tensor in INPUTS],
            "outputs": [described(tensor) for tensor in outputs],
        }
    )


async def config(host: Host, request: Request) -> Response:
    """Tell the same in the form of Triton's model configuration."""
    chosen = _chosen(host, request)
    return _reply(configuration(chosen, signature_at(host, chosen)))


def configuration(chosen: Chosen, signature: Signature) -> dict[str, object]:
    """A version in the form of Triton's model configuration.

    Shapes hold the axis of the photos themselves, so `max_batch_size` is 0.
    """
    return {
        "name": chosen.name,
        "platform": PLATFORM,
        "backend": "onnxruntime",
        "max_batch_size": 0,
        "version_policy": {"specific": {"versions": [chosen.number]}},
        "input": [
            {**_configured(tensor), "format": "FORMAT_NONE", "optional": True} for tensor in INPUTS
        ],
        "output": [_configured(tensor) for tensor in signature.outputs],
    }


async def stats(host: Host, request: Request) -> Response:
    """Tell how often versions answered, and what took how long."""
    name = request.path_params.get("name")
    if name is None:
        found = [version for numbers in host.catalog.versions.values() for version in _of(numbers)]
    elif "version" in request.path_params:
        found = [host.catalog.find(name, _number(request.path_params["version"]))]
    else:
        found = _of(host.catalog.versions.get(name, {}))
        if not found:
            raise MissingError(f"there is no brain {name[:100]!r} here")
    told = await asyncio.to_thread(statistics_of, host.counts, found)
    return _reply({"model_stats": told})


async def index(host: Host, request: Request) -> Response:
    """Tell which versions there are, and in which state."""
    body = await read_unpacked(request, host.settings.limits)
    only_ready = (await _object(body, host.settings.limits)).get("ready", False)
    if not isinstance(only_ready, bool):
        raise RequestError('"ready" is neither true nor false')
    told = [
        indexed(version, host.catalog.stage(version))
        for numbers in host.catalog.versions.values()
        for version in _of(numbers)
        if version.state.value == "ready" or not only_ready
    ]
    return _reply(told)


async def load(host: Host, request: Request) -> Response:
    """Load a name's versions, or one that the parameter `version` names."""
    number = await _load_number(host, request)
    await asyncio.to_thread(host.catalog.load, request.path_params["name"], number)
    return Response(status_code=200)


async def unload(host: Host, request: Request) -> Response:
    """Let go of a name's versions, or of one that the parameter `version` names."""
    number = await _load_number(host, request)
    await asyncio.to_thread(host.catalog.unload, request.path_params["name"], number)
    return Response(status_code=200)


async def _load_number(host: Host, request: Request) -> int | None:
    body = await read_unpacked(request, host.settings.limits)
    parameters = (await _object(body, host.settings.limits)).get("parameters", {})
    if not isinstance(parameters, dict):
        raise RequestError("parameters is no object")
    for name in parameters:
        if name not in ("version", "unload_dependents"):
            raise RequestError(
                f"the parameter {name[:60]!r} is not supported; expected version, or none. A brain "
                "says itself how it is run: put another one up to change that."
            )
    version = parameters.get("version")
    return None if version is None else _number(str(version))


async def _object(body: bytes, limits: Limits) -> dict[str, object]:
    """What a body says that may be empty."""
    return await converted(len(body), lambda: read_object(body) if body.strip() else {}, limits)


def _of(numbers: Mapping[int, Version]) -> list[Version]:
    """Versions of one name, the oldest first."""
    return [numbers[number] for number in sorted(numbers)]


def _chosen(host: Host, request: Request) -> Chosen:
    return host.shown(_wanted(request))


def _wanted(request: Request) -> str:
    name: str = request.path_params["name"]
    if "version" not in request.path_params:
        return name
    return f"{name}@{_number(request.path_params['version'])}"


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise RequestError(f"{text[:60]!r} is no version; expected a whole number")
    return int(text)


def _options(options: Options, parameters: Parameters, longest_ms: float) -> Options:
    """Triton's `timeout`, in microseconds, is a deadline."""
    timeout = parameters.get("timeout", 0)
    if isinstance(timeout, bool) or not isinstance(timeout, int) or timeout < 0:
        raise RequestError("timeout is no whole number of microseconds")
    if not timeout or options.deadline_ms is not None:
        return options
    return Options(deadline_ms=min(timeout / 1000, longest_ms), priority=options.priority)


def described(tensor: Tensor) -> dict[str, object]:
    """A tensor as the protocol tells of it."""
    datatype = DATATYPES[tensor.dtype]
    return {"name": tensor.name, "datatype": datatype, "shape": list(tensor.shape)}


def _configured(tensor: Tensor) -> dict[str, object]:
    datatype = DATATYPES[tensor.dtype]
    kind = "STRING" if datatype == "BYTES" else datatype
    return {"name": tensor.name, "data_type": f"TYPE_{kind}", "dims": list(tensor.shape)}


def indexed(version: Version, stage: str) -> dict[str, object]:
    """A version as the index of the repository tells of it; for `stage` see `Catalog.stage`."""
    state = _STATES.get(stage, "UNAVAILABLE")
    return {
        "name": version.name,
        "version": str(version.number),
        "state": state,
        "reason": version.reason or ("" if state == "READY" else stage),
    }


def _reply(told: object, status: int = 200) -> Response:
    return Response(write_json(told, {}), status, media_type="application/json")
