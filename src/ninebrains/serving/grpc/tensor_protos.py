"""TensorFlow's tensors as arrays, and back.

A tensor says its shape before its values, and one value may stand for many, so a message of some
bytes can ask for any amount of memory. Nothing is made here before the shape was found to be one
that the values fill, or that a photo can have.
"""

from __future__ import annotations

import math

import numpy as np

from ninebrains.errors import RequestError
from ninebrains.serving.grpc.messages import Message, message
from ninebrains.serving.tensors import BYTES, Array

_KINDS: dict[int, tuple[str, str]] = {
    1: ("float32", "float_val"),
    2: ("float64", "double_val"),
    3: ("int32", "int_val"),
    4: ("uint8", "int_val"),
    5: ("int16", "int_val"),
    6: ("int8", "int_val"),
    7: (BYTES, "string_val"),
    9: ("int64", "int64_val"),
    10: ("bool", "bool_val"),
    17: ("uint16", "int_val"),
    19: ("float16", "half_val"),
    22: ("uint32", "uint32_val"),
    23: ("uint64", "uint64_val"),
}
"""By the number of TensorFlow's DataType: numpy's name, and the list that its values may lie in."""

_NUMBERS = {dtype: number for number, (dtype, _) in _KINDS.items()}
MOST_VALUES = 2**20
"""Numbers in one list: 6 photos of 224 x 224 pixels."""

_MOST_AXES = 8
_MOST_LISTED = 2**16


def array_of(name: str, tensor: Message, most_bytes: int) -> Array:
    """What a TensorProto holds; bytes as objects where it holds strings.

    Args:
        name: of the tensor, for messages.
        tensor: the TensorProto.
        most_bytes: that the array may have.

    Raises:
        RequestError: its type is no use here, its shape and its values do not fit each other, or it
            is too large.
    """
    if tensor.dtype not in _KINDS:
        raise RequestError(
            f"{name} has the data type {tensor.dtype}; expected DT_STRING for photo files or "
            "DT_UINT8 for pixels"
        )
    dtype, field = _KINDS[tensor.dtype]
    shape = _shape(name, tensor)
    size = math.prod(shape)
    width = 8 if dtype == BYTES else np.dtype(dtype).itemsize
    if size * width > most_bytes:
        raise RequestError(
            f"{name} has the shape {list(shape)}, {size * width:,} bytes; expected at most "
            f"{most_bytes:,}",
            413,
        )
    if tensor.tensor_content:
        return _from_content(name, tensor.tensor_content, dtype, shape)
    values = getattr(tensor, field)
    check_listed(name, len(values))
    if len(values) > size or (size and not len(values)):
        raise RequestError(
            f"{name} has the shape {list(shape)} and {len(values):,} values; expected {size:,}, or "
            "fewer of which the last is repeated"
        )
    return _from_values(name, values, dtype, shape)


def check_listed(name: str, count: int) -> None:
    """Refuse a list of more numbers than are worth being read one by one.

    Raises:
        RequestError: so it is (413).
    """
    if count > MOST_VALUES:
        raise RequestError(
            f"{name[:60]} lists {count:,} values; expected {MOST_VALUES:,} at most. Send more of "
            "them as raw bytes.",
            413,
        )


def tensor_of(array: Array) -> Message:
    """An array as a TensorProto; one of objects holds strings."""
    number = _NUMBERS[BYTES if array.dtype == object else array.dtype.name]
    tensor = message("tensorflow.TensorProto")(dtype=number, tensor_shape=shape_of(array.shape))
    if array.dtype == object or array.size <= _MOST_LISTED:
        # Some clients read the lists alone; these are slow for as many values as heat maps have.
        values = array.view(np.uint16) if array.dtype == np.float16 else array
        getattr(tensor, _KINDS[number][1]).extend(values.reshape(-1).tolist())
    else:
        tensor.tensor_content = np.ascontiguousarray(array).tobytes()
    return tensor


def number_of(dtype: str) -> int:
    """The number of TensorFlow's DataType for numpy's name of it, or `bytes`."""
    return _NUMBERS[dtype]


def shape_of(shape: tuple[int, ...]) -> Message:
    """A shape as a TensorShapeProto; -1 stays."""
    made = message("tensorflow.TensorShapeProto")()
    for size in shape:
        made.dim.add(size=size)
    return made


def _shape(name: str, tensor: Message) -> tuple[int, ...]:
    shape = tuple(dim.size for dim in tensor.tensor_shape.dim[: _MOST_AXES + 1])
    if tensor.tensor_shape.unknown_rank or len(shape) > _MOST_AXES or min(shape, default=0) < 0:
        raise RequestError(
            f"{name} has no shape of its own; expected the length of each axis, at most "
            f"{_MOST_AXES}, none of them negative"
        )
    return shape


def _from_content(name: str, content: bytes, dtype: str, shape: tuple[int, ...]) -> Array:
    if dtype == BYTES:
        raise RequestError(f"{name} has strings in tensor_content; expected them in string_val")
    expected = math.prod(shape) * np.dtype(dtype).itemsize
    if len(content) != expected:
        raise RequestError(
            f"{name} has {len(content):,} bytes; its shape {list(shape)} of {dtype} needs "
            f"{expected:,}"
        )
    return np.frombuffer(content, np.dtype(dtype).newbyteorder("<")).reshape(shape)


def _from_values(name: str, values: Message, dtype: str, shape: tuple[int, ...]) -> Array:
    if dtype == BYTES:
        texts = np.empty(math.prod(shape), object)
        texts[: len(values)] = list(values)
        texts[len(values) :] = values[-1] if len(values) else b""
        return texts.reshape(shape)
    given = np.array(values, _WIRE.get(dtype, dtype))
    if dtype == "float16":
        if given.size and (given.min() < 0 or given.max() > 0xFFFF):
            raise RequestError(f"{name} holds half_val that are no 16 bits")
        given = given.astype(np.uint16).view(np.float16)
    elif given.dtype != dtype:
        fitting = given.astype(dtype)
        if not np.array_equal(fitting, given):
            raise RequestError(f"{name} holds values that are no {dtype}")
        given = fitting
    if given.size == math.prod(shape):
        return given.reshape(shape)
    full = np.empty(math.prod(shape), given.dtype)
    full[: len(given)] = given
    full[len(given) :] = given[-1]
    return full.reshape(shape)


_WIRE = dict.fromkeys(("uint8", "int16", "int8", "uint16", "float16"), "int32")
"""What arrives in lists of a wider type."""
