"""Requests and replies of the Open Inference Protocol, with tensors in JSON or in binary.

    {"inputs": [{"name", "shape", "datatype", "data"}], "outputs": [{"name"}]}
    {"inputs": [{…, "parameters": {"binary_data_size": 4096}}]} then 4096 bytes

The second form is Triton's: `Inference-Header-Content-Length` says where the JSON ends.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ninebrains.errors import RequestError
from ninebrains.serving.http.tensor_bodies import as_type, dense, read_object, write_json
from ninebrains.serving.tensors import BYTES, INPUTS, Array, TensorAnswers
from ninebrains.serving.wire import (
    best_classes,
    datatype_of,
    dtype_of,
    pack,
    shape_of,
    unpack,
)

if TYPE_CHECKING:
    from ninebrains.serving.settings import Limits

HEADER_LENGTH = "Inference-Header-Content-Length"
"""The header that says how many bytes of the body are JSON."""

Parameters = Mapping[str, object]

_MOST_TENSORS = 64
_MOST_ID = 1000


@dataclass(frozen=True, slots=True)
class WantedOutput:
    """An output that is asked for.

    Attributes:
        name: of the output.
        is_binary: whether it is to follow the JSON.
        num_classes: how many of its largest values are wanted as text, in place of all; or None.
    """

    name: str
    is_binary: bool
    num_classes: int | None


@dataclass(frozen=True, slots=True)
class Asked:
    """A request.

    Attributes:
        id: as the client calls it, or "".
        inputs: by name.
        outputs: none for the usual ones.
        is_binary: whether outputs follow the JSON where nothing else is said.
        parameters: of the request.
    """

    id: str
    inputs: Mapping[str, Array]
    outputs: Sequence[WantedOutput] = ()
    is_binary: bool = False
    parameters: Parameters = field(default_factory=dict)


def read_asked(body: bytes, header_length: str | None, limits: Limits) -> Asked:
    """A request from its body.

    Args:
        body: the JSON, and the binary data if any.
        header_length: of the JSON, as the header says; None: all of it. `0`: there is no JSON, the
            body is one photo file.
        limits: how many photos there may be.

    Raises:
        RequestError: it is not understood, or its sizes contradict each other.
    """
    length = len(body) if header_length is None else _length(header_length, len(body))
    if not length and body:
        photo = np.empty(1, object)
        photo[0] = body
        return Asked("", {INPUTS[0].name: photo}, is_binary=True)
    told = read_object(body[:length] if length < len(body) else body)
    parameters = _parameters(told, "the request")
    is_binary = _flag(parameters, "binary_data_output", "the request")
    return Asked(
        _id(told.get("id", "")),
        _inputs(told.get("inputs"), memoryview(body)[length:], limits),
        _outputs(told.get("outputs"), is_binary),
        is_binary,
        parameters,
    )


def num_to_read(body: bytes, header_length: str | None) -> int:
    """How much `read_asked` is to read, in bytes of JSON; binary data takes a sixteenth of that.

    Raises:
        RequestError: as there.
    """
    length = len(body) if header_length is None else _length(header_length, len(body))
    return length + (len(body) - length) // 16


def write_answers(asked: Asked, answers: TensorAnswers) -> tuple[bytes, int | None]:
    """The reply: its body, and how much of that is JSON where binary data follows."""
    wanted = asked.outputs or [
        WantedOutput(name, asked.is_binary, None) for name in answers.outputs
    ]
    outputs, floats, tails = [], {}, []
    for one in wanted:
        array = answers.outputs[one.name]
        if one.num_classes is not None:
            is_scores = one.name == answers.signature.scores
            labels = answers.signature.labels if is_scores else ()
            array = best_classes(array, one.num_classes, labels)
        told: dict[str, object] = {
            "name": one.name,
            "datatype": datatype_of(array),
            "shape": list(array.shape),
        }
        if one.is_binary:
            tails.append(pack(array))
            told["parameters"] = {"binary_data_size": len(tails[-1])}
        else:
            told["data"] = _flat(array)
            floats[one.name] = array
        outputs.append(told)
    reply: dict[str, object] = {"id": asked.id} if asked.id else {}
    reply |= {
        "model_name": answers.chosen.name,
        "model_version": str(answers.chosen.number),
        "parameters": {
            "prediction_ids": ",".join(answers.predictions),
            "variant": answers.chosen.variant,
        },
        "outputs": outputs,
    }
    head = write_json(reply, floats)
    return b"".join((head, *tails)), len(head) if tails else None


def _flat(array: Array) -> object:
    if array.dtype == object:
        return [item.decode(errors="replace") for item in array.reshape(-1).tolist()]
    return np.ascontiguousarray(array).reshape(-1)


def _length(text: str, most: int) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 12 and int(text) <= most):
        raise RequestError(
            f"{HEADER_LENGTH} is {text[:60]!r}; expected a number of bytes up to {most:,}, which "
            "is the whole body"
        )
    return int(text)


def _id(given: object) -> str:
    if not isinstance(given, str) or len(given) > _MOST_ID:
        raise RequestError(f"the id is no text of {_MOST_ID:,} characters at most")
    return given


def _objects(given: object, what: str) -> list[dict[str, object]]:
    """A list of objects whose names are all different."""
    found = given if isinstance(given, list) else []
    objects = [item for item in found if isinstance(item, dict)]
    names = [item.get("name") for item in objects]
    is_named = all(isinstance(name, str) and 0 < len(name) < 500 for name in names)
    if not found or len(objects) != len(found) or not is_named or len(found) > _MOST_TENSORS:
        raise RequestError(f'{what} is no list of objects with a name; expected [{{"name": …}}]')
    if len(set(names)) < len(names):
        raise RequestError(f"{what} names the same tensor twice")
    return objects


def _parameters(told: Parameters, what: str) -> Parameters:
    found = told.get("parameters", {})
    if not isinstance(found, dict):
        raise RequestError(f"the parameters of {what[:80]} are no object")
    if "shared_memory_region" in found:
        raise RequestError("tensors in shared memory are not supported; send them in the body")
    return found


def _flag(parameters: Parameters, name: str, what: str) -> bool:
    value = parameters.get(name, False)
    if not isinstance(value, bool):
        raise RequestError(f"{name} of {what[:80]} is neither true nor false")
    return value


def _inputs(given: object, data: memoryview, limits: Limits) -> dict[str, Array]:
    """The tensors of a request; those in binary take their part of `data`, one after another."""
    inputs: dict[str, Array] = {}
    begin = 0
    for told in _objects(given, "inputs"):
        name = str(told["name"])
        size = _parameters(told, name).get("binary_data_size")
        if size is None:
            inputs[name] = _of_json(name, told)
            continue
        is_number = isinstance(size, int) and not isinstance(size, bool)
        if not is_number or not isinstance(size, int) or not 0 <= size <= len(data) - begin:
            raise RequestError(
                f"binary_data_size of {name[:60]} is {repr(size)[:40]}; expected a number up to "
                f"{len(data) - begin:,}, as many bytes as are left after the JSON"
            )
        if "data" in told:
            raise RequestError(f"{name[:60]} has both data and binary_data_size; expected one")
        dtype_of(told.get("datatype"))
        part = data[begin : begin + size]
        shape = shape_of(told.get("shape"))
        inputs[name] = unpack(str(told["datatype"]), shape, part, limits)
        begin += size
    if begin != len(data):
        raise RequestError(
            f"{len(data) - begin:,} bytes follow that belong to no input; expected "
            "binary_data_size in the parameters of an input, and nothing left over"
        )
    return inputs


def _of_json(name: str, told: Parameters) -> Array:
    where = name[:60]
    if "data" not in told:
        raise RequestError(f"{where} has no data")
    dtype, shape = dtype_of(told.get("datatype")), shape_of(told.get("shape"))
    array = dense(told["data"], where)
    if array.size != math.prod(shape):
        raise RequestError(
            f"{where} has {array.size:,} values; its shape {list(shape)} takes {math.prod(shape):,}"
        )
    if (array.dtype == object) != (dtype == BYTES):
        expected = "texts in base64" if dtype == BYTES else "numbers"
        raise RequestError(f"{where} is said to be {told['datatype']}; expected {expected} in it")
    return (array if dtype == BYTES else as_type(array, dtype, where)).reshape(shape)


def _outputs(given: object, is_binary: bool) -> list[WantedOutput]:
    if given is None or given == []:
        return []
    wanted = []
    for told in _objects(given, "outputs"):
        name = str(told["name"])
        parameters = _parameters(told, name)
        classes = parameters.get("classification")
        if classes is not None and (isinstance(classes, bool) or not isinstance(classes, int)):
            raise RequestError(f"classification of {name[:60]} is no number")
        if classes is not None and classes < 0:
            raise RequestError(f"classification of {name[:60]} is {classes}; expected 1 or more")
        said = {"binary_data": is_binary, **parameters}
        wanted.append(WantedOutput(name, _flag(said, "binary_data", name), classes or None))
    return wanted
