"""Layers that change where numbers lie: flattening, reshaping, borders, and channels in order."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ninebrains.bridging.from_keras.convolving import check_channels_last
from ninebrains.bridging.from_keras.sheet import PICK, Sheet, Value
from ninebrains.errors import TrunkError


def flatten(sheet: Sheet, layer: Any, value: Value, name: str) -> Value:  # noqa: ANN401
    """Flatten. Nothing is moved: a dense layer that follows has its weights in another order."""
    check_channels_last(layer, name)
    return sheet.reshape(value, (math.prod(value.shape),), name)


def reshape(sheet: Sheet, layer: Any, value: Value, name: str) -> Value:  # noqa: ANN401
    """Reshape to [H, W, C] or [K].

    Raises:
        TrunkError: to anything else.
    """
    shape = layer.compute_output_shape((None, *value.shape))[1:]
    if len(shape) not in (1, 3) or None in shape:
        raise TrunkError(
            f"the layer {name!r} (Reshape) gives the shape {list(shape)} for every photo; expected "
            "[height, width, channels] or a flat list."
        )
    return sheet.reshape(value, tuple(int(side) for side in shape), name)


def zero_padding(sheet: Sheet, layer: Any, value: Value, name: str) -> Value:  # noqa: ANN401
    """ZeroPadding2D."""
    check_channels_last(layer, name)
    value = sheet.as_map(value, name)
    (top, bottom), (left, right) = layer.padding
    if not any((top, bottom, left, right)):
        return value
    height, width, channels = value.shape
    height, width = height + top + bottom, width + left + right
    made = Value("", (height, width, channels), (channels, height, width))
    pads = np.array([0, 0, top, left, 0, 0, bottom, right], np.int64)
    return sheet.put("Pad", name, [value], made, [("pads", pads)], channels=channels)


def cropping(sheet: Sheet, layer: Any, value: Value, name: str) -> Value:  # noqa: ANN401
    """Cropping2D.

    Raises:
        TrunkError: nothing is left.
    """
    check_channels_last(layer, name)
    value = sheet.as_map(value, name)
    (top, bottom), (left, right) = layer.cropping
    height, width, channels = value.shape
    ends = [height - bottom, width - right]
    if ends[0] <= top or ends[1] <= left:
        raise TrunkError(
            f"the layer {name!r} (Cropping2D) leaves nothing of a map of {height}x{width} places; "
            "expected less to be cut off, or larger photos."
        )
    height, width = ends[0] - top, ends[1] - left
    made = Value("", (height, width, channels), (channels, height, width))
    bounds = {"starts": [top, left], "ends": ends, "axes": [2, 3]}
    constants = [(role, np.array(places, np.int64)) for role, places in bounds.items()]
    return sheet.put("Slice", name, [value], made, constants)


def get_item(sheet: Sheet, args: list[Any], name: str) -> Value:
    """`x[..., i]` and `x[..., ::-1]`, as Keras turns RGB into BGR.

    Raises:
        TrunkError: another way to take a part.
    """
    value, key = args[0], args[1] if len(args) > 1 else None
    if (
        isinstance(value, Value)
        and value.is_map
        and value.planes
        and isinstance(key, (list, tuple))
    ):
        last = key[-1]
        before = [entry for entry in key[:-1] if entry not in (Ellipsis, slice(None))]
        whole = not before and (Ellipsis in key or len(key) == 4)
        if whole and isinstance(last, int) and -value.shape[2] <= last < value.shape[2]:
            return Value(value.name, value.shape[:2], value.planes, last % value.shape[2])
        if whole and last == slice(None, None, -1):
            return pick(sheet, value, list(range(value.shape[2]))[::-1], name)
    raise TrunkError(
        f"the step {name!r} takes the part {key!r} of its input; expected the channels turned "
        "round, x[..., ::-1], and nothing else."
    )


def stack(sheet: Sheet, parts: list[Any], axis: int, name: str) -> Value:
    """Channels that were taken one by one, put together again.

    Raises:
        TrunkError: anything else is stacked.
    """
    values = [part for part in parts if isinstance(part, Value) and part.planes is not None]
    channels = [value.channel for value in values if value.channel is not None]
    same = len({value.name for value in values}) == 1
    if not same or len(channels) != len(parts) or axis not in (-1, 3):
        raise TrunkError(
            f"the step {name!r} stacks {len(parts)} values along the axis {axis}; expected the "
            "channels of one map, along the last axis."
        )
    planes = values[0].planes
    assert planes is not None
    source = Value(values[0].name, (*planes[1:], planes[0]), planes)
    return pick(sheet, source, channels, name)


def pick(sheet: Sheet, value: Value, channels: list[int], name: str) -> Value:
    """The channels in another order."""
    height, width, _ = value.shape
    made = Value("", (height, width, len(channels)), (len(channels), height, width))
    return sheet.put(PICK, name, [value], made, [("channels", np.array(channels, np.int64))])
