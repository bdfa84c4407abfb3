"""TensorFlow Serving's REST protocol, for clients that speak it already.

    GET  /v1/models/pets[/versions/3 | /labels/canary][/metadata]
    POST /v1/models/pets[/versions/3 | /labels/canary]:predict | :classify | :regress

Paths, fields and states are those of its documentation (tensorflow.org/tfx/serving/api_rest).
Labels are our aliases. `:predict` also takes photos as they are: as the body, or in a form.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ninebrains.errors import MissingError, RequestError
from ninebrains.serving.converting import converted
from ninebrains.serving.http.bodies import content_type
from ninebrains.serving.http.callers import caller_of
from ninebrains.serving.http.photos import photos_of as photos_as_they_are
from ninebrains.serving.http.tensor_bodies import (
    dense,
    is_file,
    options_of,
    read_object,
    read_unpacked,
    write_json,
)
from ninebrains.serving.http.tensorflow_schema import describe
from ninebrains.serving.tensors import (
    BYTES,
    INPUTS,
    Array,
    Photos,
    Tensor,
    TensorAnswers,
    answer_tensors,
    check_count,
    photos_of,
    signature_at,
)

if TYPE_CHECKING:
    from ninebrains.serving.catalog import Version
    from ninebrains.serving.host import Host
    from ninebrains.serving.settings import Limits

__all__ = ["describe", "routes"]

SIGNATURE = "serving_default"
ALIASES = ("stable", "canary", "shadow")
_STATES = {"waiting": "START", "loading": "LOADING", "ready": "AVAILABLE", "leaving": "UNLOADING"}
_DTYPES = {BYTES: "DT_STRING", "float32": "DT_FLOAT", "float64": "DT_DOUBLE", "float16": "DT_HALF"}


def routes(host: Host) -> list[Route]:
    """The routes of this module, the hot ones first."""
    made = []
    for verb, answer in (("predict", predict), ("classify", classify), ("regress", regress)):
        for place in ("", "/versions/{version}", "/labels/{label}"):
            path = f"/v1/models/{{name}}{place}:{verb}"
            made.append(Route(path, partial(answer, host), methods=["POST"]))
    for place in ("/versions/{version}", "/labels/{label}", ""):
        path = f"/v1/models/{{name}}{place}"
        made.append(Route(f"{path}/metadata", partial(metadata, host), methods=["GET"]))
        made.append(Route(path, partial(status, host), methods=["GET"]))
    return made


@dataclass(frozen=True, slots=True)
class Called:
    """What a call of `:predict` brings.

    Attributes:
        photos: as `photos_of` gives them.
        form: `row` is answered with `predictions`, `column` with `outputs`.
    """

    photos: Photos
    form: Literal["row", "column"]


async def predict(host: Host, request: Request) -> Response:
    """Answer photos with the outputs of a version."""
    limits = host.settings.limits
    claimed = content_type(request.scope).partition(";")[0].strip().lower()
    if claimed == "multipart/form-data":
        photos = await photos_as_they_are(request, limits)
        called = Called([photo.photo for photo in photos], "row")
    else:
        body = await read_unpacked(request, limits)
        if claimed.startswith("image/"):
            called = Called([body], "row")
        else:
            size = len(body) if body.lstrip()[:1] == b"{" else 0
            called = await converted(size, partial(_called, body, limits), limits)
    names = request.query_params.get("outputs")
    answers = await _answers(host, request, called.photos, names.split(",") if names else None)
    outputs = answers.outputs
    plain = {name: _plain(name, array) for name, array in outputs.items()}
    told = _rows(plain) if called.form == "row" else _columns(plain)
    return Response(write_json(told, outputs), media_type="application/json")


async def classify(host: Host, request: Request) -> Response:
    """Answer photos with the scores of all labels, the surest first."""
    photos = await _examples(host, request)
    answers = await _answers(host, request, photos, ["prediction_id"])
    if answers.signature.is_measured or answers.signature.scores is None:
        raise RequestError(
            f"{answers.chosen.member} has no scores of labels, so it cannot :classify; expected "
            f":{'regress' if answers.signature.is_measured else 'predict'}"
        )
    result = [
        [[instance.label, instance.score] for instance in inference.instances]
        for inference in answers.inferences
    ]
    return _scores(result, answers)


async def regress(host: Host, request: Request) -> Response:
    """Answer photos with the value that was measured in each."""
    photos = await _examples(host, request)
    answers = await _answers(host, request, photos, ["prediction_id"])
    if not answers.signature.is_measured:
        raise RequestError(
            f"{answers.chosen.member} measures nothing, so it cannot :regress; expected :classify "
            "or :predict"
        )
    return _scores([float(inference.answers[0]) for inference in answers.inferences], answers)


def _scores(result: Sequence[object], answers: TensorAnswers) -> Response:
    checked = {str(place): one.answers for place, one in enumerate(answers.inferences)}
    return Response(write_json({"result": result}, checked), media_type="application/json")


async def status(host: Host, request: Request) -> Response:
    """Tell which versions there are, and in which state."""
    name = request.path_params["name"]
    if ":" in name:  # no name has one; it is :predict and the like
        raise HTTPException(405, headers={"allow": "POST"})
    if "version" in request.path_params:
        versions = [host.catalog.find(name, _number(request.path_params["version"]))]
    elif "label" in request.path_params:
        chosen = host.shown(_wanted(request))
        versions = [host.catalog.find(chosen.name, chosen.number)]
    else:
        known = host.catalog.versions.get(name, {})
        versions = [known[number] for number in sorted(known, reverse=True)]
        if not versions:
            raise MissingError(f"there are no versions of {name[:100]!r} here")
    told = {"model_version_status": [_status(host, version) for version in versions]}
    return Response(write_json(told, {}), media_type="application/json")


def _status(host: Host, version: Version) -> dict[str, object]:
    return {
        "version": str(version.number),
        "state": _STATES.get(host.catalog.stage(version), "END"),
        "status": {
            "error_code": "INVALID_ARGUMENT" if version.state.value == "failed" else "OK",
            "error_message": version.reason,
        },
    }


async def metadata(host: Host, request: Request) -> Response:
    """Tell what a version takes and gives."""
    chosen = host.shown(_wanted(request))
    outputs = signature_at(host, chosen).outputs
    signatures = {
        SIGNATURE: _signature(INPUTS[0], outputs),
        INPUTS[1].name: _signature(INPUTS[1], outputs),
    }
    told = {
        "model_spec": {"name": chosen.name, "signature_name": "", "version": str(chosen.number)},
        "metadata": {"signature_def": {"signature_def": signatures}},
    }
    return Response(write_json(told, {}), media_type="application/json")


def _signature(given: Tensor, outputs: Sequence[Tensor]) -> dict[str, object]:
    return {
        "inputs": {given.name: _described(given)},
        "outputs": {output.name: _described(output) for output in outputs},
        "method_name": "tensorflow/serving/predict",
    }


def _described(tensor: Tensor) -> dict[str, object]:
    dims = [{"size": str(size), "name": ""} for size in tensor.shape]
    return {
        "dtype": _DTYPES.get(tensor.dtype, f"DT_{tensor.dtype.upper()}"),
        "tensor_shape": {"dim": dims, "unknown_rank": False},
        "name": f"{tensor.name}:0",
    }


async def _answers(
    host: Host, request: Request, photos: Photos, outputs: Sequence[str] | None
) -> TensorAnswers:
    wanted, caller = _wanted(request), caller_of(request)
    caller.brains = (wanted,)
    options = options_of(request, host.settings.limits, ("outputs",))
    return await answer_tensors(host, wanted, photos, outputs, caller.asker, options)


def _wanted(request: Request) -> str:
    """Which version the address asks for."""
    named = request.path_params
    name: str = named["name"]
    if "version" in named:
        return f"{name}@{_number(named['version'])}"
    if "label" in named:
        if named["label"] not in ALIASES:
            raise RequestError(
                f"there is no label {named['label'][:60]!r}; expected one of {', '.join(ALIASES)}"
            )
        return f"{name}@{named['label']}"
    return name


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise RequestError(f"{text[:60]!r} is no version; expected a whole number")
    return int(text)


def _called(body: bytes, limits: Limits) -> Called:
    """What a body that is no form brings: one photo, or JSON."""
    from ninebrains.images import is_photo

    if body.lstrip()[:1] != b"{" and is_photo(body):
        return Called([body], "row")
    told = _document(body)
    if ("instances" in told) == ("inputs" in told):
        raise RequestError(
            "expected either instances (a list, one a photo) or inputs (by name), such as "
            '{"instances": [{"b64": "…"}]}; or a photo as the body'
        )
    if "instances" in told:
        return Called(photos_of(_of_rows(told["instances"], limits), limits), "row")
    return Called(photos_of(_of_columns(told["inputs"]), limits), "column")


def _document(body: bytes) -> dict[str, object]:
    """A JSON request whose signature is one that we have."""
    told = read_object(body)
    signature = told.get("signature_name", SIGNATURE)
    if signature not in (SIGNATURE, INPUTS[1].name, ""):
        raise RequestError(
            f"there is no signature {str(signature)[:60]!r}; expected {SIGNATURE}, or none"
        )
    return told


def _of_rows(rows: object, limits: Limits) -> Mapping[str, Array]:
    """Inputs of the row format: a value a photo, or an object with one named value a photo."""
    if not isinstance(rows, list) or not rows:
        raise RequestError("instances is no list with one item a photo at least")
    check_count(len(rows), limits)
    first = rows[0]
    if not isinstance(first, dict) or is_file(first):
        return {INPUTS[0].name: dense(rows, "instances")}
    values: list[object] = []
    for index, row in enumerate(rows):
        if not isinstance(row, dict) or row.keys() != first.keys():
            raise RequestError(
                f"instances[{index}] is of another form than instances[0]; expected objects with "
                "the same names"
            )
        if len(row) != 1:
            raise RequestError(
                f"instances[{index}] has {len(row)} inputs; expected one: "
                f"{' or '.join(item.name for item in INPUTS)}"
            )
        values.extend(row.values())
    (name,) = first
    return {name: dense(values, f"instances.{name[:60]}")}


def _of_columns(columns: object) -> Mapping[str, Array]:
    """Inputs of the column format: arrays by name, or the one array on its own."""
    if not isinstance(columns, dict) or is_file(columns):
        return {INPUTS[0].name: dense(columns, "inputs")}
    return {name: dense(value, f"inputs.{name[:60]}") for name, value in columns.items()}


async def _examples(host: Host, request: Request) -> Photos:
    """The photos of `:classify` and `:regress`: of each example the one feature that is a file."""
    limits = host.settings.limits
    body = await read_unpacked(request, limits)
    return await converted(len(body), partial(_of_examples, body, limits), limits)


def _of_examples(body: bytes, limits: Limits) -> Photos:
    told = _document(body)
    examples, context = told.get("examples"), told.get("context", {})
    if not isinstance(examples, list) or not isinstance(context, dict):
        raise RequestError(
            'expected {"examples": [{"image": {"b64": "…"}}, …]}, and context, if any, an object'
        )
    check_count(len(examples), limits)
    return [_of_example(index, item, context) for index, item in enumerate(examples)]


def _of_example(index: int, example: object, context: Mapping[str, object]) -> bytes:
    if not isinstance(example, dict) or example.keys() & context.keys():
        raise RequestError(
            f"examples[{index}] is no object, or names features that context has already"
        )
    found = []
    for name, value in {**context, **example}.items():
        one = value[0] if isinstance(value, list) and len(value) == 1 else value
        if isinstance(one, str) or is_file(one):
            found.extend(dense([one], f"examples[{index}].{name[:60]}").tolist())
    if len(found) != 1:
        raise RequestError(
            f"examples[{index}] has {len(found)} features that are files; expected one, such as "
            '{"image": {"b64": "…"}}'
        )
    photo: bytes = found[0]
    return photo


def _plain(name: str, array: Array) -> Sequence[object] | Array:
    """An output as JSON shows it; texts whose name ends in `_bytes` are shown in base64."""
    if array.dtype != object:
        return array
    if name.endswith("_bytes"):
        from base64 import b64encode

        return [{"b64": b64encode(item).decode()} for item in array.tolist()]
    return [item.decode(errors="replace") for item in array.tolist()]


def _rows(outputs: Mapping[str, Sequence[object] | Array]) -> dict[str, object]:
    if len(outputs) == 1:
        (only,) = outputs.values()
        return {"predictions": only}
    names = tuple(outputs)
    rows = zip(*outputs.values(), strict=True)
    return {"predictions": [dict(zip(names, row, strict=True)) for row in rows]}


def _columns(outputs: Mapping[str, Sequence[object] | Array]) -> dict[str, object]:
    if len(outputs) == 1:
        (only,) = outputs.values()
        return {"outputs": only}
    return {"outputs": outputs}
