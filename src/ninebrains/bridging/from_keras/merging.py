"""Layers and steps that take several values: sums, products, and values side by side."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ninebrains.bridging.from_keras.shaping import get_item, stack
from ninebrains.bridging.from_keras.sheet import Array, Sheet, Value
from ninebrains.errors import TrunkError

_OPERATORS = {
    "Add": "Add",
    "Divide": "Div",
    "Maximum": "Max",
    "Minimum": "Min",
    "Multiply": "Mul",
    "Subtract": "Sub",
    "TrueDivide": "Div",
}


def merge(sheet: Sheet, layer: Any, values: list[Value], name: str) -> Value:  # noqa: ANN401
    """Add, Subtract, Multiply, Average, Maximum, Minimum."""
    kind = type(layer).__name__
    operator = _OPERATORS.get("Add" if kind == "Average" else kind, "")
    total = values[0]
    for place, value in enumerate(values[1:], start=2):
        last = place == len(values) and kind != "Average"
        total = _combine(sheet, operator, total, value, name if last else f"{name}/{place}")
    if kind == "Average":
        share = np.array(1.0 / len(values))
        total = sheet.affine(total, share, np.zeros(1), name)
    return total


def custom_scale(sheet: Sheet, layer: Any, values: list[Value], name: str) -> Value:  # noqa: ANN401
    """CustomScaleLayer, as InceptionResNetV2 has it: the first plus a share of the second."""
    share = sheet.affine(values[1], np.array(layer.scale), np.zeros(1), f"{name}/scaled")
    return _combine(sheet, "Add", values[0], share, name)


def concatenate(sheet: Sheet, layer: Any, values: list[Value], name: str) -> Value:  # noqa: ANN401
    """Concatenate along the channels.

    Raises:
        TrunkError: along another axis, or maps of different sizes.
    """
    first = values[0]
    sides = {value.shape[:-1] for value in values}
    if layer.axis not in (-1, len(first.shape)) or len(sides) != 1:
        raise TrunkError(
            f"the layer {name!r} (Concatenate) joins {[list(v.shape) for v in values]} along the "
            f"axis {layer.axis}; expected maps of one size, along the last axis."
        )
    channels = sum(value.shape[-1] for value in values)
    if first.is_map:
        height, width = first.shape[:2]
        made = Value("", (height, width, channels), (channels, height, width))
    else:
        values = [sheet.flat(value, f"{name}/{place}") for place, value in enumerate(values)]
        made = Value("", (channels,), None)
    return sheet.put("Concat", name, values, made, axis=1)


def cast(operation: Any, args: tuple[Any, ...], name: str) -> Value:  # noqa: ANN401
    """A cast to float32, which all values are, the photos too.

    Raises:
        TrunkError: to something else.
    """
    if str(operation.dtype) != "float32" or len(args) != 1 or not isinstance(args[0], Value):
        raise TrunkError(f"the step {name!r} casts to {operation.dtype}; expected float32.")
    return args[0]


def operate(
    sheet: Sheet,
    operation: Any,  # noqa: ANN401
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    name: str,
) -> Value:
    """A step between layers, as `x / 127.5 - 1` writes it.

    Raises:
        TrunkError: one that is not of the list, or with other things than values and numbers.
    """
    kind, given = type(operation).__name__, [*args, *kwargs.values()]
    if kind == "GetItem":
        return get_item(sheet, given, name)
    if kind == "Stack":
        return stack(sheet, list(given[0]), int(operation.axis), name)
    if len(given) == 2:
        one, other = given
        if isinstance(one, Value) and isinstance(other, Value):
            return _combine(sheet, _OPERATORS[kind], one, other, name)
        if isinstance(one, Value):
            return _with_number(sheet, kind, one, _number(other, one, name), name)
        if isinstance(other, Value) and kind not in ("Divide", "TrueDivide"):
            number = _number(one, other, name)
            if kind != "Subtract":
                return _with_number(sheet, kind, other, number, name)
            return sheet.affine(other, np.array(-1.0), number, name)
    raise TrunkError(
        f"the step {name!r} ({kind}) works on {len(given)} things in a way that is not known; "
        "expected x + y, x - y, x * y, or x / a number."
    )


def _with_number(sheet: Sheet, kind: str, value: Value, number: Array, name: str) -> Value:
    one, none = np.ones(1), np.zeros(1)
    if kind in ("Add", "Subtract"):
        return sheet.affine(value, one, number if kind == "Add" else -number, name)
    return sheet.affine(value, number if kind == "Multiply" else 1.0 / number, none, name)


def _number(given: Any, value: Value, name: str) -> Array:  # noqa: ANN401
    """A number, or one for every channel.

    Raises:
        TrunkError: it is none, zero where it divides, or for single places.
    """
    try:
        number = np.asarray(given, np.float64)
    except (TypeError, ValueError):
        number = np.array(np.nan)
    if (
        number.size not in (1, value.shape[-1])
        or not np.isfinite(number).all()
        or (number.size > 1 and number.shape[-1] != number.size)
    ):
        raise TrunkError(
            f"the step {name!r} takes {type(given).__name__} of shape {list(number.shape)}; "
            "expected a number, or one for every channel."
        )
    return number.reshape(-1)


def _combine(sheet: Sheet, operator: str, one: Value, other: Value, name: str) -> Value:
    """Two values, number by number; a map of one place counts for all places of the other.

    Raises:
        TrunkError: they do not fit together.
    """
    fits = len(one.shape) == len(other.shape) and all(
        a == b or 1 in (a, b) for a, b in zip(one.shape, other.shape, strict=True)
    )
    if not fits or one.channel is not None or other.channel is not None:
        raise TrunkError(
            f"the layer {name!r} puts {list(one.shape)} and {list(other.shape)} together; expected "
            "equal shapes, or one of them with a single place."
        )
    if one.planes != other.planes and not one.is_map:
        one, other = sheet.flat(one, f"{name}/one"), sheet.flat(other, f"{name}/other")
    shape = tuple(max(a, b) for a, b in zip(one.shape, other.shape, strict=True))
    planes = one.planes if not one.is_map else (shape[2], shape[0], shape[1])
    assert math.prod(shape) > 0
    return sheet.put(operator, name, [one, other], Value("", shape, planes))
