"""Linear layers and normalisation: what multiplies with weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ninebrains.bridging.operators.node import Node, Operator
from ninebrains.bridging.operators.value import (
    Array,
    Value,
    arranged,
    channels_last,
    in_order,
)


def gemm(node: Node) -> Value:
    """Dense, where the second factor and what is added are constants."""
    from keras import ops

    first, second, added = node.input(0), node.input(1), node.input(2)
    alpha, beta = float(node.get("alpha", 1.0)), float(node.get("beta", 1.0))
    left, right = node.get("transA", 0), node.get("transB", 0)
    is_plain = isinstance(first, Value) and first.rank == 2 and not left
    if is_plain and isinstance(second, np.ndarray) and not isinstance(added, Value):
        kernel = (second.T if right else second) * np.float32(alpha)
        bias = None if added is None else _bias(added * np.float32(beta), kernel.shape[1])
        if added is None or bias is not None:
            return _dense(node, node.value(), kernel, bias)
    factors = [
        ops.transpose(tensor) if turned else tensor
        for tensor, turned in ((_plain(first), left), (_plain(second), right))
    ]
    made = ops.matmul(factors[0], factors[1])
    if alpha != 1.0:
        made = ops.multiply(made, alpha)
    if added is not None:
        made = ops.add(made, ops.multiply(_plain(added), beta) if beta != 1.0 else _plain(added))
    return node.made(made, in_order(2), _first_value(node))


def _bias(added: Array, size: int) -> Array | None:
    """What a Gemm adds as one number a column, or None if rows differ."""
    flat = added.reshape(-1)
    if added.size not in (1, size) or (added.ndim == 2 and added.shape[0] != 1):
        return None
    return np.ascontiguousarray(np.broadcast_to(flat, (size,)))


def matmul(node: Node) -> Value:
    """Dense without bias, where the second factor is a constant matrix."""
    from keras import ops

    first, second = node.input(0), node.input(1)
    if isinstance(first, Value) and isinstance(second, np.ndarray) and second.ndim == 2:
        if first.sizes[-1] != second.shape[0]:
            raise node.refusal(f"multiplies {first.sizes[1:]} with {second.shape}")
        return _dense(node, first, second, None)
    ranks = [item.rank if isinstance(item, Value) else item.ndim for item in (first, second)]  # type: ignore[union-attr]
    if min(ranks) < 2:
        raise node.refusal("multiplies with a vector; expected matrices")
    made = ops.matmul(_plain(first), _plain(second))
    return node.made(made, in_order(max(ranks)), _first_value(node))


def _dense(node: Node, value: Value, kernel: Array, bias: Array | None) -> Value:
    """Keras's linear layer works on the last axis, so that one has to be the last."""
    last = value.rank - 1
    axes = (*(axis for axis in value.axes if axis != last), last)
    made = node.layer(
        "Dense",
        [kernel] if bias is None else [kernel, bias],
        arranged(value, axes),
        units=int(kernel.shape[1]),
        use_bias=bias is not None,
        kernel_initializer="zeros",
    )
    return node.result(made, (*value.sizes[:-1], int(kernel.shape[1])), axes)


def _plain(item: Value | Array | None) -> Any:  # noqa: ANN401
    """A factor in ONNX's order."""
    return arranged(item, in_order(item.rank)) if isinstance(item, Value) else item


def _first_value(node: Node) -> Value:
    return next(item for item in node.inputs if isinstance(item, Value))


def batch_normalization(node: Node) -> Value:
    """BatchNormalization with the statistics of training."""
    value = node.value()
    numbers = [node.weights(place) for place in (1, 2, 3, 4)]
    if node.get("training_mode", 0) or node.num_outputs > 1:
        raise node.refusal("is in training mode. Export the network for inference")
    if value.rank < 2 or any(item.shape != (value.sizes[1],) for item in numbers):
        raise node.refusal("has statistics that do not fit its channels")
    axes = channels_last(value.rank)
    made = node.layer(
        "BatchNormalization",
        numbers,
        arranged(value, axes),
        axis=-1,
        epsilon=float(node.get("epsilon", 1e-5)),
    )
    return node.made(made, axes, value)


def layer_normalization(node: Node) -> Value:
    """LayerNormalization over the last axes."""
    value, scale, shift = node.value(), node.weights(1), node.constant(2)
    first = value.axis(int(node.get("axis", -1)))
    count = value.rank - first
    if node.num_outputs > 1:
        raise node.refusal("gives mean and deviation too")
    if scale.shape != value.sizes[first:] or (shift is not None and shift.shape != scale.shape):
        raise node.refusal(f"has weights {scale.shape} for {value.sizes[first:]}")
    axes = value.axes if count == 1 else in_order(value.rank)
    places = [axes.index(axis) for axis in range(first, value.rank)]
    made = node.layer(
        "LayerNormalization",
        [scale] if shift is None else [scale, shift],
        arranged(value, axes),
        axis=places[0] if count == 1 else places,
        epsilon=float(node.get("epsilon", 1e-5)),
        center=shift is not None,
    )
    return node.result(made, value.sizes, axes)


def einsum(node: Node) -> Value:
    """Products and sums as a formula says."""
    from keras import ops

    formula = node.get("equation", b"")
    text = formula.decode() if isinstance(formula, bytes) else str(formula)
    made = ops.einsum(text.replace(" ", ""), *(_plain(item) for item in node.inputs))
    return node.made(made, in_order(len(made.shape)), _first_value(node))


PRODUCTS: Mapping[str, Operator] = {
    "BatchNormalization": batch_normalization,
    "Einsum": einsum,
    "Gemm": gemm,
    "LayerNormalization": layer_normalization,
    "MatMul": matmul,
}
