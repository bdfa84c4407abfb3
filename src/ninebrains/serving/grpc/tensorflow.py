"""TensorFlow Serving's `PredictionService` and `ModelService`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from ninebrains.errors import MissingError, RequestError
from ninebrains.serving.converting import converted
from ninebrains.serving.grpc.calls import Call, Desk, Method
from ninebrains.serving.grpc.examples import files_of
from ninebrains.serving.grpc.messages import Message, message
from ninebrains.serving.grpc.tensor_protos import (
    array_of,
    number_of,
    shape_of,
    tensor_of,
)
from ninebrains.serving.tensors import (
    INPUTS,
    Photos,
    Tensor,
    TensorAnswers,
    answer_tensors,
    check_inputs,
    photos_of,
    signature_at,
)

if TYPE_CHECKING:
    from ninebrains.serving.host import Host
    from ninebrains.serving.settings import Limits

DEFAULT = "serving_default"
_MOST_AXES = 8
_PREDICTIONS = "x-prediction-ids"
"""Trailing metadata: the prediction ids of the answer, with commas between. Left out where there
are too many for a header; the output `prediction_id` holds them too."""
ALIASES = ("stable", "canary", "shadow")
_STATES = {"waiting": 10, "loading": 20, "ready": 30, "leaving": 40}
_END = 50
_INVALID_ARGUMENT = 3


def services(desk: Desk) -> list[Message]:
    """The services of this module."""
    host = desk.host

    async def predict(request: Message, call: Call) -> Message:
        spec = request.model_spec
        _check_signature(spec)
        limits = host.settings.limits
        check_inputs(len(request.inputs))
        (tensor,) = request.inputs.values()
        # Numbers are read that quickly here, in lists as well, that a million is not large.
        size = math.prod(dim.size for dim in tensor.tensor_shape.dim[:_MOST_AXES]) // 16
        photos = await converted(size, partial(_photos, request, limits), limits)
        made = await _answers(host, spec, photos, call, list(request.output_filter))
        reply = message("tensorflow.serving.PredictResponse")()
        for name, array in made.outputs.items():
            reply.outputs[name].CopyFrom(tensor_of(array))
        _sign(reply, made, call)
        return reply

    async def classify(request: Message, call: Call) -> Message:
        made = await _of_examples(host, request, call)
        if made.signature.is_measured or made.signature.scores is None:
            raise RequestError(f"{made.chosen.member} has no classes; Predict is for all brains")
        reply = message("tensorflow.serving.ClassificationResponse")()
        for inference in made.inferences:
            told = reply.result.classifications.add()
            for instance in inference.instances:
                told.classes.add(label=instance.label, score=instance.score)
        _sign(reply, made, call)
        return reply

    async def regress(request: Message, call: Call) -> Message:
        made = await _of_examples(host, request, call)
        if not made.signature.is_measured or len(made.signature.labels) != 1:
            raise RequestError(f"{made.chosen.member} does not measure one value; see Classify")
        reply = message("tensorflow.serving.RegressionResponse")()
        for inference in made.inferences:
            reply.result.regressions.add(value=float(inference.answers[0]))
        _sign(reply, made, call)
        return reply

    async def metadata(request: Message, call: Call) -> Message:
        return _metadata(host, request, call)

    async def status(request: Message, _call: Call) -> Message:
        return _status(host, request.model_spec)

    prediction = {
        "Predict": Method(predict),
        "Classify": Method(classify),
        "Regress": Method(regress),
        "GetModelMetadata": Method(metadata),
    }
    return [
        desk.service("tensorflow.serving.PredictionService", prediction),
        desk.service("tensorflow.serving.ModelService", {"GetModelStatus": Method(status)}),
    ]


def _photos(request: Message, limits: Limits) -> Photos:
    most = limits.body_bytes
    inputs = {name: array_of(name, tensor, most) for name, tensor in request.inputs.items()}
    return photos_of(inputs, limits)


async def _of_examples(host: Host, request: Message, call: Call) -> TensorAnswers:
    spec = request.model_spec
    _check_signature(spec)
    photos = files_of(request.input, host.settings.limits)
    return await _answers(host, spec, photos, call, ["prediction_id"])


async def _answers(
    host: Host, spec: Message, photos: Photos, call: Call, outputs: Sequence[str]
) -> TensorAnswers:
    wanted = _wanted(spec)
    call.brains = (wanted,)
    return await answer_tensors(host, wanted, photos, outputs, call.asker, call.options)


def _wanted(spec: Message) -> str:
    """Which brain a ModelSpec asks for, as the traffic takes it."""
    if not spec.name:
        raise RequestError("model_spec has no name; expected that of a brain")
    if spec.HasField("version"):
        return f"{spec.name}@{spec.version.value}"
    label = spec.version_label
    if label and label not in ALIASES:
        raise RequestError(
            f"there is no version_label {label[:60]!r}; expected one of {', '.join(ALIASES)}"
        )
    return f"{spec.name}@{label}" if label else str(spec.name)


def _check_signature(spec: Message) -> None:
    if spec.signature_name not in ("", DEFAULT, INPUTS[1].name):
        raise RequestError(
            f"there is no signature {spec.signature_name[:60]!r}; expected {DEFAULT}, or none"
        )


def _sign(reply: Message, made: TensorAnswers, call: Call) -> None:
    """Say who answered."""
    reply.model_spec.name = made.chosen.name
    reply.model_spec.version.value = made.chosen.number
    reply.model_spec.signature_name = DEFAULT
    call.trailing[_PREDICTIONS] = ",".join(made.predictions)


def _metadata(host: Host, request: Message, call: Call) -> Message:
    for field in request.metadata_field:
        if field != "signature_def":
            raise RequestError(
                f"got {field[:100]!r} as a metadata_field; expected signature_def, which is all "
                "there is"
            )
    if not request.metadata_field:
        raise RequestError("got no metadata_field; expected signature_def")
    chosen = host.choose(_wanted(request.model_spec), call.asker)
    signature = signature_at(host, chosen)
    signatures = message("tensorflow.serving.SignatureDefMap")()
    for name, given in ((DEFAULT, INPUTS[0]), (INPUTS[1].name, INPUTS[1])):
        told = signatures.signature_def[name]
        told.method_name = "tensorflow/serving/predict"
        _describe(told.inputs, (given,))
        _describe(told.outputs, signature.outputs)
    reply = message("tensorflow.serving.GetModelMetadataResponse")()
    reply.model_spec.name = chosen.name
    reply.model_spec.version.value = chosen.number
    reply.metadata["signature_def"].Pack(signatures)
    return reply


def _describe(infos: Mapping[str, Message], tensors: Sequence[Tensor]) -> None:
    for tensor in tensors:
        info = infos[tensor.name]
        info.name = f"{tensor.name}:0"
        info.dtype = number_of(tensor.dtype)
        info.tensor_shape.CopyFrom(shape_of(tensor.shape))


def _status(host: Host, spec: Message) -> Message:
    """What the catalog knows of the versions that are meant."""
    if not spec.name:
        raise RequestError("model_spec has no name; expected that of a brain")
    versions = host.catalog.versions.get(spec.name, {})
    if not versions:
        raise MissingError(f"there is no brain {spec.name[:100]!r} here")
    if spec.HasField("version"):
        versions = {spec.version.value: host.catalog.find(spec.name, spec.version.value)}
    elif spec.version_label:
        number = host.shown(_wanted(spec)).number
        versions = {number: host.catalog.find(spec.name, number)}
    reply = message("tensorflow.serving.GetModelStatusResponse")()
    for number in sorted(versions, reverse=True):
        version = versions[number]
        state = _STATES.get(host.catalog.stage(version), _END)
        told = reply.model_version_status.add(version=number, state=state)
        told.status.error_code = _INVALID_ARGUMENT if version.state.value == "failed" else 0
        told.status.error_message = version.reason
    return reply
