"""Which layers of a brain's graph compute in 8 bits, and which values between them get a grid.

The trunk's convolutions hold nearly all of the work and are the layers. The head stays in float:
it is tiny, and what it says is what people see.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ninebrains.errors import BrainError
from ninebrains.trunks.wiring import Wiring, attribute

if TYPE_CHECKING:
    import onnx

FEATURE_MAP = "feature_map"
_ACTIVATIONS = ("Relu", "Clip", "Min")
# What runtimes compute in 8 bits where all that goes in and comes out has a grid.
_BETWEEN = ("Add", "Concat", "MaxPool", "AveragePool")


@dataclass(frozen=True)
class Layer:
    """One convolution of the trunk.

    Attributes:
        name: of what the convolution gives, before any activation; it names the layer.
        entry: of what goes in.
        weights: the constant float32[outputs, inputs / groups, height, width].
        bias: the constant float32[outputs], or "" where nothing is added.
        groups: of channels that do not see each other.
        is_depthwise: whether each channel is a group of its own.
        size: number of weights.
    """

    name: str
    entry: str
    weights: str
    bias: str
    groups: int
    is_depthwise: bool
    size: int


def find_layers(model: onnx.ModelProto) -> tuple[Layer, ...]:
    """The trunk's convolutions with constant weights, in the order in which they run.

    Raises:
        BrainError: they hold less than half of the trunk's weights, so that 8 bits would gain
            little and cost answers.
    """
    wiring = Wiring(model)
    trunk = wiring.needed_for([FEATURE_MAP])
    layers = tuple(
        layer
        for node in model.graph.node
        if node.op_type == "Conv" and node.output[0] in trunk
        if (layer := _layer(wiring, node)) is not None
    )
    total = sum(_size(wiring.tensors[name]) for name in trunk & wiring.tensors.keys())
    own = sum(layer.size for layer in layers)
    if own * 2 < total or not layers:
        raise BrainError(
            f"int8 takes convolutions; they hold {own} of this trunk's {total} weights. Expected "
            "a convolutional trunk such as octo: export this brain as int8-weights or fp16."
        )
    return layers


def values_with_grids(model: onnx.ModelProto, layers: Collection[Layer]) -> tuple[str, ...]:
    """The values that are held in 8 bits when these layers are, in the order of the graph."""
    wiring = Wiring(model)
    found = {layer.entry for layer in layers}
    names = {layer.name for layer in layers}
    for node in model.graph.node:
        if node.op_type in _BETWEEN:
            inputs = [name for name in node.input if name not in wiring.tensors]
            is_inside = set(inputs) == set(node.input) and found.issuperset(inputs)
        else:
            is_inside = node.output[0] in names
        if is_inside:
            found.add(after_activation(wiring, node.output[0]))
    trunk = wiring.needed_for([FEATURE_MAP])
    ordered = [name for node in model.graph.node for name in node.output]
    return tuple(name for name in ordered if name in found and name in trunk)


def after_activation(wiring: Wiring, name: str) -> str:
    """The value behind the activations that alone read `name`; `name` itself if there are none.

    A ReLU6 may have become two steps: a ReLU, and a limit for each channel (see `equalising`).
    """
    outputs = {output.name for output in wiring.graph.output}
    reader = wiring.only_reader(name)
    while name not in outputs and reader is not None and _is_activation(wiring, reader):
        name = str(reader.output[0])
        reader = wiring.only_reader(name)
    return name


def _is_activation(wiring: Wiring, node: onnx.NodeProto) -> bool:
    others = node.input[1:]
    return node.op_type in _ACTIVATIONS and all(
        not item or item in wiring.tensors for item in others
    )


def _layer(wiring: Wiring, node: onnx.NodeProto) -> Layer | None:
    weights = wiring.tensors.get(node.input[1])
    bias = node.input[2] if len(node.input) > 2 else ""
    if weights is None or weights.data_type != weights.FLOAT:
        return None
    if (bias and bias not in wiring.tensors) or len(weights.dims) != 4:
        return None
    group = attribute(node, "group", 1)
    groups = group if isinstance(group, int) else 1
    is_depthwise = groups > 1 and weights.dims[1] == 1
    return Layer(
        node.output[0], node.input[0], weights.name, bias, groups, is_depthwise, _size(weights)
    )


def _size(tensor: onnx.TensorProto) -> int:
    size = 1
    for side in tensor.dims:
        size *= side
    return size
