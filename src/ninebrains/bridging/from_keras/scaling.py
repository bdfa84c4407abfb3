"""Layers that scale and shift channels: most end as a part of a convolution."""

from __future__ import annotations

from typing import Any

import numpy as np

from ninebrains.bridging.from_keras.convolving import weights
from ninebrains.bridging.from_keras.sheet import Array, Sheet, Value
from ninebrains.errors import TrunkError


def _check_axis(layer: Any, value: Value, name: str) -> None:  # noqa: ANN401
    """Refuse a layer that does not work on the channels.

    Raises:
        TrunkError: it does not.
    """
    axis = layer.axis
    axes = list(axis) if isinstance(axis, (list, tuple)) else [axis]
    if any(entry not in (-1, len(value.shape)) for entry in axes):
        raise TrunkError(
            f"the layer {name!r} ({type(layer).__name__}) works on the axis {axis}; expected the "
            "channels, the last axis."
        )


def _or(found: Array | None, otherwise: float) -> Array:
    return np.asarray(otherwise if found is None else found, np.float64)


def batch_normalization(sheet: Sheet, layer: Any, value: Value, name: str) -> Value:  # noqa: ANN401
    """BatchNormalization with the statistics that it has learnt."""
    _check_axis(layer, value, name)
    variance = _or(weights(layer, "moving_variance"), 1.0)
    scale = _or(weights(layer, "gamma"), 1.0) / np.sqrt(variance + float(layer.epsilon))
    mean = _or(weights(layer, "moving_mean"), 0.0)
    return sheet.affine(value, scale, _or(weights(layer, "beta"), 0.0) - mean * scale, name)


def rescaling(sheet: Sheet, layer: Any, value: Value, name: str) -> Value:  # noqa: ANN401
    """Rescaling."""
    return sheet.affine(value, np.asarray(layer.scale), np.asarray(layer.offset), name)


def normalization(sheet: Sheet, layer: Any, value: Value, name: str) -> Value:  # noqa: ANN401
    """Normalization with a mean and a variance that are known.

    Raises:
        TrunkError: it was never adapted, or does the opposite.
    """
    if layer.invert or getattr(layer, "mean", None) is None:
        fault = "undoes a normalisation" if layer.invert else "has no mean yet"
        raise TrunkError(
            f"the layer {name!r} (Normalization) {fault}; expected one that has been adapted to "
            "photos or given mean and variance."
        )
    _check_axis(layer, value, name)
    mean, variance = _or(weights(layer, "mean"), 0.0), _or(weights(layer, "variance"), 1.0)
    scale = 1.0 / np.maximum(np.sqrt(variance), _SMALLEST)
    return sheet.affine(value, scale, -mean * scale, name)


_SMALLEST = 1e-7  # keras.config.epsilon(), below which it never divides


def layer_scale(sheet: Sheet, layer: Any, value: Value, name: str) -> Value:  # noqa: ANN401
    """LayerScale, as ConvNeXt has it."""
    return sheet.affine(value, _or(weights(layer, "gamma"), 1.0), np.zeros(1), name)


def layer_normalization(sheet: Sheet, layer: Any, value: Value, name: str) -> Value:  # noqa: ANN401
    """LayerNormalization over the channels of every place.

    Written out along the channels where they lie, so that nothing has to be turned; its own scale
    and shift become a part of what follows.

    Raises:
        TrunkError: over other axes, or without a mean.
    """
    _check_axis(layer, value, name)
    if getattr(layer, "rms_scaling", False):
        raise TrunkError(
            f"the layer {name!r} (LayerNormalization) scales without a mean; expected none of that."
        )
    value = value if value.is_map else sheet.flat(value, name)
    mean = _mean(sheet, value, f"{name}/mean")
    centred = sheet.put("Sub", f"{name}/centred", [value, mean], value)
    squared = sheet.put("Mul", f"{name}/squared", [centred, centred], value)
    variance = _mean(sheet, squared, f"{name}/variance")
    least = [("epsilon", np.array(layer.epsilon, np.float32))]
    variance = sheet.put("Add", f"{name}/least", [variance], value, least)
    deviation = sheet.put("Sqrt", f"{name}/deviation", [variance], value)
    normal = sheet.put("Div", f"{name}/normal", [centred, deviation], value)
    scale, shift = _or(weights(layer, "gamma"), 1.0), _or(weights(layer, "beta"), 0.0)
    return sheet.affine(normal, scale, shift, name)


def _mean(sheet: Sheet, value: Value, name: str) -> Value:
    """Over the channels of every place."""
    if sheet.opset < 18:
        return sheet.put("ReduceMean", name, [value], value, axes=[1], keepdims=1)
    axes = [("axes", np.array([1], np.int64))]
    return sheet.put("ReduceMean", name, [value], value, axes, keepdims=1)
