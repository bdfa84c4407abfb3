"""The Open Inference Protocol's `GRPCInferenceService`: asking. See `inspecting` for the rest."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ninebrains.errors import NinebrainsError, RequestError
from ninebrains.serving.asking import Options
from ninebrains.serving.converting import converted
from ninebrains.serving.grpc import inspecting
from ninebrains.serving.grpc.calls import Call, Desk, Method, Streaming
from ninebrains.serving.grpc.faults import details_of
from ninebrains.serving.grpc.messages import Message, message
from ninebrains.serving.grpc.tensor_protos import check_listed
from ninebrains.serving.tensors import (
    BYTES,
    Array,
    Photos,
    TensorAnswers,
    answer_tensors,
    check_inputs,
    photos_of,
)
from ninebrains.serving.wire import (
    as_items,
    best_classes,
    datatype_of,
    dtype_of,
    pack,
    shape_of,
    unpack,
)

if TYPE_CHECKING:
    from ninebrains.serving.host import Host
    from ninebrains.serving.settings import Limits

_MOST_AXES = 8
_FIELDS = {
    "bool": "bool_contents",
    "int8": "int_contents",
    "int16": "int_contents",
    "int32": "int_contents",
    "int64": "int64_contents",
    "uint8": "uint_contents",
    "uint16": "uint_contents",
    "uint32": "uint_contents",
    "uint64": "uint64_contents",
    "float32": "fp32_contents",
    "float64": "fp64_contents",
    BYTES: "bytes_contents",
}
"""The list that values lie in which are not raw; 16-bit floats come raw alone."""


def services(desk: Desk) -> list[Message]:
    """The service of this module."""
    host = desk.host

    async def infer(request: Message, call: Call) -> Message:
        return await _infer(host, request, call)

    async def stream(requests: AsyncIterator[Message], call: Call) -> AsyncGenerator[Message, None]:
        kind = message("inference.ModelStreamInferResponse")
        async for request in requests:
            try:
                yield kind(infer_response=await _infer(host, request, call))
            except NinebrainsError as error:
                # One that fails does not end the stream; its id says which one it was.
                failed = kind(error_message=details_of(error))
                failed.infer_response.id = request.id
                yield failed

    methods: dict[str, Method | Streaming] = {
        "ModelInfer": Method(infer),
        "ModelStreamInfer": Streaming(stream),
        **inspecting.methods(host),
    }
    return [desk.service("inference.GRPCInferenceService", methods)]


async def _infer(host: Host, request: Message, call: Call) -> Message:
    if not request.model_name:
        raise RequestError("the request has no model_name; expected that of a brain")
    limits = host.settings.limits
    check_inputs(len({tensor.name for tensor in request.inputs}))
    # Numbers are read that quickly here, in lists as well, that a million is not large.
    size = math.prod(request.inputs[0].shape[:_MOST_AXES]) // 16
    photos = await converted(size, partial(_photos, request, limits), limits)
    version = request.model_version
    wanted = f"{request.model_name}@{version}" if version else request.model_name
    call.brains = (wanted,)
    outputs = list(dict.fromkeys(output.name for output in request.outputs))
    options = _options(request, call.options)
    made = await answer_tensors(host, wanted, photos, outputs, call.asker, options)
    return _reply(request, made)


def _options(request: Message, options: Options) -> Options:
    """How to answer, where the parameters of a request say more: Triton's priority and timeout."""
    timeout, priority = request.parameters["timeout"], request.parameters["priority"]
    microseconds, level = _number(timeout), _number(priority)
    if microseconds:
        own = options.deadline_ms or float("inf")
        options = replace(options, deadline_ms=min(own, microseconds / 1000))
    return replace(options, priority="bulk") if level > 1 else options


def _number(parameter: Message) -> int:
    """A whole number from 0 that a parameter holds; 0 for one that says nothing."""
    kind = parameter.WhichOneof("parameter_choice")
    value = getattr(parameter, kind) if kind else 0
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise RequestError(f"a parameter is {str(value)[:60]!r}; expected a whole number from 0")
    return value


def _photos(request: Message, limits: Limits) -> Photos:
    return photos_of(_inputs(request, limits), limits)


def _inputs(request: Message, limits: Limits) -> dict[str, Array]:
    """What a request holds, by name."""
    raw = request.raw_input_contents
    if len(raw) not in (0, len(request.inputs)):
        raise RequestError(
            f"got {len(raw)} raw_input_contents for {len(request.inputs)} inputs; expected one for "
            "each, or none"
        )
    inputs: dict[str, Array] = {}
    for index, tensor in enumerate(request.inputs):
        if tensor.name in inputs:
            raise RequestError(f"input {tensor.name[:60]!r} comes twice")
        if any(name.startswith("shared_memory") for name in tensor.parameters):
            raise RequestError(
                "this host does not read shared memory; send the tensor in the request"
            )
        shape = shape_of(list(tensor.shape))
        if raw and tensor.HasField("contents"):
            raise RequestError("got both raw_input_contents and contents; expected one of them")
        if raw:
            inputs[tensor.name] = unpack(tensor.datatype, shape, memoryview(raw[index]), limits)
        else:
            inputs[tensor.name] = _listed(tensor, shape)
    return inputs


def _listed(tensor: Message, shape: tuple[int, ...]) -> Array:
    """A tensor whose values are in a list that fits its type."""
    dtype = dtype_of(tensor.datatype)
    field = _FIELDS.get(dtype)
    if field is None:
        raise RequestError(f"{tensor.datatype} is taken from raw_input_contents alone")
    values = getattr(tensor.contents, field)
    check_listed(field, len(values))
    if len(values) != int(np.prod(shape, dtype=object)):
        raise RequestError(f"{field} has {len(values):,} values; the shape {list(shape)} does not")
    if dtype == BYTES:
        return as_items(list(values), shape)
    given = np.array(values)
    fitting = given.astype(dtype)
    if not np.array_equal(given, fitting):
        raise RequestError(f"{field} holds values that are no {tensor.datatype}")
    return fitting.reshape(shape)


def _reply(request: Message, made: TensorAnswers) -> Message:
    """The answers as they were asked for."""
    reply = message("inference.ModelInferResponse")(
        model_name=made.chosen.name, model_version=str(made.chosen.number), id=request.id
    )
    reply.parameters["prediction_ids"].string_param = ",".join(made.predictions)
    reply.parameters["variant"].string_param = made.chosen.variant
    classes = {output.name: _classes(output) for output in request.outputs}
    for name, array in made.outputs.items():
        count = classes.get(name, 0)
        labels = made.signature.labels if name == made.signature.scores else ()
        _add(reply, name, best_classes(array, count, labels) if count else array)
    return reply


def _classes(output: Message) -> int:
    """How many classes of an output are asked for; 0 for its values themselves."""
    parameters = output.parameters
    if any(name.startswith("shared_memory") for name in parameters):
        raise RequestError("this host does not write shared memory; take the output as it comes")
    return _number(parameters["classification"]) if "classification" in parameters else 0


def _add(reply: Message, name: str, array: Array) -> None:
    shape: Sequence[int] = array.shape
    reply.outputs.add(name=name, datatype=datatype_of(array), shape=shape)
    reply.raw_output_contents.append(pack(array))
