"""What a network computes from constants and sizes alone is computed once, here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ninebrains.errors import BrainError

if TYPE_CHECKING:
    import onnx

Array = npt.NDArray[Any]

LARGEST_ELEMENTS = 1 << 26
# These make something large of something small; `Range` counts up to a number.
_GROWING = ("ConstantOfShape", "Expand", "Range", "Tile")
FOLDED = (
    "Constant",
    "ConstantOfShape",
    "Mod",
    "Range",
    "Shape",
    "Size",
    "Trilu",
)
"""Operators that are known for constants only, beside all of those that Keras gets."""


def fold(node: onnx.NodeProto, inputs: Sequence[Array | None], opset: int) -> list[Array]:
    """The results of an operator that reads nothing but constants.

    Raises:
        BrainError: it fails, or makes absurdly much of them.
    """
    from onnx import helper
    from onnx.reference import ReferenceEvaluator

    _check_size(node, inputs)
    given = {
        name: value for name, value in zip(node.input, inputs, strict=True) if value is not None
    }
    graph = helper.make_graph(
        [node],
        "constants",
        [_value_info(name, value) for name, value in given.items()],
        [helper.make_empty_tensor_value_info(name) for name in node.output if name],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    try:
        with np.errstate(all="ignore"):
            return [np.asarray(item) for item in ReferenceEvaluator(model).run(None, given)]
    except Exception as error:
        raise BrainError(
            f"operator {node.op_type!r}, which gives {node.output[0]!r}, cannot be computed from "
            f"its constants: {error}"
        ) from error


def _value_info(name: str, value: Array) -> Any:  # noqa: ANN401 - onnx has no types
    from onnx import helper

    kind = helper.np_dtype_to_tensor_dtype(value.dtype)
    return helper.make_tensor_value_info(name, kind, value.shape)


def _check_size(node: onnx.NodeProto, inputs: Sequence[Array | None]) -> None:
    if node.op_type not in _GROWING or not inputs or inputs[0] is None:
        return
    numbers = [int(size) for item in inputs[-1:] if item is not None for size in item.reshape(-1)]
    if node.op_type == "Range":
        start, end, step = (float(item.item()) for item in inputs if item is not None)
        count = abs((end - start) / (step or 1e-9))
    else:
        count = math.prod(max(abs(size), 1) for size in numbers)
        count *= inputs[0].size if node.op_type != "ConstantOfShape" else 1
    if count > LARGEST_ELEMENTS:
        raise BrainError(
            f"operator {node.op_type!r}, which gives {node.output[0]!r}, makes a constant of "
            "many millions of values, or one whose size depends on the number of photos"
        )
