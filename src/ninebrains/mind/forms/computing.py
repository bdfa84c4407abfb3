"""What can be computed while reading: values that no photo changes, and those their number decides.

Only operators whose results IEEE 754 or integers fix to the last bit are here, so that a form's
hash is the same on every machine.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import cast

import numpy as np

from ninebrains.errors import BrainError
from ninebrains.mind.forms.form import Array, Attribute, Shape, Tensor
from ninebrains.mind.forms.shaping import Fact

# A network's own constants are smaller; what is larger is left to the backend.
LARGEST_RESULT = 1 << 23
LARGEST_TOTAL = 1 << 25

_Compute = Callable[[Sequence[Array], Mapping[str, Attribute], Shape], Array]


def can_compute(operator: str, shape: Shape) -> bool:
    """Whether a result of this shape is to be computed beforehand."""
    return operator in _COMPUTE and math.prod(shape) <= LARGEST_RESULT


def compute(
    operator: str, inputs: Sequence[Array], attributes: Mapping[str, Attribute], fact: Fact
) -> Array:
    """The result of an operator on known values.

    Raises:
        BrainError: the values do not fit the operator.
    """
    try:
        with np.errstate(all="ignore"):
            result = _COMPUTE[operator](inputs, attributes, fact.shape)
        return np.ascontiguousarray(result, np.dtype(fact.dtype)).reshape(fact.shape)
    except (ValueError, IndexError, TypeError, OverflowError, ZeroDivisionError) as error:
        raise BrainError(f"operator {operator!r} cannot be computed: {error}") from error


def is_exact_power(exponent: Array) -> bool:
    """Whether a power is a square or a square root, which are rounded alike everywhere."""
    return exponent.size == 1 and exponent.item() in (0.5, 2)


def shape_vector(fact: Fact, attributes: Mapping[str, Attribute], photos: int) -> Array:
    """What Shape gives for so many photos."""
    sizes = [s + g * (photos - 1) for s, g in zip(fact.shape, fact.growth, strict=True)]
    start = cast("int", attributes.get("start", 0))
    end = cast("int", attributes.get("end", len(sizes)))
    return np.array(sizes[slice(*slice(start, end).indices(len(sizes)))], np.int64)


def _divide(inputs: Sequence[Array], _attributes: Mapping[str, Attribute], _shape: Shape) -> Array:
    """Integers are divided towards zero."""
    over, under = inputs
    if over.dtype.kind not in "iu":
        return np.divide(over, under)
    if not np.all(under):
        raise ZeroDivisionError("division by zero")
    down: Array = np.floor_divide(over, under)
    return np.add(down, np.less(down, 0) & np.not_equal(np.multiply(down, under), over))


def _modulo(inputs: Sequence[Array], attributes: Mapping[str, Attribute], _shape: Shape) -> Array:
    if inputs[0].dtype.kind in "iu" and not np.all(inputs[1]):
        raise ZeroDivisionError("division by zero")
    result: Array = np.fmod(*inputs) if attributes.get("fmod", 0) else np.mod(*inputs)
    return result


def _power(inputs: Sequence[Array], _attributes: Mapping[str, Attribute], _shape: Shape) -> Array:
    """Squares and square roots, the powers that are exact (see `can_compute`)."""
    base, exponent = inputs
    result = np.sqrt(base) if exponent.item() == 0.5 else np.multiply(base, base)
    return cast("Array", result)


def _slice(inputs: Sequence[Array], _attributes: Mapping[str, Attribute], _shape: Shape) -> Array:
    value, starts, ends = inputs[:3]
    axes = inputs[3] if len(inputs) > 3 and inputs[3] is not None else np.arange(starts.size)
    steps = inputs[4] if len(inputs) > 4 else np.ones(starts.size, np.int64)
    where = [slice(None)] * value.ndim
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        # An end below the first place means "up to the first" when going backwards.
        last = None if step < 0 and end < -value.shape[int(axis)] else int(end)
        where[int(axis)] = slice(int(start), last, int(step))
    return value[tuple(where)]


def _elementwise(function: Callable[..., Array]) -> _Compute:
    return lambda inputs, _attributes, _shape: function(*inputs)


def _folded(function: Callable[..., Array]) -> _Compute:
    """Operators of any number of inputs."""

    def fold(inputs: Sequence[Array], _attributes: Mapping[str, Attribute], _shape: Shape) -> Array:
        result = inputs[0]
        for value in inputs[1:]:
            result = function(result, value)
        return result

    return fold


def _reduced(function: Callable[..., Array]) -> _Compute:
    """Over the axes of the second input; integers only, whose order of summing does not matter."""

    def reduce(
        inputs: Sequence[Array], _attributes: Mapping[str, Attribute], _shape: Shape
    ) -> Array:
        return function(inputs[0], axis=tuple(int(axis) for axis in inputs[1]), keepdims=True)

    return reduce


def _full(_inputs: Sequence[Array], attributes: Mapping[str, Attribute], shape: Shape) -> Array:
    value = cast("Tensor", attributes.get("value", Tensor("float32", (1,), bytes(4))))
    return np.full(shape, np.frombuffer(value.data, np.dtype(value.dtype))[0])


_COMPUTE: dict[str, _Compute] = {
    "Abs": _elementwise(np.abs),
    "Add": _elementwise(np.add),
    "And": _elementwise(np.logical_and),
    "Cast": lambda inputs, _attributes, _shape: inputs[0],
    "Ceil": _elementwise(np.ceil),
    "Concat": lambda inputs, attributes, _shape: np.concatenate(
        inputs, axis=cast("int", attributes["axis"])
    ),
    "ConstantOfShape": _full,
    "Div": _divide,
    "Equal": _elementwise(np.equal),
    "Expand": lambda inputs, _attributes, shape: np.broadcast_to(inputs[0], shape),
    "Floor": _elementwise(np.floor),
    "Gather": lambda inputs, attributes, _shape: np.take(
        inputs[0], inputs[1].astype(np.int64), axis=cast("int", attributes.get("axis", 0))
    ),
    "Greater": _elementwise(np.greater),
    "GreaterOrEqual": _elementwise(np.greater_equal),
    "Less": _elementwise(np.less),
    "LessOrEqual": _elementwise(np.less_equal),
    "Max": _folded(np.maximum),
    "Min": _folded(np.minimum),
    "Mod": _modulo,
    "Mul": _elementwise(np.multiply),
    "Neg": _elementwise(np.negative),
    "Not": _elementwise(np.logical_not),
    "Or": _elementwise(np.logical_or),
    "Pow": _power,
    "Range": lambda inputs, _attributes, _shape: np.arange(*(value.item() for value in inputs)),
    "ReduceMax": _reduced(np.max),
    "ReduceMin": _reduced(np.min),
    "ReduceProd": _reduced(np.prod),
    "ReduceSum": _reduced(np.sum),
    "Reshape": lambda inputs, _attributes, shape: inputs[0].reshape(shape),
    "Slice": _slice,
    "Sqrt": _elementwise(np.sqrt),
    "Sub": _elementwise(np.subtract),
    "Tile": lambda inputs, _attributes, _shape: np.tile(
        inputs[0], tuple(int(times) for times in inputs[1])
    ),
    "Transpose": lambda inputs, attributes, _shape: np.transpose(
        inputs[0], cast("Shape | None", attributes.get("perm"))
    ),
    "Where": _elementwise(np.where),
}
INTEGERS_ONLY = frozenset(("ReduceProd", "ReduceSum"))
