"""Convolutions and pools: what slides a window over height and width."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ninebrains.bridging.operators.node import Node, Operator
from ninebrains.bridging.operators.value import Array, Value, arranged, channels_last

_LAST = channels_last(4)


@dataclass(frozen=True)
class _Window:
    """How a window slides over (height, width).

    Attributes:
        kernel: its size.
        strides: its steps.
        dilations: the distance between what it reads.
        before: places added above and to the left.
        after: places added below and to the right.
        sizes: what it slides over.
        given_after: how many of `after` the file says; more are added where it rounds up.
    """

    kernel: tuple[int, int]
    strides: tuple[int, int]
    dilations: tuple[int, int]
    before: tuple[int, int]
    after: tuple[int, int]
    sizes: tuple[int, int]
    given_after: tuple[int, int]

    @property
    def is_valid(self) -> bool:
        """Whether nothing is added."""
        return not any((*self.before, *self.after))

    @property
    def is_same(self) -> bool:
        """Whether what is added is what TensorFlow calls 'same'."""
        return all(
            (self.before[axis], self.after[axis]) == _same(self, axis, extra_first=False)
            for axis in (0, 1)
        )


def _same(window: _Window, axis: int, *, extra_first: bool) -> tuple[int, int]:
    """What 'same' adds before and after an axis."""
    size, stride = window.sizes[axis], window.strides[axis]
    reach = (window.kernel[axis] - 1) * window.dilations[axis] + 1
    added = max((-(-size // stride) - 1) * stride + reach - size, 0)
    half = (added + extra_first) // 2
    return half, added - half


def _window(node: Node, value: Value, kernel: tuple[int, ...]) -> _Window:
    if value.rank != 4 or len(kernel) != 2:
        raise node.refusal(f"slides over a value of {value.rank} axes; expected [N,C,H,W]")
    pads = [int(pad) for pad in node.get("pads", (0, 0, 0, 0))]
    strides = _pair(node, "strides")
    dilations = _pair(node, "dilations")
    if min(*pads, *strides, *dilations) < 0 or not all((*kernel, *strides, *dilations)):
        raise node.refusal(
            f"has the window {kernel}, strides {strides}, dilations {dilations}, pads {pads}"
        )
    sizes = (value.sizes[2], value.sizes[3])
    before, after = (pads[0], pads[1]), (pads[2], pads[3])
    window = _Window((kernel[0], kernel[1]), strides, dilations, before, after, sizes, after)
    kind = _text(node.get("auto_pad", "NOTSET"))
    if kind in ("SAME_UPPER", "SAME_LOWER"):
        both = [_same(window, axis, extra_first=kind == "SAME_LOWER") for axis in (0, 1)]
        before, after = (both[0][0], both[1][0]), (both[0][1], both[1][1])
    elif kind == "VALID":
        before = after = (0, 0)
    given = after
    if node.get("ceil_mode", 0):
        after = _rounded_up(window, before, after)
    return _Window(window.kernel, strides, dilations, before, after, sizes, given)


def _rounded_up(
    window: _Window, before: tuple[int, int], after: tuple[int, int]
) -> tuple[int, int]:
    """What has to be added at the end, so that the last window is whole; it begins inside."""
    found = []
    for axis in (0, 1):
        stride = window.strides[axis]
        reach = (window.kernel[axis] - 1) * window.dilations[axis] + 1
        size = window.sizes[axis] + before[axis]
        count = -(-(size + after[axis] - reach) // stride) + 1
        if (count - 1) * stride >= size:
            count -= 1
        found.append(max((count - 1) * stride + reach - size, 0))
    return found[0], found[1]


def _pair(node: Node, name: str) -> tuple[int, int]:
    found = [int(item) for item in node.get(name, (1, 1))]
    if len(found) != 2:
        raise node.refusal(f"has {len(found)} {name}; expected two")
    return found[0], found[1]


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _padded(node: Node, tensor: Any, window: _Window) -> tuple[Any, str]:  # noqa: ANN401
    """The tensor with zeros around it, and Keras's word for the padding that is left to do."""
    if window.is_valid:
        return tensor, "valid"
    if window.is_same:
        return tensor, "same"
    return _with_zeros(node, tensor, window), "valid"


def _with_zeros(node: Node, tensor: Any, window: _Window) -> Any:  # noqa: ANN401
    around = tuple(zip(window.before, window.after, strict=True))
    return node.pen.layer(
        "ZeroPadding2D", f"{node.output}.pad", (), tensor, padding=around, data_format=_FORMAT
    )


_FORMAT = "channels_last"


def conv(node: Node) -> Value:
    """Conv2D or DepthwiseConv2D."""
    value, weights, bias = node.value(), node.weights(1), node.constant(2)
    if weights.ndim != 4:
        raise node.refusal(f"has weights of {weights.ndim} axes; expected 4")
    window = _window(node, value, weights.shape[2:])
    tensor, padding = _padded(node, arranged(value, _LAST), window)
    num_groups, num_inputs = int(node.get("group", 1)), value.sizes[1]
    if weights.shape[1] * num_groups != num_inputs or weights.shape[0] % num_groups:
        raise node.refusal(f"has weights {weights.shape} for {num_inputs} channels")
    options: dict[str, Any] = {
        "kernel_size": window.kernel,
        "strides": window.strides,
        "dilation_rate": window.dilations,
        "padding": padding,
        "data_format": _FORMAT,
        "use_bias": bias is not None,
    }
    added = [] if bias is None else [bias]
    is_square = window.strides[0] == window.strides[1]
    if num_groups == num_inputs and num_groups > 1 and is_square:
        multiplier = weights.shape[0] // num_groups
        # [C * m, 1, h, w] to [h, w, C, m]
        kernel = weights.reshape(num_groups, multiplier, *window.kernel).transpose(2, 3, 0, 1)
        options["depth_multiplier"] = multiplier
        options["depthwise_initializer"] = "zeros"
        made = node.layer("DepthwiseConv2D", [kernel, *added], tensor, **options)
    else:
        if max(window.strides) > 1 and max(window.dilations) > 1:
            raise node.refusal("has both strides and dilations")
        options |= {"filters": weights.shape[0], "groups": num_groups}
        options["kernel_initializer"] = "zeros"
        made = node.layer("Conv2D", [weights.transpose(2, 3, 1, 0), *added], tensor, **options)
    return node.made(made, _LAST, value)


def max_pool(node: Node) -> Value:
    """MaxPooling2D; what is added around is never the largest."""
    from keras import ops

    value, window = _pool(node)
    tensor, padding = arranged(value, _LAST), "same"
    if window.is_valid:
        padding = "valid"
    elif not window.is_same:
        padding = "valid"
        if _is_never_negative(value.tensor):
            tensor = _with_zeros(node, tensor, window)
        else:
            around = zip(window.before, window.after, strict=True)
            pads = [(0, 0), *around, (0, 0)]
            least = float(np.finfo(np.float32).min)
            tensor = ops.pad(tensor, pads, constant_values=least)
            node.pen.named(tensor, f"{node.output}.pad")
    made = node.layer(
        "MaxPooling2D",
        (),
        tensor,
        pool_size=window.kernel,
        strides=window.strides,
        padding=padding,
        data_format=_FORMAT,
    )
    return node.made(made, _LAST, value)


def _is_never_negative(tensor: Any) -> bool:  # noqa: ANN401
    """Whether a tensor comes straight from what cuts off at zero."""
    operation = tensor._keras_history.operation
    return type(operation).__name__ in ("ReLU", "Sigmoid", "Square")


def average_pool(node: Node) -> Value:
    """AveragePooling2D; where windows hold less than a whole one, the mean is put right."""
    from keras import ops

    value, window = _pool(node)
    counts_added = bool(node.get("count_include_pad", 0))
    tensor, padding = arranged(value, _LAST), "valid"
    factor = _factor(window, counts_added=counts_added)
    if not window.is_valid:
        if window.is_same and not counts_added and not node.get("ceil_mode", 0):
            padding, factor = "same", None
        else:
            tensor = _with_zeros(node, tensor, window)
    made = node.layer(
        "AveragePooling2D",
        (),
        tensor,
        pool_size=window.kernel,
        strides=window.strides,
        padding=padding,
        data_format=_FORMAT,
    )
    if factor is not None:
        made = ops.multiply(made, factor)
    return node.made(made, _LAST, value, ".whole")


def _factor(window: _Window, *, counts_added: bool) -> Array | None:
    """A whole window's places over those that count, [h, w, 1]; None where all are whole."""
    counts = []
    for axis in (0, 1):
        size, before = window.sizes[axis], window.before[axis]
        first = 0 if counts_added else before
        end = before + size + (window.given_after[axis] if counts_added else 0)
        total = before + size + window.after[axis]
        starts = np.arange(0, total - window.kernel[axis] + 1, window.strides[axis])
        ends = np.minimum(starts + window.kernel[axis], end)
        counts.append(np.maximum(ends - np.maximum(starts, first), 1))
    whole = window.kernel[0] * window.kernel[1]
    factor: Array = (whole / np.outer(counts[0], counts[1])).astype(np.float32)
    return None if np.all(factor == 1) else factor[..., None]


def _pool(node: Node) -> tuple[Value, _Window]:
    value = node.value()
    window = _window(node, value, tuple(int(size) for size in node.get("kernel_shape", ())))
    if window.dilations != (1, 1) or node.num_outputs > 1:
        raise node.refusal("has dilations or gives indices")
    return value, window


def _global_pool(kind: str) -> Operator:
    def pool(node: Node) -> Value:
        value = node.value()
        if value.rank != 4:
            raise node.refusal(f"pools a value of {value.rank} axes; expected [N,C,H,W]")
        made = node.layer(
            kind, (), arranged(value, _LAST), keepdims=True, data_format="channels_last"
        )
        return node.made(made, _LAST, value)

    return pool


WINDOWS: Mapping[str, Operator] = {
    "AveragePool": average_pool,
    "Conv": conv,
    "GlobalAveragePool": _global_pool("GlobalAveragePooling2D"),
    "GlobalMaxPool": _global_pool("GlobalMaxPooling2D"),
    "MaxPool": max_pool,
}
