"""What works on each place alone: activations, arithmetic with broadcasting, comparisons."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ninebrains.bridging.operators.node import Node, Operator
from ninebrains.bridging.operators.value import Array, Value, aligned
from ninebrains.errors import BrainError

# ONNX's operator and the function of keras.ops that does the same.
_UNARY = {
    "Abs": "abs",
    "Ceil": "ceil",
    "Cos": "cos",
    "Erf": "erf",
    "Exp": "exp",
    "Floor": "floor",
    "HardSwish": "hard_silu",
    "Log": "log",
    "Neg": "negative",
    "Not": "logical_not",
    "Reciprocal": "reciprocal",
    "Sigmoid": "sigmoid",
    "Sign": "sign",
    "Sin": "sin",
    "Softplus": "softplus",
    "Softsign": "softsign",
    "Sqrt": "sqrt",
    "Tanh": "tanh",
}
_BINARY = {
    "Add": "add",
    "And": "logical_and",
    "Div": "divide",
    "Equal": "equal",
    "Greater": "greater",
    "GreaterOrEqual": "greater_equal",
    "Less": "less",
    "LessOrEqual": "less_equal",
    "Mul": "multiply",
    "Or": "logical_or",
    "Sub": "subtract",
}
_SEVERAL = {"Max": "maximum", "Mean": "add", "Min": "minimum", "Sum": "add"}


def _function(name: str) -> Any:  # noqa: ANN401 - keras has no types
    from keras import ops

    return getattr(ops, name)


def _same(node: Node, tensor: Any) -> Value:  # noqa: ANN401
    value = node.value()
    return node.result(tensor, value.sizes, value.axes)


def _unary(function: str) -> Operator:
    def run(node: Node) -> Value:
        return _same(node, _function(function)(node.value().tensor))

    return run


def _binary(function: str) -> Operator:
    def run(node: Node) -> Value:
        tensors, sizes, axes = aligned(_given(node))
        return node.result(_function(function)(*tensors), sizes, axes)

    return run


def _several(function: str) -> Operator:
    """Operators of one or more inputs, two by two."""

    def run(node: Node) -> Value:
        tensors, sizes, axes = aligned(_given(node))
        # Constants last, or the first two might be numbers that Keras knows nothing of.
        tensors.sort(key=lambda item: not hasattr(item, "_keras_history"))
        made = tensors[0]
        for tensor in tensors[1:]:
            made = _function(function)(made, tensor)
        if node.operator == "Mean" and len(tensors) > 1:
            made = _function("divide")(made, len(tensors))
        return node.result(made, sizes, axes)

    return run


def _given(node: Node) -> list[Value | Array]:
    given = [item for item in node.inputs if item is not None]
    if len(given) < len(node.inputs):
        raise node.refusal("lacks an input")
    return given


def relu(node: Node) -> Value:
    """A ReLU layer."""
    return _same(node, node.layer("ReLU", (), node.value().tensor))


def clip(node: Node) -> Value:
    """A ReLU layer where it cuts at zero, as ReLU6 does."""
    from keras import ops

    value = node.value()
    low, high = (_limit(node, name, place) for place, name in ((1, "min"), (2, "max")))
    if low == 0.0:
        options = {} if high is None else {"max_value": high}
        return _same(node, node.layer("ReLU", (), value.tensor, **options))
    made = value.tensor if low is None else ops.maximum(value.tensor, low)
    made = made if high is None else ops.minimum(made, high)
    return _same(node, made) if made is not value.tensor else value


def _limit(node: Node, name: str, place: int) -> float | None:
    """A limit, which older versions have as an attribute; none where it is out of reach."""
    found = node.constant(place)
    limit = node.get(name, None) if found is None else found.item()
    is_reached = limit is not None and abs(limit) < np.finfo(np.float32).max
    return float(limit) if is_reached else None


def leaky_relu(node: Node) -> Value:
    """A LeakyReLU layer."""
    slope = float(node.get("alpha", 0.01))
    return _same(node, node.layer("LeakyReLU", (), node.value().tensor, negative_slope=slope))


def prelu(node: Node) -> Value:
    """A PReLU layer; its slopes are shared along all axes but those that they differ along."""
    value, slope = node.value(), node.weights(1)
    if slope.ndim > value.rank or (slope.ndim == value.rank and slope.shape[0] != 1):
        raise node.refusal(f"has slopes of the shape {slope.shape}")
    wide = slope.reshape((1,) * (value.rank - slope.ndim) + slope.shape).transpose(value.axes)[0]
    shared = [place for place, size in enumerate(wide.shape, 1) if size == 1]
    made = node.layer("PReLU", [wide], value.tensor, shared_axes=shared or None)
    return _same(node, made)


def elu(node: Node) -> Value:
    """An ELU layer; Selu and Celu are its relatives."""
    from keras import ops

    value, alpha = node.value(), float(node.get("alpha", 1.0))
    if node.operator == "Celu":
        return _same(node, ops.celu(value.tensor, alpha=alpha))
    made = node.layer("ELU", (), value.tensor, alpha=alpha)
    return _same(node, made)


def selu(node: Node) -> Value:
    """Selu with the constants that ONNX and Keras share."""
    from keras import ops

    if {"alpha", "gamma"} & node.attributes.keys():
        raise node.refusal("has constants of its own")
    return _same(node, ops.selu(node.value().tensor))


def hard_sigmoid(node: Node) -> Value:
    """Keras has the usual one, of the slope 1/6; others are written out."""
    from keras import ops

    tensor = node.value().tensor
    alpha, beta = float(node.get("alpha", 0.2)), float(node.get("beta", 0.5))
    if abs(alpha - 1 / 6) < 1e-6 and beta == 0.5:
        return _same(node, ops.hard_sigmoid(tensor))
    line = ops.add(ops.multiply(tensor, alpha), beta)
    return _same(node, ops.clip(line, 0.0, 1.0))


def gelu(node: Node) -> Value:
    """Gelu, exact or with the hyperbolic tangent."""
    from keras import ops

    kind = node.get("approximate", b"none")
    approximate = kind in (b"tanh", "tanh")
    return _same(node, ops.gelu(node.value().tensor, approximate=approximate))


def mish(node: Node) -> Value:
    """Each number times tanh(softplus) of it."""
    from keras import ops

    tensor = node.value().tensor
    return _same(node, ops.multiply(tensor, ops.tanh(ops.softplus(tensor))))


def power(node: Node) -> Value:
    """Squares and roots as such, which every runtime knows."""
    from keras import ops

    exponent = node.input(1)
    if isinstance(exponent, np.ndarray) and exponent.size == 1 and exponent.item() in (0.5, 1, 2):
        value = node.value()
        if exponent.item() == 1:
            return value
        function = ops.square if exponent.item() == 2 else ops.sqrt
        return _same(node, function(value.tensor))
    tensors, sizes, axes = aligned(_given(node))
    return node.result(ops.power(*tensors), sizes, axes)


def softmax(node: Node) -> Value:
    """A Softmax layer. Before set 13, it was taken over all axes from the given one on."""
    value, old = node.value(), node.opset < 13
    first = value.axis(int(node.get("axis", 1 if old else -1)))
    last = value.rank if old else first + 1
    long = [axis for axis in range(first, last) if value.sizes[axis] != 1]
    places = [value.axes.index(axis) for axis in long or [first]]
    axis = places[0] if len(places) == 1 else tuple(places)
    if node.operator == "LogSoftmax":
        return _same(node, _function("log_softmax")(value.tensor, axis=axis))
    return _same(node, node.layer("Softmax", (), value.tensor, axis=axis))


def where(node: Node) -> Value:
    """One value or another."""
    tensors, sizes, axes = aligned(_given(node))
    return node.result(_function("where")(*tensors), sizes, axes)


def cast(node: Node) -> Value:
    """Another type. Networks compute in 32-bit floats here; the rest is whole numbers and bools."""
    from onnx import helper

    value = node.value()
    dtype = helper.tensor_dtype_to_np_dtype(int(node.get("to", 1))).name
    if dtype not in ("float32", "int32", "int64", "uint8", "int8", "bool"):
        raise node.refusal(f"computes in {dtype}; expected float32")
    if value.tensor.dtype == dtype:
        return value
    return _same(node, _function("cast")(value.tensor, dtype))


def identity(node: Node) -> Value:
    """Nothing: Dropout does nothing either once a network is trained."""
    if node.num_outputs > 1:
        raise BrainError(f"operator {node.operator!r} gives a mask. Export it for inference.")
    return node.value()


POINTWISE: Mapping[str, Operator] = {
    **{name: _unary(function) for name, function in _UNARY.items()},
    **{name: _binary(function) for name, function in _BINARY.items()},
    **{name: _several(function) for name, function in _SEVERAL.items()},
    "Cast": cast,
    "Celu": elu,
    "Clip": clip,
    "Dropout": identity,
    "Elu": elu,
    "Gelu": gelu,
    "HardSigmoid": hard_sigmoid,
    "Identity": identity,
    "LeakyRelu": leaky_relu,
    "LogSoftmax": softmax,
    "Mish": mish,
    "Pow": power,
    "PRelu": prelu,
    "Relu": relu,
    "Selu": selu,
    "Softmax": softmax,
    "Where": where,
}
