"""Convolutions, dense layers and pooling: what looks at places of a map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ninebrains.bridging.from_keras.activating import activate
from ninebrains.bridging.from_keras.sheet import Array, Planes, Sheet, Value
from ninebrains.errors import TrunkError


def weights(layer: Any, name: str) -> Array | None:  # noqa: ANN401 - a Keras layer
    """A weight of a layer as float32, or None if it has none.

    Raises:
        TrunkError: the layer holds weights of other kinds than plain numbers.
    """
    import keras

    if getattr(layer, "quantization_mode", None) is not None:
        raise TrunkError(
            f"the layer {layer.name!r} is quantised ({layer.quantization_mode}); expected float "
            "weights. Save the model before it is quantised."
        )
    found = getattr(layer, name, None)
    return None if found is None else np.asarray(keras.ops.convert_to_numpy(found), np.float32)


def _kernel(layer: Any, role: str) -> Array:  # noqa: ANN401
    """A weight that the layer must have.

    Raises:
        TrunkError: it was never built.
    """
    found = weights(layer, role)
    if found is None:
        raise TrunkError(
            f"the layer {layer.name!r} has no weights yet; expected a built network. Call it once "
            "on photos, or give its input's shape."
        )
    return found


def check_channels_last(layer: Any, name: str) -> None:  # noqa: ANN401
    """Refuse a layer that has its channels first.

    Raises:
        TrunkError: it has.
    """
    if getattr(layer, "data_format", "channels_last") != "channels_last":
        raise TrunkError(
            f"the layer {name!r} ({type(layer).__name__}) has the data format "
            f"{layer.data_format!r}; expected 'channels_last'."
        )


@dataclass(frozen=True)
class _Window:
    """How a convolution or pooling goes over a map."""

    strides: Sequence[int] = (1, 1)
    dilation: Sequence[int] = (1, 1)
    padding: str = "valid"


_PLAIN = _Window()


def _over(
    sides: tuple[int, int], kernel: Sequence[int], window: _Window
) -> tuple[list[int], tuple[int, int]]:
    """Pads as ONNX lists them (top, left, bottom, right), and the sides of what comes out.

    With 'same' an odd row or column of zeros is added below and on the right, as TensorFlow does.
    """
    before, after, left = [], [], []
    steps = zip(sides, kernel, window.strides, window.dilation, strict=True)
    for side, k, stride, step in steps:
        reach = (k - 1) * step + 1
        total = 0
        if window.padding == "same":
            total = max((-(-side // stride) - 1) * stride + reach - side, 0)
        before.append(total // 2)
        after.append(total - total // 2)
        left.append((side + total - reach) // stride + 1)
    return [*before, *after], (left[0], left[1])


def _convolve(
    sheet: Sheet,
    value: Value,
    kernel: Array,
    bias: Array | None,
    name: str,
    window: _Window = _PLAIN,
    groups: int = 1,
) -> Value:
    """A convolution with a kernel in ONNX's order [out, in, h, w]."""
    value = sheet.as_map(value, name)
    sides = (value.shape[0], value.shape[1])
    size = [int(side) for side in kernel.shape[2:]]
    pads, (height, width) = _over(sides, size, window)
    _check_size(name, height, width)
    outputs = int(kernel.shape[0])
    bias = np.zeros(outputs, np.float32) if bias is None else bias
    return sheet.put(
        "Conv",
        name,
        [value],
        Value("", (height, width, outputs), (outputs, height, width)),
        [("weight", np.ascontiguousarray(kernel)), ("bias", bias)],
        kernel_shape=size,
        strides=list(window.strides),
        dilations=list(window.dilation),
        pads=pads,
        group=groups,
    )


def _check_size(name: str, height: int, width: int) -> None:
    if height < 1 or width < 1:
        raise TrunkError(
            f"the layer {name!r} would give a map of {height}x{width} places; expected one at "
            "least. The photos' size is too small for this network: give a larger one."
        )


def conv2d(sheet: Sheet, layer: Any, value: Value, name: str) -> Value:  # noqa: ANN401
    """Conv2D."""
    check_channels_last(layer, name)
    kernel = _kernel(layer, "kernel").transpose(3, 2, 0, 1)
    window = _Window(layer.strides, layer.dilation_rate, layer.padding)
    bias = weights(layer, "bias")
    made = _convolve(sheet, value, kernel, bias, name, window, layer.groups)
    return activate(sheet, layer.activation, made, f"{name}/{_told(layer)}")


def depthwise(sheet: Sheet, layer: Any, value: Value, name: str) -> Value:  # noqa: ANN401
    """DepthwiseConv2D."""
    check_channels_last(layer, name)
    made = _depthwise(sheet, layer, _kernel(layer, "kernel"), weights(layer, "bias"), value, name)
    return activate(sheet, layer.activation, made, f"{name}/{_told(layer)}")


def separable(sheet: Sheet, layer: Any, value: Value, name: str) -> Value:  # noqa: ANN401
    """SeparableConv2D: a depthwise convolution, then one of single places."""
    check_channels_last(layer, name)
    kernel = _kernel(layer, "depthwise_kernel")
    value = _depthwise(sheet, layer, kernel, None, value, f"{name}/depthwise")
    pointwise = _kernel(layer, "pointwise_kernel").transpose(3, 2, 0, 1)
    made = _convolve(sheet, value, pointwise, weights(layer, "bias"), name)
    return activate(sheet, layer.activation, made, f"{name}/{_told(layer)}")


def _depthwise(
    sheet: Sheet,
    layer: Any,  # noqa: ANN401
    kernel: Array,
    bias: Array | None,
    value: Value,
    name: str,
) -> Value:
    height, width, inputs, each = kernel.shape
    turned = kernel.transpose(2, 3, 0, 1).reshape(inputs * each, 1, height, width)
    window = _Window(layer.strides, layer.dilation_rate, layer.padding)
    return _convolve(sheet, value, turned, bias, name, window, inputs)


def _told(layer: Any) -> str:  # noqa: ANN401
    """What a layer's own activation is called, for names."""
    return str(getattr(layer.activation, "__name__", type(layer.activation).__name__))


def dense(sheet: Sheet, layer: Any, value: Value, name: str) -> Value:  # noqa: ANN401
    """Dense: a product of what is flat, a convolution of single places on a map."""
    kernel, bias = _kernel(layer, "kernel"), weights(layer, "bias")
    if value.is_map:
        made = _convolve(sheet, value, kernel.T[:, :, None, None], bias, name)
    else:
        outputs = int(kernel.shape[1])
        if value.planes is not None:
            kernel = _in_planes(kernel, value.planes)
            value = sheet.put(
                "Flatten", f"{name}/flat", [value], Value("", value.shape, None), axis=1
            )
        bias = np.zeros(outputs, np.float32) if bias is None else bias
        constants = [("weight", np.ascontiguousarray(kernel)), ("bias", bias)]
        made = sheet.put("Gemm", name, [value], Value("", (outputs,), None), constants)
    return activate(sheet, layer.activation, made, f"{name}/{_told(layer)}")


def _in_planes(kernel: Array, planes: Planes) -> Array:
    """The rows of a dense kernel in the order of planes, which spares turning the data."""
    channels, height, width = planes
    turned = kernel.reshape(height, width, channels, -1).transpose(2, 0, 1, 3)
    return turned.reshape(kernel.shape)


def pool(sheet: Sheet, layer: Any, value: Value, name: str) -> Value:  # noqa: ANN401
    """MaxPooling2D and AveragePooling2D."""
    check_channels_last(layer, name)
    value = sheet.as_map(value, name)
    size, strides = list(layer.pool_size), list(layer.strides)
    if size == [1, 1] and strides == [1, 1]:
        return value
    sides = (value.shape[0], value.shape[1])
    pads, (height, width) = _over(sides, size, _Window(strides, (1, 1), layer.padding))
    _check_size(name, height, width)
    channels = value.shape[2]
    made = Value("", (height, width, channels), (channels, height, width))
    operator = "MaxPool" if type(layer).__name__ == "MaxPooling2D" else "AveragePool"
    return sheet.put(operator, name, [value], made, kernel_shape=size, strides=strides, pads=pads)


def pool_all(sheet: Sheet, layer: Any, value: Value, name: str) -> Value:  # noqa: ANN401
    """GlobalAveragePooling2D and GlobalMaxPooling2D."""
    check_channels_last(layer, name)
    value = sheet.as_map(value, name)
    channels = value.shape[2]
    shape = (1, 1, channels) if layer.keepdims else (channels,)
    is_average = type(layer).__name__ == "GlobalAveragePooling2D"
    operator = "GlobalAveragePool" if is_average else "GlobalMaxPool"
    return sheet.put(operator, name, [value], Value("", shape, (channels, 1, 1)))
