"""How the Open Inference Protocol writes tensors: names of types, binary data, classes.

Whatever a request claims about sizes is compared with what came before anything is built.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ninebrains.errors import RequestError
from ninebrains.serving.tensors import BYTES, Array, check_count

if TYPE_CHECKING:
    from ninebrains.brains import Label
    from ninebrains.serving.settings import Limits

DATATYPES = {
    "bool": "BOOL",
    "uint8": "UINT8",
    "uint16": "UINT16",
    "uint32": "UINT32",
    "uint64": "UINT64",
    "int8": "INT8",
    "int16": "INT16",
    "int32": "INT32",
    "int64": "INT64",
    "float16": "FP16",
    "float32": "FP32",
    "float64": "FP64",
    BYTES: "BYTES",
}
"""The protocol's names of types by numpy's."""

_DTYPES = {datatype: dtype for dtype, datatype in DATATYPES.items()}
_LENGTH = struct.Struct("<I")
_MOST_DIMENSIONS = 8


def dtype_of(datatype: object) -> str:
    """Numpy's name of a type, or `bytes`.

    Raises:
        RequestError: there is no such type.
    """
    found = _DTYPES.get(datatype) if isinstance(datatype, str) else None
    if found is None:
        shown = repr(datatype)[:60]
        raise RequestError(f"the datatype is {shown}; expected one of {', '.join(_DTYPES)}")
    return found


def shape_of(shape: object) -> tuple[int, ...]:
    """A shape that a request gives.

    Raises:
        RequestError: it is none.
    """
    is_list = isinstance(shape, Sequence) and not isinstance(shape, (str, bytes))
    sizes = tuple(shape) if isinstance(shape, Sequence) and is_list else ()
    if not is_list or len(sizes) > _MOST_DIMENSIONS:
        raise RequestError(
            f"the shape is no list of at most {_MOST_DIMENSIONS} sizes; expected one such as "
            "[1, 224, 224, 3]"
        )
    for size in sizes:
        if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size < 2**31:
            raise RequestError(
                f"the shape has a size of {repr(size)[:40]}; expected whole numbers from 0"
            )
    return sizes


def unpack(datatype: str, shape: tuple[int, ...], data: memoryview, limits: Limits) -> Array:
    """A tensor from its binary data, little-endian and row by row.

    Args:
        datatype: the protocol's name.
        shape: as `shape_of` gave it.
        data: exactly the tensor's. In `BYTES` each item follows its length in 4 bytes.
        limits: how many photos there may be.

    Raises:
        RequestError: the data is not as long as type and shape say.
    """
    dtype, count = dtype_of(datatype), math.prod(shape)
    if dtype == BYTES:
        check_count(count, limits)
        return as_items(_items(data, count), shape)
    expected = count * np.dtype(dtype).itemsize
    if len(data) != expected:
        raise RequestError(
            f"the binary data has {len(data):,} bytes; {datatype} {list(shape)} takes {expected:,}"
        )
    return np.frombuffer(data, np.dtype(dtype).newbyteorder("<")).reshape(shape)


def _items(data: memoryview, count: int) -> list[bytes]:
    """Items that follow their lengths; exactly so many of them."""
    items, begin = [], 0
    for index in range(count):
        start = begin + _LENGTH.size
        end = start + (_LENGTH.unpack_from(data, begin)[0] if start <= len(data) else 0)
        if max(start, end) > len(data):
            raise RequestError(
                f"item {index} of the binary data ends after {end:,} of {len(data):,} bytes; "
                "expected each item after its length in 4 bytes, little-endian"
            )
        items.append(bytes(data[start:end]))
        begin = end
    if begin != len(data):
        raise RequestError(
            f"the binary data goes on for {len(data) - begin:,} bytes after its {count} items"
        )
    return items


def as_items(items: Sequence[bytes], shape: tuple[int, ...]) -> Array:
    """Files or texts as an array of objects of that shape."""
    array = np.empty(len(items), object)
    array[:] = items
    return array.reshape(shape)


def pack(array: Array) -> bytes:
    """A tensor's binary data, as `unpack` reads it."""
    if array.dtype == object:
        return b"".join(_LENGTH.pack(len(item)) + item for item in array.reshape(-1).tolist())
    return array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()


def datatype_of(array: Array) -> str:
    """The protocol's name of an array's type."""
    return DATATYPES[BYTES if array.dtype == object else array.dtype.name]


def best_classes(values: Array, count: int, labels: Sequence[Label]) -> Array:
    """The largest values of each photo with their places, as text `value:index:label`.

    Args:
        values: numbers, [N, C].
        count: how many a photo.
        labels: of the values, by index; empty where they have none.

    Returns:
        Objects, [N, count]: bytes.

    Raises:
        RequestError: there are no numbers to compare, or `count` is none.
    """
    if values.dtype.kind not in "uif":
        raise RequestError("this output holds no numbers, so it has no classes")
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise RequestError(f"classification is {repr(count)[:40]}; expected a number from 1")
    rows = values.reshape(len(values), -1)
    count = min(count, rows.shape[1])
    order = np.argsort(-rows.astype(np.float64), axis=1, kind="stable")[:, :count]
    texts = [
        f"{row[index]:f}:{index}" + (f":{labels[index].name}" if len(labels) else "")
        for row, places in zip(rows, order.tolist(), strict=True)
        for index in places
    ]
    return as_items([text.encode() for text in texts], (len(rows), count))
