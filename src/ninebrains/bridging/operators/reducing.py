"""Sums, means and extremes along axes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ninebrains.bridging.operators.node import Node, Operator
from ninebrains.bridging.operators.value import Value, arranged, channels_last, counts_photos

_KINDS = (
    "ReduceL1",
    "ReduceL2",
    "ReduceLogSum",
    "ReduceLogSumExp",
    "ReduceMax",
    "ReduceMean",
    "ReduceMin",
    "ReduceProd",
    "ReduceSum",
    "ReduceSumSquare",
)


def reduce(node: Node) -> Value:
    """A reduction; the mean over height and width is a pooling layer."""
    value, keep = node.value(), bool(node.get("keepdims", 1))
    axes = node.ints("axes", 1)
    if not axes and node.get("noop_with_empty_axes", 0):
        return value
    gone = sorted({value.axis(axis) for axis in axes or range(value.rank)})
    if any(counts_photos(value.sizes[axis]) for axis in gone):
        raise node.refusal("mixes photos")
    if node.operator == "ReduceMean" and value.rank == 4 and gone == [2, 3]:
        return _pooled(node, value, keep=keep)
    places = tuple(value.axes.index(axis) for axis in gone)
    made = _reduced(node.operator, value.tensor, axis=places, keepdims=keep)
    sizes = [1 if axis in gone else size for axis, size in enumerate(value.sizes)]
    if keep:
        return node.result(made, tuple(sizes), value.axes)
    left = [axis for axis in range(value.rank) if axis not in gone]
    order = tuple(left.index(axis) for axis in value.axes if axis in left)
    return node.result(made, tuple(sizes[axis] for axis in left), order)


def _pooled(node: Node, value: Value, *, keep: bool) -> Value:
    last = channels_last(4)
    made = node.layer(
        "GlobalAveragePooling2D",
        (),
        arranged(value, last),
        keepdims=keep,
        data_format="channels_last",
    )
    return node.made(made, last if keep else (0, 1), value)


def _reduced(operator: str, tensor: Any, **how: Any) -> Any:  # noqa: ANN401 - keras has no types
    from keras import ops

    match operator:
        case "ReduceL1":
            return ops.sum(ops.abs(tensor), **how)
        case "ReduceL2":
            return ops.sqrt(ops.sum(ops.square(tensor), **how))
        case "ReduceLogSum":
            return ops.log(ops.sum(tensor, **how))
        case "ReduceLogSumExp":
            return ops.logsumexp(tensor, **how)
        case "ReduceSumSquare":
            return ops.sum(ops.square(tensor), **how)
    plain = {"Max": ops.max, "Mean": ops.mean, "Min": ops.min, "Prod": ops.prod, "Sum": ops.sum}
    return plain[operator.removeprefix("Reduce")](tensor, **how)


REDUCING: Mapping[str, Operator] = dict.fromkeys(_KINDS, reduce)
