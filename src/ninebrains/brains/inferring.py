"""ONNX's shape inference, kept from what ends the whole process rather than in an error.

Its code takes for granted that no size is negative, and aborts the process where one is: no
`except` can catch that. Negative sizes come about in many ways (a window larger than what it
slides over, negative pads, products that overflow), so it is not their makers that are watched but
the few operators that fall over them. Each of these reads its input through an `Add` with the
`TopK` of one value along the axis at risk, whose own inference ends in an orderly error where there
is no such value; where there is one, shapes stay as they are.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from ninebrains.errors import BrainError

if TYPE_CHECKING:
    import onnx

LARGEST_NUM_AXES = 64
# What passes lists of sizes on, from Shape and constants. No length of such a list is negative.
_ON_LISTS = frozenset(
    ("Add", "Cast", "Concat", "Gather", "Identity", "Mul", "Slice", "Squeeze", "Sub", "Unsqueeze")
)
_AT_RISK = ("Slice", "GatherND")
_ONE = "one place of each axis at risk"
_WITHOUT_INPUTS = frozenset(
    ("Constant", "RandomNormal", "RandomUniform", "HannWindow", "HammingWindow", "BlackmanWindow")
)


def infer_safely(
    model: onnx.ModelProto, *, strict: bool = True, data_prop: bool = True
) -> onnx.GraphProto:
    """`onnx.shape_inference.infer_shapes`, but whatever the graph holds, the process survives.

    Args:
        model: not changed.
        strict: whether contradictions are errors; else such values are of no known shape.
        data_prop: whether lists of sizes are computed on the way.

    Returns:
        The graph with types and shapes; it may hold further values that the model has not.

    Raises:
        BrainError: shapes contradict each other, an operator reads nothing, or what one cuts
            has a negative size.
    """
    from onnx import shape_inference

    check_inputs(model)
    try:
        safe = _guarded(model)
        graph = shape_inference.infer_shapes(safe, strict_mode=strict, data_prop=data_prop).graph
    except BrainError:
        raise
    except Exception as error:  # names that are no text among them
        found = re.search(r"node name: (axis -?\d+ of .* for operator \d+)\)", str(error))
        reason = f"{found[1]}, has no places" if found else str(error)
        raise BrainError(f"the graph's shapes do not fit together: {reason}") from error
    # Where nothing is at risk, those who look at the sizes see such ones themselves.
    for value in (*graph.value_info, *graph.output) if safe is not model else ():
        sizes = [size.dim_value for size in value.type.tensor_type.shape.dim]
        if sizes and min(sizes) < 0:
            raise BrainError(
                f"the graph's shapes do not fit together: {value.name!r} would have the shape "
                f"{sizes}. Is a window, or what is cut off, larger than what it reads?"
            )
    return graph


def check_inputs(model: onnx.ModelProto) -> None:
    """Refuse operators without the inputs, or of another number of results, than they speak of.

    Raises:
        BrainError: with the operator's name.
    """
    for node in model.graph.node:
        if not (node.input and node.input[0]) and node.op_type not in _WITHOUT_INPUTS:
            raise BrainError(f"operator {node.op_type!r} has no input. Export the model again.")
        if node.op_type == "GatherND" and any(item.i < 0 for item in node.attribute):
            raise BrainError("operator 'GatherND' has negative 'batch_dims'; expected 0 or more")
        if node.op_type == "Split":
            for item in node.attribute:
                if item.name == "num_outputs" and item.i != len(node.output):
                    raise BrainError(
                        f"operator 'Split' says that it gives {item.i} results, and names "
                        f"{len(node.output)}. Export the model again."
                    )


def _guarded(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same model, with those operators guarded that would abort on negative sizes."""
    import onnx

    opset = max((entry.version for entry in model.opset_import), default=0)
    # Before set 10, Slice is content with anything, and there is no GatherND.
    if opset < 10 or not any(node.op_type in _AT_RISK for node in model.graph.node):
        return model
    axes = _small_lists(model)
    lists = {tensor.name for tensor in model.graph.initializer if len(tensor.dims) < 2}
    safe = onnx.ModelProto()
    safe.CopyFrom(model)
    del safe.graph.node[:]
    safe.graph.initializer.append(onnx.numpy_helper.from_array(np.ones(1, np.int64), _ONE))
    for number, node in enumerate(model.graph.node):
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        place = {"Slice": 0, "GatherND": 1}.get(node.op_type)
        if place is not None and place < len(node.input) and node.input[place] not in lists:
            for axis in _axes_at_risk(node, axes):
                name = f"axis {axis} of {node.input[place]!r} for operator {number}"
                safe.graph.node.extend(_guard(copy.input[place], name, axis))
                copy.input[place] = name
        safe.graph.node.append(copy)
        passes_on = node.op_type in _ON_LISTS and lists.issuperset(filter(None, node.input))
        if passes_on or node.op_type in ("Shape", "Size"):
            lists.update(node.output)
    return safe


def _guard(value: str, name: str, axis: int) -> list[onnx.NodeProto]:
    """What makes `name` the same shape as `value`, but only if that has something along an axis."""
    from onnx import helper

    largest = f"largest of {name}"
    top = helper.make_node("TopK", [value, _ONE], [largest, f"place of {name}"], name, axis=axis)
    return [top, helper.make_node("Add", [value, largest], [name])]


def _axes_at_risk(node: onnx.NodeProto, constants: Mapping[str, list[int] | None]) -> list[int]:
    """The axes whose sizes inference computes with.

    Raises:
        BrainError: they are absurdly many.
    """
    if node.op_type == "GatherND":
        return [-1]
    starts, _, axes = [constants.get(name) for name in (*node.input[1:4], "", "", "")[:3]]
    is_given = len(node.input) > 3 and bool(node.input[3])
    if any(name in constants and constants[name] is None for name in node.input[1:4]):
        raise BrainError(
            f"operator 'Slice' cuts more than {LARGEST_NUM_AXES} axes. Export the model again."
        )
    found = axes if is_given else None if starts is None else list(range(len(starts)))
    return sorted(set(found or ()))  # what is computed, inference leaves open


def _small_lists(model: onnx.ModelProto) -> dict[str, list[int] | None]:
    """The constants that Slice reads its axes from, by name; None for those that are too long.

    Raises:
        BrainError: one is damaged.
    """
    from onnx import numpy_helper

    wanted = {name for node in model.graph.node if node.op_type == "Slice" for name in node.input}
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    found: dict[str, list[int] | None] = {}
    for node in model.graph.node:
        for item in node.attribute if node.op_type == "Constant" and node.output else ():
            if item.name == "value":
                tensors[node.output[0]] = item.t
            elif item.name in ("value_int", "value_ints"):
                ints = [item.i] if item.name == "value_int" else list(item.ints)
                found[node.output[0]] = ints if len(ints) <= LARGEST_NUM_AXES else None
    for name in wanted & tensors.keys():
        tensor = tensors[name]
        if tensor.data_type not in (tensor.INT32, tensor.INT64) or tensor.external_data:
            continue
        if math.prod(tensor.dims) > LARGEST_NUM_AXES:
            found[name] = None
            continue
        try:
            found[name] = numpy_helper.to_array(tensor).reshape(-1).tolist()
        except Exception as error:
            raise BrainError(f"the constant {name!r} is damaged: {error}") from error
    return found
