"""Weights stored small: a network that computes in 32-bit floats, from fewer bytes on disk.

float32 [O, ...] ─► float16 ─► Cast ─► what reads it
                └─► int8, a step for each output channel ─► Cast ─► Mul ─► what reads it

Runtimes compute these few operators once, when they load the network. Cast and Mul stand where one
would expect DequantizeLinear because ONNX Runtime leaves that one for every run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import onnx

Floats = npt.NDArray[np.float32]

SMALLEST_WEIGHTS = 16_384
"""Tensors with fewer values stay as they are in int8: they are little of the file and most of the
damage (first layers, and filters for each channel)."""

_SMALLEST_HALF = 256
_SMALLEST_SHARED = 64
_HEAD = "head/"
_HEAD_WEIGHTS = ("head/weights", "head/weights_1x1")
_LEVELS = 127


def store_fp16(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same network with its weights in 16-bit floats.

    Left in 32 bits: what is small, what does not fit into 16 bits, and what a head measures
    familiarity with, where small differences of large numbers count.

    Args:
        model: with all weights inside; not changed.
    """
    parts: dict[str, _Parts] = {}
    for name, values in _floats(model):
        if values.size >= _SMALLEST_HALF and _may_be_half(name) and _fits_half(values):
            parts[name] = _as_half(name, values)
    return _with(model, parts)


def store_int8_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same network with its weights in 8 bits, with a step for each output channel.

    Only weights of Conv, Gemm and MatMul with at least `SMALLEST_WEIGHTS` values are stored so. A
    head's weights go to 16 bits instead: labels should not lose to a file that is hardly smaller.

    Args:
        model: with all weights inside; not changed.
    """
    parts: dict[str, _Parts] = {}
    axes = _output_axes(model)
    for name, values in _floats(model):
        if values.size < SMALLEST_WEIGHTS or not np.isfinite(values).all():
            continue
        if not name.startswith(_HEAD):
            if name in axes:
                parts[name] = _as_bytes(name, values, axes[name])
        elif _may_be_half(name) and _fits_half(values):
            parts[name] = _as_half(name, values)
    return _with(model, parts)


def store_once(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same network with equal weights of different shapes stored once.

    A head's weights are there twice, for scores and for heat maps.

    Args:
        model: with all weights inside; not changed.
    """
    from onnx import helper, numpy_helper

    parts: dict[str, _Parts] = {}
    first: dict[bytes, str] = {}
    for name, values in _floats(model):
        if values.size < _SMALLEST_SHARED:
            continue
        kept = first.setdefault(values.tobytes(), name)
        if kept == name:
            continue
        shape = numpy_helper.from_array(np.array(values.shape, np.int64), f"{name}/shape")
        again = helper.make_node("Reshape", [kept, shape.name], [name], name=name)
        parts[name] = _Parts([shape], [again])
    return _with(model, parts)


@dataclass(frozen=True)
class _Parts:
    """What stands in for one weight: tensors, and the nodes that compute the weight from them."""

    tensors: list[onnx.TensorProto]
    nodes: list[onnx.NodeProto]


def _with(model: onnx.ModelProto, parts: Mapping[str, _Parts]) -> onnx.ModelProto:
    """A copy of a model in which the weights named are computed from parts."""
    import onnx

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.graph.initializer[:], copy.graph.node[:]
    tensors = [tensor for tensor in model.graph.initializer if tensor.name not in parts]
    copy.graph.initializer.extend([*tensors, *(t for part in parts.values() for t in part.tensors)])
    copy.graph.node.extend(node for part in parts.values() for node in part.nodes)
    copy.graph.node.extend(model.graph.node)
    return copy


def _floats(model: onnx.ModelProto) -> Iterator[tuple[str, Floats]]:
    """The 32-bit weights of a network, by name."""
    from onnx import numpy_helper

    for tensor in model.graph.initializer:
        if tensor.data_type == tensor.FLOAT:
            yield tensor.name, numpy_helper.to_array(tensor)


def _may_be_half(name: str) -> bool:
    return not name.startswith(_HEAD) or name in _HEAD_WEIGHTS


def _fits_half(values: Floats) -> bool:
    return bool(np.abs(values).max() <= np.finfo(np.float16).max)


def _as_half(name: str, values: Floats) -> _Parts:
    from onnx import TensorProto, helper, numpy_helper

    small = numpy_helper.from_array(values.astype(np.float16), f"{name}/half")
    cast = helper.make_node("Cast", [small.name], [name], name=name, to=TensorProto.FLOAT)
    return _Parts([small], [cast])


def _as_bytes(name: str, values: Floats, axis: int) -> _Parts:
    from onnx import TensorProto, helper, numpy_helper

    others = tuple(place for place in range(values.ndim) if place != axis)
    largest = np.abs(values).max(axis=others, keepdims=True)
    steps = np.where(largest > 0, largest / _LEVELS, 1.0).astype(np.float32)
    numbers = np.rint(values / steps).clip(-_LEVELS, _LEVELS).astype(np.int8)
    small = numpy_helper.from_array(numbers, f"{name}/bytes")
    step = numpy_helper.from_array(steps, f"{name}/steps")
    wide = f"{name}/wide"
    cast = helper.make_node("Cast", [small.name], [wide], name=wide, to=TensorProto.FLOAT)
    return _Parts(
        [small, step], [cast, helper.make_node("Mul", [wide, step.name], [name], name=name)]
    )


def _output_axes(model: onnx.ModelProto) -> dict[str, int]:
    """By weight, along which axis its output channels lie, where all that read it agree."""
    ranks = {tensor.name: len(tensor.dims) for tensor in model.graph.initializer}
    found: dict[str, set[int | None]] = {}
    for node in model.graph.node:
        for place, name in enumerate(node.input):
            if name in ranks:
                axis = _output_axis(node, ranks[name]) if place == 1 else None
                found.setdefault(name, set()).add(axis)
    agreed = {name: next(iter(axes)) for name, axes in found.items() if len(axes) == 1}
    return {name: axis for name, axis in agreed.items() if axis is not None}


def _output_axis(node: onnx.NodeProto, rank: int) -> int | None:
    if node.op_type == "Conv" and rank > 1:
        return 0
    if node.op_type == "Gemm" and rank == 2:
        transposed = any(item.name == "transB" and item.i for item in node.attribute)
        return 0 if transposed else 1
    return rank - 1 if node.op_type == "MatMul" and rank > 1 else None
