"""What protocols of named tensors have in common over HTTP: bodies to arrays, arrays to JSON."""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import Mapping
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import orjson

from ninebrains.errors import RequestError
from ninebrains.serving.asking import Options
from ninebrains.serving.http.bodies import read_body, read_json, too_large
from ninebrains.serving.http.parameters import read_parameters
from ninebrains.serving.http.photos import from_base64
from ninebrains.serving.tensors import Array
from ninebrains.serving.wire import as_items

if TYPE_CHECKING:
    from starlette.requests import Request

    from ninebrains.serving.settings import Limits

MOST_VALUES = 2**20
"""Numbers and lists in one JSON body: 5 photos of 224 x 224 pixels. More is for binary data."""

_MOST_DIMENSIONS = 8
_MOST_FILES = 10_000
_QUERY = ("deadline_ms", "priority")
_URL_SAFE = str.maketrans("-_", "+/")
_WINDOWS = {"gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}


async def read_unpacked(request: Request, limits: Limits) -> bytes:
    """A request's body, unpacked where it was sent compressed.

    Raises:
        RequestError: it is larger than allowed (413), is damaged, or is compressed in a way that is
            not known here (415).
    """
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    body = await read_body(request.receive, limits.body_bytes)
    if encoding in ("", "identity"):
        return body
    if encoding not in _WINDOWS:
        raise RequestError(
            f"the body's Content-Encoding is {encoding[:40]!r}; expected gzip, deflate or none", 415
        )
    return await asyncio.to_thread(_unpacked, body, encoding, limits.body_bytes)


def _unpacked(body: bytes, encoding: str, limit: int) -> bytes:
    """The body as it was before it was compressed; never more than the limit is made of it."""
    inflater = zlib.decompressobj(_WINDOWS[encoding])
    try:
        unpacked = inflater.decompress(body, limit + 1)
    except zlib.error as error:
        raise RequestError(f"the body is no {encoding} data: {error}") from error
    if len(unpacked) > limit:
        raise too_large(limit)
    if not inflater.eof or inflater.unused_data:
        raise RequestError(f"the body's {encoding} data does not end where the body does")
    return unpacked


def read_object(body: bytes) -> dict[str, object]:
    """A JSON body that may hold many numbers.

    Raises:
        RequestError: it is no JSON object, or too large a one.
    """
    advice = "send photo files, as they are or in base64, or binary tensors"
    found = read_json(body, MOST_VALUES, advice)
    if not isinstance(found, dict):
        raise RequestError(f"the body is a JSON {type(found).__name__}; expected an object")
    return found


def options_of(request: Request, limits: Limits, also: tuple[str, ...] = ()) -> Options:
    """How to answer, as the headers and the address say: `deadline_ms` and `priority`.

    Raises:
        RequestError: a value makes no sense, or the address says something that is neither of these
            nor one of `also`.
    """
    query = request.query_params
    unknown = next((name for name in query if name not in (*_QUERY, *also)), None)
    if unknown is not None:
        expected = ", ".join((*_QUERY, *also))
        raise RequestError(f"got {unknown[:60]!r} behind the ?; expected any of {expected}")
    said = {name: query[name] for name in _QUERY if name in query}
    parameters = read_parameters(b"", request.headers.raw, said, limits.deadline_ms)
    return Options(deadline_ms=parameters.deadline_ms, priority=parameters.priority)


def dense(value: object, where: str) -> Array:
    """Nested lists of JSON as an array.

    Args:
        value: a number, a file, or lists of them that are equally long. A file is `{"b64": …}` or
            a text in base64 (either alphabet).
        where: what it is, for messages.

    Returns:
        Numbers as float64, files as objects.

    Raises:
        RequestError: the lists are of several lengths, or hold something else, or of both.
    """
    level: list[object] = [value]
    shape: list[int] = []
    while level and isinstance(level[0], list):
        rows = [item for item in level if isinstance(item, list)]
        sizes = set(map(len, rows))
        if len(rows) != len(level) or len(sizes) != 1:
            raise RequestError(f"{where} has lists of several lengths; expected a full array")
        shape.append(sizes.pop())
        if len(shape) > _MOST_DIMENSIONS:
            raise RequestError(f"{where} is nested deeper than {_MOST_DIMENSIONS} lists")
        level = list(chain.from_iterable(rows))
    kinds = set(map(type, level))
    if kinds <= {int, float}:
        return np.array(level, np.float64).reshape(shape)
    if kinds <= {dict, str}:
        if len(level) > _MOST_FILES:
            raise RequestError(f"{where} has {len(level):,} files, which is too many", 413)
        files = [_file(item, f"{where}[{index}]") for index, item in enumerate(level)]
        return as_items(files, tuple(shape))
    shown = " and ".join(sorted(_NAMES.get(kind, kind.__name__) for kind in kinds))
    raise RequestError(f'{where} holds {shown}; expected numbers, or files as {{"b64": "…"}}')


_NAMES = {
    dict: "objects",
    str: "texts",
    int: "numbers",
    float: "numbers",
    bool: "true or false",
    type(None): "null",
    list: "lists",
}


def is_file(value: object) -> bool:
    """Whether this is a file in JSON: `{"b64": …}` and nothing else."""
    return isinstance(value, dict) and value.keys() == {"b64"}


def _file(value: object, where: str) -> bytes:
    text = value.get("b64") if isinstance(value, dict) and is_file(value) else value
    if not isinstance(text, str):
        raise RequestError(f'{where} is not understood; expected {{"b64": "…"}}')
    try:
        return from_base64(text, where)
    except RequestError:
        # The other alphabet, or without the signs that fill it up, as TensorFlow writes it.
        bare = text.translate(_URL_SAFE).rstrip("=")
        filled = bare + "=" * (-len(bare) % 4)
        if filled == text:
            raise
        return from_base64(filled, where)


def as_type(array: Array, dtype: str, where: str) -> Array:
    """Numbers of JSON as the type that they are said to be.

    Raises:
        RequestError: they do not fit it.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        fitting = array.astype(dtype)
    if fitting.dtype.kind in "ui" and not np.array_equal(fitting, array):
        raise RequestError(f"{where} holds values that are no {dtype}")
    return fitting


def write_json(told: object, floats: Mapping[str, Array]) -> bytes:
    """A reply as JSON.

    NaN and infinity have no place in JSON; the servers whose protocols these are write them as
    `NaN`, `Infinity` and `-Infinity` nevertheless, and so do we.

    Args:
        told: plain values and arrays of numbers.
        floats: the arrays in it, by whatever name.
    """
    is_plain = all(array.dtype.kind != "f" or np.isfinite(array).all() for array in floats.values())
    if is_plain:
        return orjson.dumps(told, _as_list, orjson.OPT_SERIALIZE_NUMPY)
    return json.dumps(told, default=_as_list, separators=(",", ":")).encode()


def _as_list(value: object) -> object:
    """What the writers do not know: arrays that are not contiguous, or of a rare type."""
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} has no form in JSON")
