"""Trunk and head to one graph: from uint8 pixels to calibrated answers, heat maps included.

    photos ─► trunk ─► feature_map ─► 1x1 convolution with W ─► heatmap
                   └─► features ──► W, b ─► softmax | sigmoid | nothing ─► scores | values
                            └─► scaled to length 1 ─► distance to what is familiar ─► unfamiliar

The features are the mean of the feature map, so the mean of a heat map plus the bias is the raw
score: the explanation is exact, not an approximation. W is stored once for both.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ninebrains.brains.graph import Graph, pack, unpack
from ninebrains.brains.manifest import Task
from ninebrains.training.basis import Floats
from ninebrains.training.familiarity import Familiarity
from ninebrains.trunks import Trunk

if TYPE_CHECKING:
    import onnx

_AXES_ARE_INPUTS_SINCE = 18


def assemble(
    trunk: Trunk, task: Task, weights: Floats, bias: Floats, familiarity: Familiarity
) -> Graph:
    """The brain's graph.

    Args:
        trunk: gives `features` [N, D] and `feature_map` [N, D, h, w].
        task: decides the last step and the output's name.
        weights: W[K, D] of the head.
        bias: b[K].
        familiarity: for the `unfamiliar` output, [N].
    """
    model = unpack(trunk.graph)
    version = next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    pen = _Pen(version)
    num_outputs, num_features = weights.shape
    pen.constant("weights", weights.astype(np.float32))
    pen.constant("weights_1x1", weights.astype(np.float32)[:, :, None, None])
    pen.constant("bias", bias.astype(np.float32))
    answer = "values" if task == "regress" else "scores"
    last = {"classify": "Softmax", "multilabel": "Sigmoid", "regress": None}[task]
    raw = "head/raw" if last else answer
    pen.node("Gemm", ["features", "head/weights", "head/bias"], raw, transB=1)
    if last == "Softmax":
        pen.node("Softmax", [raw], answer, axis=1)
    elif last == "Sigmoid":
        pen.node("Sigmoid", [raw], answer)
    pen.node("Conv", ["feature_map", "head/weights_1x1"], "heatmap", kernel_shape=[1, 1])
    _write_familiarity(pen, familiarity)

    graph = model.graph
    graph.node.extend(pen.nodes)
    graph.initializer.extend(pen.constants)
    high, wide = trunk.map_size
    shapes: dict[str, list[int | str]] = {
        answer: ["N", num_outputs],
        "features": ["N", num_features],
        "heatmap": ["N", num_outputs, high, wide],
        "unfamiliar": ["N"],
    }
    del graph.output[:]
    graph.output.extend(_float_output(name, shape) for name, shape in shapes.items())
    graph.name = "brain"
    return pack(model)


def _write_familiarity(pen: _Pen, model: Familiarity) -> None:
    """sqrt((P^2 gains + min_c(z linear_c + offset_c)) / threshold), z = features / |features|."""
    threshold = model.threshold
    pen.constant("axes", model.axes.astype(np.float32))
    pen.constant("gains", (model.gains / threshold).astype(np.float32)[:, None])
    pen.constant("linear", (model.linear / threshold).astype(np.float32))
    pen.constant("offset", (model.offset / threshold).astype(np.float32))
    pen.constant("tiny", np.array(1e-12, np.float32))
    pen.constant("zero", np.array(0.0, np.float32))
    pen.constant("last_axis", np.array([-1], np.int64))
    pen.reduce("ReduceL2", "features", "head/length", axis=1, keep=True)
    pen.node("Max", ["head/length", "head/tiny"], "head/length_safe")
    pen.node("Div", ["features", "head/length_safe"], "head/unit")
    pen.node("MatMul", ["head/unit", "head/axes"], "head/along")
    pen.node("Mul", ["head/along", "head/along"], "head/along_squared")
    pen.node("MatMul", ["head/along_squared", "head/gains"], "head/common")
    pen.node("Gemm", ["head/unit", "head/linear", "head/offset"], "head/to_means", transB=1)
    pen.reduce("ReduceMin", "head/to_means", "head/nearest", axis=1, keep=True)
    pen.node("Add", ["head/common", "head/nearest"], "head/distance")
    pen.node("Max", ["head/distance", "head/zero"], "head/distance_safe")
    pen.node("Sqrt", ["head/distance_safe"], "head/unfamiliar")
    pen.constant("flat", np.array([-1], np.int64))
    pen.node("Reshape", ["head/unfamiliar", "head/flat"], "unfamiliar")


@dataclass
class _Pen:
    """Collects the head's nodes and constants, for one version of the operator set."""

    opset: int
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)

    def constant(self, name: str, values: npt.NDArray[np.generic]) -> None:
        from onnx import numpy_helper

        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), f"head/{name}"))

    def node(
        self, operator: str, inputs: list[str], output: str, **attributes: int | list[int]
    ) -> None:
        from onnx import helper

        node = helper.make_node(operator, inputs, [output], name=f"head/{output}")
        node.attribute.extend(helper.make_attribute(*pair) for pair in attributes.items())
        self.nodes.append(node)

    def reduce(self, operator: str, value: str, output: str, *, axis: int, keep: bool) -> None:
        """A reduction: its axes became an input with operator set 18."""
        if self.opset < _AXES_ARE_INPUTS_SINCE:
            self.node(operator, [value], output, axes=[axis], keepdims=int(keep))
        else:
            self.node(operator, [value, "head/last_axis"], output, keepdims=int(keep))


def _float_output(name: str, shape: list[int | str]) -> onnx.ValueInfoProto:
    from onnx import TensorProto, helper

    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
