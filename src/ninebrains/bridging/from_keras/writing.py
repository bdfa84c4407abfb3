"""A sheet to an ONNX model, its weights named by the layers that they come from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ninebrains.bridging.from_keras.folding import scale_and_shift
from ninebrains.bridging.from_keras.sheet import AFFINE, PICK, Array, Step, Value

if TYPE_CHECKING:
    import onnx

_IR_VERSION = 8  # of operator set 17; later sets say theirs
_FLOATS = (np.float32, np.float64)


def write(
    steps: Sequence[Step],
    photos: tuple[str, tuple[int, int, int]],
    outputs: Sequence[Value],
    name: str,
    opset: int,
) -> onnx.ModelProto:
    """The model, with a free batch axis.

    Args:
        steps: in order.
        photos: the input's name and its (H, W, C).
        outputs: what the network gives.
        name: of the graph.
        opset: version of ONNX's operators.
    """
    from onnx import TensorProto, helper

    nodes, tensors = [], []
    for step in steps:
        made, held = _lowered(step)
        nodes.extend(made)
        tensors.extend(held)
    entry = helper.make_tensor_value_info(photos[0], TensorProto.FLOAT, ["N", *photos[1]])
    ends = [
        helper.make_tensor_value_info(value.name, TensorProto.FLOAT, ["N", *value.shape])
        for value in outputs
    ]
    version = max(_IR_VERSION, helper.find_min_ir_version_for([helper.make_opsetid("", opset)]))
    return helper.make_model(
        helper.make_graph(nodes, name, [entry], ends, tensors),
        opset_imports=[helper.make_opsetid("", opset)],
        ir_version=version,
        producer_name="ninebrains",
    )


def _lowered(step: Step) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
    """A step as ONNX's operators, and its constants."""
    if step.operator == AFFINE:
        return _affine(step)
    if step.operator == "Pad":
        return _node(step, "Pad", list(step.constants), {})
    if step.operator == PICK:
        return _node(step, "Gather", list(step.constants), {"axis": 1})
    constants = [
        (role, values) for role, values in step.constants if role != "bias" or np.any(values)
    ]
    return _node(step, step.operator, constants, dict(step.attributes))


def _affine(step: Step) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
    """A scale and shift that found no neighbour: one operator all the same."""
    scale, shift = scale_and_shift(step)
    by_channel = {4: (-1, 1, 1), 2: (-1,)}[int(step.attributes.get("rank", 4))]  # type: ignore[arg-type]
    if np.all(scale == 1.0):
        # A subtraction, as normalisation is mostly written.
        return _node(step, "Sub", [("shift", -shift.reshape(by_channel))], {})
    if not np.any(shift):
        return _node(step, "Mul", [("scale", scale.reshape(by_channel))], {})
    ones = np.ones_like(scale)
    constants = [("scale", scale), ("shift", shift), ("mean", ones - ones), ("variance", ones)]
    return _node(step, "BatchNormalization", constants, {"epsilon": 0.0})


def _node(
    step: Step,
    operator: str,
    constants: Sequence[tuple[str, Array]],
    attributes: dict[str, int | float | list[int]],
) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
    from onnx import helper, numpy_helper

    inputs, tensors = list(step.inputs), []
    for role, values in constants:
        held = values.astype(np.float32) if values.dtype in _FLOATS else values
        inputs.append(f"{step.name}.{role}")
        array = np.ascontiguousarray(held).reshape(held.shape)  # the first makes 0-D to 1-D
        tensors.append(numpy_helper.from_array(array, inputs[-1]))
    node = helper.make_node(
        operator, inputs, [step.output], step.name, None, None, None, **attributes
    )
    return [node], tensors
