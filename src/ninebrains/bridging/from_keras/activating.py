"""Activations, each as one operator where ONNX has it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ninebrains.bridging.from_keras.layers import ACTIVATIONS
from ninebrains.bridging.from_keras.sheet import Array, Attribute, Sheet, Value
from ninebrains.errors import TrunkError

# Keras's name: ONNX's operator and attributes.
_SINGLE: dict[str, tuple[str, dict[str, Attribute]]] = {
    "elu": ("Elu", {"alpha": 1.0}),
    "exponential": ("Exp", {}),
    "hard_sigmoid": ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}),
    "leaky_relu": ("LeakyRelu", {"alpha": 0.2}),
    "relu": ("Relu", {}),
    "selu": ("Selu", {"alpha": 1.6732632423543772, "gamma": 1.0507009873554805}),
    "sigmoid": ("Sigmoid", {}),
    "softplus": ("Softplus", {}),
    "softsign": ("Softsign", {}),
    "tanh": ("Tanh", {}),
}
_RANGES = {"relu6": (0.0, 6.0), "hard_tanh": (-1.0, 1.0)}
_AXES = {"softmax": "Softmax", "log_softmax": "LogSoftmax"}


def activate(sheet: Sheet, function: Any, value: Value, name: str) -> Value:  # noqa: ANN401
    """An activation function of Keras, or a layer that is given as one.

    Raises:
        TrunkError: none of the list.
    """
    kind = type(function).__name__
    if kind in _LAYERS and type(function).__module__.startswith("keras.src."):
        return _LAYERS[kind](sheet, function, value, name)
    told = getattr(function, "__name__", kind)
    own = str(getattr(function, "__module__", "")).startswith("keras.src.")
    if not own or told not in ACTIVATIONS:
        raise TrunkError(
            f"the layer {name!r} has the activation {told!r}; expected one of Keras's own: "
            f"{', '.join(sorted(ACTIVATIONS))}."
        )
    return by_name(sheet, told, value, name)


def by_name(sheet: Sheet, told: str, value: Value, name: str) -> Value:
    """An activation function by Keras's own name."""
    if told == "linear":
        return value
    if told in _SINGLE:
        operator, attributes = _SINGLE[told]
        return sheet.put(operator, name, [value], value, (), **attributes)
    if told in _RANGES:
        return clip(sheet, value, *_RANGES[told], name)
    if told in _AXES:
        value = value if value.is_map else sheet.flat(value, name)
        return sheet.put(_AXES[told], name, [value], value, axis=1)
    return _PARTS[told](sheet, value, name)


def clip(sheet: Sheet, value: Value, least: float, most: float, name: str) -> Value:
    """Every number kept between two."""
    bounds = [("min", np.float32(least)), ("max", np.float32(most))]
    return sheet.put("Clip", name, [value], value, [(role, np.asarray(b)) for role, b in bounds])


def _silu(sheet: Sheet, value: Value, name: str) -> Value:
    gate = sheet.put("Sigmoid", f"{name}/sigmoid", [value], value)
    return sheet.put("Mul", name, [value, gate], value)


def _hard_silu(sheet: Sheet, value: Value, name: str) -> Value:
    if sheet.opset >= 14:
        return sheet.put("HardSwish", name, [value], value)
    gate = by_name(sheet, "hard_sigmoid", value, f"{name}/gate")
    return sheet.put("Mul", name, [value, gate], value)


def _mish(sheet: Sheet, value: Value, name: str) -> Value:
    if sheet.opset >= 18:
        return sheet.put("Mish", name, [value], value)
    gate = sheet.put("Softplus", f"{name}/softplus", [value], value)
    gate = sheet.put("Tanh", f"{name}/tanh", [gate], value)
    return sheet.put("Mul", name, [value, gate], value)


def _gelu(sheet: Sheet, value: Value, name: str) -> Value:
    """Operator set 20 has it as one; before, in the parts that runtimes know to join."""
    if sheet.opset >= 20:
        return sheet.put("Gelu", name, [value], value)

    def by(operator: str, part: str, source: Value, number: float) -> Value:
        constant: Array = np.array(number, np.float32)
        return sheet.put(operator, f"{name}/{part}", [source], value, [(part, constant)])

    inner = by("Div", "root", value, math.sqrt(2.0))
    inner = sheet.put("Erf", f"{name}/erf", [inner], value)
    inner = by("Add", "one", inner, 1.0)
    doubled = sheet.put("Mul", f"{name}/twice", [value, inner], value)
    return by("Mul", "half", doubled, 0.5)


_PARTS = {
    "gelu": _gelu,
    "hard_silu": _hard_silu,
    "hard_swish": _hard_silu,
    "mish": _mish,
    "silu": _silu,
    "swish": _silu,
}


def activation(sheet: Sheet, layer: Any, value: Value, name: str) -> Value:  # noqa: ANN401
    """Activation."""
    return activate(sheet, layer.activation, value, name)


def relu(sheet: Sheet, layer: Any, value: Value, name: str) -> Value:  # noqa: ANN401
    """ReLU, with a top or a slope below zero.

    Raises:
        TrunkError: with a threshold, or a top and a slope at once.
    """
    slope, top = float(layer.negative_slope or 0.0), layer.max_value
    if float(layer.threshold or 0.0) != 0.0 or (top is not None and slope):
        raise TrunkError(
            f"the layer {name!r} (ReLU) has a threshold of {layer.threshold}, a slope of {slope} "
            f"and a top of {top}; expected no threshold, and a slope or a top."
        )
    if top is not None:
        return clip(sheet, value, 0.0, float(top), name)
    if slope:
        return sheet.put("LeakyRelu", name, [value], value, alpha=slope)
    return sheet.put("Relu", name, [value], value)


def leaky_relu(sheet: Sheet, layer: Any, value: Value, name: str) -> Value:  # noqa: ANN401
    """LeakyReLU."""
    return sheet.put("LeakyRelu", name, [value], value, alpha=float(layer.negative_slope))


def elu(sheet: Sheet, layer: Any, value: Value, name: str) -> Value:  # noqa: ANN401
    """ELU."""
    return sheet.put("Elu", name, [value], value, alpha=float(layer.alpha))


def prelu(sheet: Sheet, layer: Any, value: Value, name: str) -> Value:  # noqa: ANN401
    """PReLU, with slopes for every place or for every channel."""
    slope = np.asarray(layer.get_weights()[0], np.float32)
    if value.is_map:
        slope = slope.transpose(2, 0, 1)
    else:
        value = sheet.flat(value, name)
    return sheet.put("PRelu", name, [value], value, [("slope", np.ascontiguousarray(slope))])


def softmax(sheet: Sheet, layer: Any, value: Value, name: str) -> Value:  # noqa: ANN401
    """Softmax over the channels or classes.

    Raises:
        TrunkError: over another axis.
    """
    if layer.axis not in (-1, len(value.shape)):
        raise TrunkError(
            f"the layer {name!r} (Softmax) goes over the axis {layer.axis}; expected the last, -1."
        )
    return by_name(sheet, "softmax", value, name)


_LAYERS = {
    "Activation": activation,
    "ELU": elu,
    "LeakyReLU": leaky_relu,
    "PReLU": prelu,
    "ReLU": relu,
    "Softmax": softmax,
}
