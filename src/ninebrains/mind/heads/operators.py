"""The operators that tails consist of, for many brains at a time.

Each takes arrays whose first axis counts pairs of a photo and a brain, and treats every pair on its
own: its result is the same bits whichever pairs lie beside it. Sums are taken as products with
ones, row by row, because numpy may add in another order when an array has another length.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, reduce

import numpy as np

from ninebrains.mind.forms.form import Shape
from ninebrains.mind.heads.templates import Floats

Function = Callable[..., Floats]


def _many(function: Function) -> Function:
    """Of any number of operands."""
    return lambda *operands: reduce(function, operands)


def _clip(values: Floats, *, low: float | None, high: float | None) -> Floats:
    # As ONNX says it: the upper bound wins where it is the lower one.
    raised = values if low is None else np.maximum(values, np.float32(low))
    return raised if high is None else np.minimum(raised, np.float32(high))


def _relu(values: Floats) -> Floats:
    return np.maximum(values, 0)


def _sigmoid(values: Floats) -> Floats:
    powers: Floats = np.exp(-values)
    powers += 1
    return np.reciprocal(powers, out=powers)


def _softmax(values: Floats) -> Floats:
    powers: Floats = np.exp(values - values.max(axis=-1, keepdims=True))
    powers /= _sum(powers, keep=True)
    return powers


def _sum(values: Floats, *, keep: bool) -> Floats:
    return _kept(_dots(values, np.ones(values.shape[-1], np.float32)), keep)


def _mean(values: Floats, *, keep: bool) -> Floats:
    return _sum(values, keep=keep) / np.float32(values.shape[-1])


def _length(values: Floats, *, keep: bool) -> Floats:
    return _kept(np.sqrt(_dots(values, values)), keep)


def _linear(values: Floats, matrix: Floats) -> Floats:
    """Rows [P, width] by each pair's own small matrix [P, rows, width]."""
    return _dots(values[:, None], matrix)


def _dots(one: Floats, two: Floats) -> Floats:
    found: Floats = np.vecdot(np.ascontiguousarray(one), two)
    return found


def _kept(values: Floats, keep: bool) -> Floats:
    return values[..., None] if keep else values


def _extreme(values: Floats, *, keep: bool, function: np.ufunc) -> Floats:
    found: Floats = function.reduce(values, axis=-1, keepdims=keep)
    return found


def _reshape(values: Floats, *, shape: Shape) -> Floats:
    return values.reshape(len(values), *shape)


FUNCTIONS: dict[str, Function] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Div": np.divide,
    "Max": _many(np.maximum),
    "Min": _many(np.minimum),
    "Clip": _clip,
    "Sqrt": np.sqrt,
    "Relu": _relu,
    "Sigmoid": _sigmoid,
    "Softmax": _softmax,
    "Linear": _linear,
    "Reshape": _reshape,
    "ReduceSum": _sum,
    "ReduceMean": _mean,
    "ReduceL2": _length,
    "ReduceMax": partial(_extreme, function=np.maximum),
    "ReduceMin": partial(_extreme, function=np.minimum),
}

COMMUTATIVE = frozenset(("Add", "Mul", "Max", "Min"))
